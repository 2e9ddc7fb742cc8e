/* A world and a session for the unit tests of the policy: lists, counters, next hop and clock are
 * tables that a test fills in, and every question and event is there to be looked at.
 *
 * The settings have the defaults of settings.def as far as they matter here
 * (tests/unit/test_config.c tests the defaults themselves). */
#ifndef TESTS_WORLD_TABLE_H
#define TESTS_WORLD_TABLE_H

#include "policy/engine.h"
#include "shm/segment.h"

enum { TABLE_LISTED_MAX = 16, TABLE_COUNTERS = 4096, TABLE_EVENTS_MAX = 64, TABLE_DNS_MAX = 64 };

struct table_listed {
	const char *check; /* exemptions; NULL: a ban */
	enum list_key kind;
	const char *key;
	bool at_connect;
};

/* What the DNS says of a name. */
struct table_dns {
	const char *name;
	uint16_t type;
	struct dns_answer answer;
	struct dns_record records[8];
	unsigned started, awaited; /* how often it was asked for */
};

struct world_table {
	int64_t boot_us, wall_us;
	uint64_t next_random;
	struct table_listed listed[TABLE_LISTED_MAX];
	unsigned listed_count;
	bool lists_away;           /* every look-up answers unknown ... */
	bool exemptions_away;      /* ... or those of exemptions only */
	const char *recipients[8]; /* "a@example.net" */
	bool has_recipients;       /* else the list is empty: unknown */
	enum answer hop_answer;
	struct hop_reply hop;
	bool hop_lacks_utf8;
	/* Called while the hop is asked: what other sessions do meanwhile. */
	void (*meanwhile)(void *arg);
	void *meanwhile_arg;
	unsigned bans_asked, exemptions_asked, hop_asked;
	struct {
		uint64_t tag, value;
	} counters[TABLE_COUNTERS];
	struct table_dns dns[TABLE_DNS_MAX]; /* what isn't in it has no answer: DNS_TIMEOUT */
	unsigned dns_count;
	unsigned dns_started, dns_awaited; /* of all names */
	struct spf_result spf[2];          /* by identity: code, reason, explanation */
	unsigned spf_asked;
	struct dkim_result dkim; /* no signature to begin with */
	unsigned dkim_asked;
	struct scan_result scan; /* what the anti-virus engine answers; clean to begin with */
	unsigned scans_asked;
	struct archives_facts
	    archives; /* what an inspector says of archives; nothing to begin with */
	struct archives_request archives_request; /* the last */
	unsigned archives_asked;
	/* What a server says that is asked of an address: stage, first, second, why, ours.  What is
	 * remembered of it is read from the events. */
	struct callout callout;
	struct callout callout_asked;                               /* the last question */
	struct callout_target callout_targets[CALLOUT_TARGETS_MAX]; /* ... and whom */
	unsigned callouts;
	struct verify_answer *other; /* another session's answer, for who asks the same; NULL */
	unsigned verify_joined, verify_ended;
	struct event events[TABLE_EVENTS_MAX]; /* the first ones */
	unsigned event_count;
	uint64_t metrics[METRIC_COUNT];
};

/* One server and one session of it. */
struct fixture {
	struct world_table world;
	struct arena session_arena;
	struct config config;
	struct text authserv_id;
	struct listener listener;
	struct route route;
	struct hop_address hop;
	struct domain domains[2]; /* example.net, and other.example with settings of its own */
	struct settings other;    /* of other.example: the base's until a test changes them */
	struct session s;
	struct transaction tx;
	struct recipient room[8];
};

/* Everything at its default, a client 198.51.100.7 that is a stranger; no session yet. */
void fixture_init(struct fixture *f);
void fixture_free(struct fixture *f);

/* A new session of `client`, up to the greeting. */
struct decision fixture_connect(struct fixture *f, const char *client);
void fixture_helo(struct fixture *f, const char *name);
/* Opens a transaction; "" is the null sender. */
struct decision fixture_mail(struct fixture *f, const char *from);
/* One recipient, accepted ones are added. */
struct decision fixture_rcpt(struct fixture *f, const char *to);
/* The end of data: judged, and where it passes accepted. */
struct decision fixture_message(struct fixture *f, const char *header, uint64_t size);

/* All of it, with HELO client.example.org and MAIL a@example.org. */
struct decision fixture_send(struct fixture *f, const char *client, const char *to);

void table_ban(struct world_table *w, enum list_key kind, const char *key);
void table_exempt(struct world_table *w, const char *check, enum list_key kind, const char *key);
/* An answer of the DNS, records as people write them: addresses, names, "10 mx.example.org"; a text
 * as it is.  Up to eight, then NULL; none with any status but DNS_OK. */
struct table_dns *table_dns(struct world_table *w, const char *name, uint16_t type,
			    enum dns_status status, ...);
#define table_records(w, name, type, ...) table_dns(w, name, type, DNS_OK, __VA_ARGS__, NULL)

/* The next event of a type after the first `skip`; NULL: none. */
const struct event *table_event(const struct world_table *w, enum event_type type, unsigned skip);
/* A text field of it, "" if it has none; in a static buffer. */
const char *table_field(const struct event *e, enum event_field f);
int64_t table_number(const struct event *e, enum event_field f);

/* "550 5.7.1 The domain ... is banned", without the incident; "pass" if it doesn't refuse.  In a
 * static buffer. */
const char *said(const struct decision *d);
#define ck_said(d, what)                                                                           \
	do {                                                                                       \
		struct decision said_ = (d);                                                       \
		ck_assert_str_eq(said(&said_), what);                                              \
	} while (0)

#endif
