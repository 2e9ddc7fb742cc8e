/* What policy needs of the world: lists, counters, the next hop, time.  policy/ knows no sockets;
 * the worker implements this by reading LMDB and shared memory and by yielding, the unit tests by a
 * table.
 *
 * A look-up answers yes, no or unknown; a check never guesses what unknown means. */
#ifndef POLICY_WORLD_H
#define POLICY_WORLD_H

#include "policy/antivirus.h"
#include "policy/archives.h"
#include "policy/callout.h"
#include "policy/dkim.h"
#include "policy/spf.h"
#include "shm/base/dns.h"
#include "shm/event.h"
#include "shm/lists.h"
#include "shm/table.h"

struct session;
struct recipient;

/* What a next hop said of a recipient (or of a message). */
struct hop_reply {
	short code;        /* 0: no answer at all */
	char enhanced[10]; /* "5.1.1", "" if it gave none */
	struct text text;  /* first line's text without codes, in the transaction's arena */
	struct text hop;   /* who said it, for the log */
	struct text
	    tls; /* how it was spoken to: "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: in plain */
};

struct world_ops {
	int64_t (*boot_us)(void *self);
	int64_t (*wall_us)(void *self);
	uint64_t (*random)(void *self);

	enum answer (*ban)(void *self, enum list_key kind, const struct ip *ip, struct text key,
			   struct list_entry *out);
	enum answer (*exemption)(void *self, const char *check, enum list_key kind,
				 const struct ip *ip, struct text key, struct list_entry *out);
	bool (*no_exemptions)(void *self);
	enum answer (*recipient)(void *self, struct text domain, struct text local);

	/* Asks the next hop of r's route for r, live; yields.  YES: 2xx, NO: 5xx, UNKNOWN: the
	 * rest. */
	enum answer (*hop_takes)(void *self, const struct session *s, const struct recipient *r,
				 struct hop_reply *out);

	/* Can the route carry addresses outside ASCII, as far as is known by now?  Asked only where
	 * there are such. */
	bool (*hop_carries_utf8)(void *self, const struct session *s, const struct recipient *r);

	/* Asks the DNS without waiting: what a later await needs is then on its way.  The same
	 * question is asked once, whoever starts it how often. */
	void (*dns_start)(void *self, const struct session *s, struct text name, uint16_t type);
	/* The answer, asked for if nobody has; yields until it is there, its time is over (setting
	 * dns-timeout) or the stage's time for the DNS is (dns-budget: then DNS_TIMEOUT).  Never
	 * NULL.  It lives as long as the session if the question was begun outside of a
	 * transaction, else as long as the transaction. */
	const struct dns_answer *(*dns_await)(void *self, const struct session *s, struct text name,
					      uint16_t type);

	/* Judges the client by SPF; yields, within the stage's time for the DNS.  Fills in *out but
	 * for what spf_of() knows (texts in the transaction's arena); SPF_UNDECIDED with a reason
	 * where nobody could tell.  Use spf_of(). */
	void (*spf)(void *self, const struct session *s, enum spf_identity identity,
		    struct spf_result *out);

	/* Judges the message's DKIM signatures; yields, within the stage's time for the DNS.  Fills
	 * in *out, which is all zero (texts in the transaction's arena).  Use dkim_of(). */
	void (*dkim)(void *self, const struct session *s, struct dkim_result *out);

	/* Has the anti-virus engine look at the message; yields.  Fills in *out (texts in the
	 * transaction's arena), whose code is SCAN_FAILED or SCAN_ABSENT where nobody looked. */
	void (*scan)(void *self, const struct session *s, struct scan_result *out);

	/* Has an inspector list the files in archives of the message; yields.  Fills in *out (in
	 * the transaction's arena): `answered` is false where nobody could be asked. */
	void (*archives)(void *self, const struct session *s, const struct archives_request *rq,
			 struct archives_facts *out);

	/* What is remembered of an address that a server was asked about. */
	enum answer (*verified)(void *self, enum verified_kind kind, struct text key,
				struct verified *out);
	/* Is the same asked just now?  Then waits for it, `wait_us` at most (yields), and true:
	 * *out is what came of it.  Else false, and the caller owes the others a verify_end(). */
	bool (*verify_join)(void *self, const struct session *s, enum verified_kind kind,
			    struct text key, int64_t wait_us, struct verify_answer *out);
	void (*verify_end)(void *self, const struct session *s, const struct verify_answer *a);
	/* Holds the conversation; yields.  Fills in what *c has of outcomes. */
	void (*call_out)(void *self, const struct session *s, struct callout *c);

	uint64_t (*counter_tag)(void *self, enum table_kind kind, struct text space,
				const void *key, size_t n);
	uint64_t (*counter_read)(void *self, uint64_t tag);
	uint64_t (*counter_update)(void *self, uint64_t tag,
				   uint64_t (*change)(uint64_t old, void *arg), void *arg);
	void (*counter_forget)(void *self, uint64_t tag);

	/* Hands an event to the keeper. */
	void (*emit)(void *self, const struct event *e);
	void (*count)(void *self, unsigned metric, uint64_t n);
};

struct world {
	const struct world_ops *ops;
	void *self;
};

#endif
