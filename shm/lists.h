/* The lists that administrators change live: bans, exemptions, recipients.
 *
 * Entries carry who added them, when, why and until when; an expired one is as if it weren't there
 * (the keeper removes it later).  A worker sees a change in its very next look-up. */
#ifndef SHM_LISTS_H
#define SHM_LISTS_H

#include "shm/base/ip.h"
#include "shm/store.h"

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN };

/* What an entry names.  CLIENT keys are networks, longest prefix wins; DOMAIN and HOST keys cover
 * their sub-domains; ADDRESS is local@domain in lower case. */
enum list_key {
	LIST_CLIENT,  /* 192.0.2.0/24 */
	LIST_HOST,    /* .mail.example.org: forward-confirmed reverse name */
	LIST_DOMAIN,  /* of the sender or the HELO name */
	LIST_ADDRESS, /* of the sender */
	LIST_LOGIN,
	LIST_RECIPIENT, /* address, or @domain */
	LIST_SIGNATURE, /* a name that an anti-virus engine gives; in exemptions only */
	LIST_EXTENSION, /* of a file's name: exe, or for one recipient domain exe@example.net */
	LIST_KEYS
};
const char *list_key_name(enum list_key k); /* "client", "host", ... */
bool list_key_find(struct text name, enum list_key *out);

#define LIST_KEY_MAX       320
#define LIST_EXTENSION_MAX 32
#define LIST_REASON_MAX    400
#define LIST_BY_MAX        64

struct list_entry {
	enum list_key kind;
	char key[LIST_KEY_MAX + 1]; /* as it stands in the list: "203.0.113.0/24" */
	struct net net;             /* LIST_CLIENT */
	uint64_t id;                /* unique; hits are counted under it */
	int64_t added_wall_us;
	int64_t expires_wall_us; /* 0: never */
	bool at_connect;         /* ban: refuse in the greeting */
	char by[LIST_BY_MAX + 1];
	char reason[LIST_REASON_MAX + 1];
};

/* Puts `t` into the form in which the list holds it: networks masked and canonical
 * ("192.0.2.1/32"), domains in lower case A-label form without a final dot (HOST with a dot in
 * front, DOMAIN without), addresses and logins in lower case.  False with a message in err. */
bool list_key_normalize(enum list_key kind, struct text t, char out[LIST_KEY_MAX + 1],
			struct buf *err);

/* --- bans ---- `ip` for LIST_CLIENT, `key` (any case, domains in A-label form) for the others.
 * `out` may be NULL.  UNKNOWN: the store cannot be read. */
enum answer bans_find(struct store *st, enum list_key kind, const struct ip *ip, struct text key,
		      int64_t now_wall_us, struct list_entry *out);
/* From kind, key, added, expires, at_connect, by and reason; `id` and `net` are the list's own
 * doing. Replaces an entry of the same key, which keeps its id.  EINVAL: the key is none. */
int bans_put(struct store *st, const struct list_entry *e);
/* Many, in transactions of 2,500: `next` fills one and returns false at the end.  Stops at the
 * first failure; `put` (may be NULL) is how many were stored. */
int bans_put_all(struct store *st, bool (*next)(struct list_entry *e, void *arg), void *arg,
		 uint64_t *put);
int bans_del(struct store *st, enum list_key kind, const char *key); /* MDB_NOTFOUND: not listed */
/* Calls fn for each entry, expired ones included, in key order, until it returns non-zero, which is
 * then returned.  fn may write. */
int bans_each(struct store *st, int (*fn)(const struct list_entry *e, void *arg), void *arg);

/* --- exemptions: the same entries under the name of a check ("dnsbl"); "*" is every check. */
enum answer exemptions_find(struct store *st, const char *check, enum list_key kind,
			    const struct ip *ip, struct text key, int64_t now_wall_us,
			    struct list_entry *out);
int exemptions_put(struct store *st, const char *check, const struct list_entry *e);
int exemptions_del(struct store *st, const char *check, enum list_key kind, const char *key);
int exemptions_each(struct store *st,
		    int (*fn)(const char *check, const struct list_entry *e, void *arg), void *arg);
/* True if no entry of that kind exists for any check: one read saves the others. */
bool exemptions_none(struct store *st);

/* --- recipients: which addresses of a domain exist.  Look-up: exact, then without what follows
 * `delimiter` (0: none) in the local part, then the catch-all "@domain"; case-insensitive.  UNKNOWN
 * if the domain has no list, an empty one, or the store cannot be read. */
enum answer recipients_find(struct store *st, struct text domain, struct text local,
			    char delimiter);
/* Longest local part that a list takes (RFC 5321 knows 64; EINVAL beyond). */
#define RECIPIENT_LOCAL_MAX 256
int recipients_put(struct store *st, struct text domain, struct text local);
int recipients_del(struct store *st, struct text domain, struct text local);
int recipients_each(struct store *st, struct text domain, int (*fn)(struct text local, void *arg),
		    void *arg);

struct recipients_info {
	uint64_t count;   /* in force */
	uint64_t version; /* another with each import or undo */
	bool can_undo;
	int64_t loaded_wall_us;
};
int recipients_info(struct store *st, struct text domain, struct recipients_info *out);

/* A bulk import is written as a new version behind the one in force (in transactions of at most
 * 10,000 puts) and comes into force with one last small transaction.  `next` gives one local part
 * at a time
 * ("" is the catch-all) and returns false at the end.  An import that was killed changes nothing;
 * the next one removes what it left.  EBUSY: another import is running. */
struct recipients_change {
	uint64_t added, removed, kept, repeated;
};
int recipients_import(struct store *st, struct text domain,
		      bool (*next)(struct text *local, void *arg), void *arg,
		      unsigned max_removed_percent,
		      struct recipients_change *out); /* ECANCELED: would remove more */
/* Back to the version before; once more: forth again.  MDB_NOTFOUND: there is none. */
int recipients_undo(struct store *st, struct text domain, struct recipients_change *out);

/* --- what the keeper's expiry does: removes expired entries, at most `max`; how many, or -1. */
int lists_expire(struct store *st, int64_t now_wall_us, unsigned max);

#endif
