/* The facts of a session and of its transaction, as policy sees them.  Facts only: no sockets, no
 * buffers.  The worker's struct smtp_session embeds struct session and fills it in as facts are
 * earned, never before. */
#ifndef POLICY_SESSION_H
#define POLICY_SESSION_H

#include "policy/config.h"
#include "policy/dkim.h"
#include "policy/message/address.h"
#include "policy/message/header.h"
#include "policy/spf.h"
#include "policy/verdict.h"
#include "policy/world.h"
#include "shm/base/arena.h"

enum check_id {
#define CHECK(name, phase, mode, who, help) CHECK_##name,
#include "policy/checks.def"
#undef CHECK
	CHECK_COUNT
};

enum phase {
	PHASE_CONNECT,
	PHASE_HELO,
	PHASE_MAIL,
	PHASE_ENVELOPE,
	PHASE_RCPT,
	PHASE_DATA,
	PHASE_MESSAGE,
	PHASE_AUTH /* not on the way of a message: whenever the client says AUTH */
};

/* What became of a refusal. */
enum fate {
	FATE_STANDS,  /* not spoken (yet): the recipient is still to come, or another check decided
		       */
	FATE_SPOKEN,  /* it was the reply */
	FATE_EXEMPT,  /* an exemption saved it */
	FATE_WAIVED,  /* monitor mode let it pass */
	FATE_SKIPPED, /* it isn't held against this recipient */
};

/* One check's last run.  Small, since every session has one for each check. */
struct check_run {
	const struct verdict *verdict;   /* NULL: not run */
	const struct settings *settings; /* with which it ran */
	uint32_t us;                     /* how long it took */
	unsigned char mode;              /* enum check_mode, as it was judged */
	unsigned char fate;              /* enum fate */
	bool in_transaction;             /* the verdict lives in the transaction's arena */
	bool unsure;                     /* it refuses, but exemptions can't be read */
};

static inline enum outcome run_outcome(const struct check_run *run)
{
	return run->verdict ? (enum outcome)run->verdict->outcome : OUTCOME_NOT_RUN;
}

struct recipient {
	struct mailbox mailbox;
	const struct domain *domain; /* NULL: not ours */
	const struct route *route;
	const struct settings *settings; /* the domain's, or the base's */
	bool is_role;                    /* postmaster@ or abuse@ of an own domain */
	struct text esmtp;               /* NOTIFY= and ORCPT= as they go on, checked */
};

struct dmarc_result; /* policy/dmarc.h */

struct transaction {
	struct arena arena;
	struct mailbox from; /* .whole is empty for the null sender */
	bool null_sender;
	bool smtputf8, body_8bit;
	uint64_t declared_size;       /* SIZE=, 0: none */
	struct text esmtp;            /* RET= and ENVID= as they go on, checked */
	struct recipient *recipients; /* accepted ones */
	size_t recipient_count, recipient_capacity;
	unsigned recipients_refused;
	bool charged_message;   /* the limits of messages have been charged */
	struct spf_facts spf;   /* spf_of() */
	const char **exempt_by; /* by check: the entry that saved it from one; NULL: from none */
	bool poisoned;          /* a bounce with two recipients: DATA is refused too */
	/* At the end of data: */
	const struct header *header;
	const struct mime_facts *parts; /* policy/message/mime.h; NULL: no check needs them */
	uint64_t size;
	bool bare_newlines;
	const struct dkim_result *dkim; /* dkim_of(); NULL: not asked yet */
	struct dmarc_result *dmarc;     /* dmarc_of(); NULL: not judged yet */
};

/* What the DNS says of the client's name. */
enum host_state {
	HOST_NOT_ASKED,
	HOST_NO_ANSWER,   /* to the question for PTR records */
	HOST_NONE,        /* it has none */
	HOST_UNCONFIRMED, /* none of their names points back */
	HOST_UNSURE,      /* none does, but not all have answered */
	HOST_CONFIRMED,   /* s->host */
};

struct session {
	struct arena *arena; /* lives as long as the session */
	struct world world;
	const struct config *config;
	const struct listener *listener;
	struct ip client;
	uint16_t client_port;
	struct text client_text; /* the address as text */
	struct ip proxy;         /* who said so, where the PROXY protocol did; else all zero */
	bool own;                /* trusted network (or logged in) */
	bool early_talker;
	bool tls;
	struct text tls_text; /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty without TLS */
	struct text host;     /* forward-confirmed reverse name; empty: not known */
	struct text ptr;      /* the first PTR record's name, confirmed or not; empty: not known */
	enum host_state host_state;
	struct text login; /* empty: not logged in */
	/* What else it may send from, one "address" or "@domain" a line, in lower case. */
	struct text login_senders;
	unsigned auth_attempts; /* that had a verdict on their credentials, since the last message;
				   policy/auth.h counts them */
	bool under_stress;      /* the machine is short of something: who is blocked hears it in the
				   greeting */
	struct text helo;       /* as given; empty until HELO or EHLO */
	bool esmtp;
	char id[16];            /* names the session in log lines */
	struct transaction *tx; /* NULL outside of one */
	struct recipient *rcpt; /* the one that is judged now; NULL outside of RCPT */
	struct check_run *runs; /* the engine's: CHECK_COUNT, in the session's arena */
};

#endif
