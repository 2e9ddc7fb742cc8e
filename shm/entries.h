/* How the entries of bans and exemptions stand in the store (internal to the lists).
 *
 *   DB_BANS, DB_EXEMPTIONS   scope NUL kind rest -> id, added, expires, flags, by, reason
 *       scope   the check of an exemption, nothing for a ban
 *       rest    of a network 16 bytes of address and its length; else the key as it is shown
 *   DB_EXPIRIES              expires (8 bytes, big-endian), database, key above -> nothing
 *   DB_SUMMARY               "bans", "exemptions" -> struct entry_counts; "next-id" -> u64
 *
 * The counts say what exists at all.  They are remembered until the store changes, so that a
 * look-up in an empty list costs no read, and one of a network probes only the lengths that exist.
 */
#ifndef SHM_ENTRIES_H
#define SHM_ENTRIES_H

#include "shm/lists.h"

#define SCOPE_MAX 64
/* LMDB takes 511 bytes. */
#define ENTRY_KEY_MAX (SCOPE_MAX + 2 + LIST_KEY_MAX)

struct entry_counts {
	uint64_t first_kinds[LIST_SIGNATURE];
	uint64_t length4[33]; /* networks of IPv4, by the length as it is shown */
	uint64_t length6[129];
	/* What came later stands here: a store of before has less. */
	uint64_t later_kinds[LIST_KEYS - LIST_SIGNATURE];
};

static inline uint64_t *entry_count_of(struct entry_counts *c, enum list_key kind)
{
	return kind < LIST_SIGNATURE ? &c->first_kinds[kind]
				     : &c->later_kinds[kind - LIST_SIGNATURE];
}

static inline uint64_t entry_count(const struct entry_counts *c, enum list_key kind)
{
	return kind < LIST_SIGNATURE ? c->first_kinds[kind] : c->later_kinds[kind - LIST_SIGNATURE];
}

/* One of the two lists, as of one state of the store. */
struct entry_memo {
	struct entry_counts counts;
	/* the lengths that exist, longest first, in bits of the mapped form */
	uint8_t bits4[33], bits6[129];
	unsigned n4, n6;
};

struct entry_key {
	size_t n;
	unsigned char b[ENTRY_KEY_MAX];
};

static inline struct text entry_key_text(const struct entry_key *k)
{
	return text_make((const char *)k->b, k->n);
}

/* The head of a value; `by` and `reason` follow. */
struct entry_head {
	uint64_t id;
	int64_t added, expires;
	uint16_t flags, by_n, reason_n, unused;
};

#define ENTRY_VALUE_MAX (sizeof(struct entry_head) + LIST_BY_MAX + LIST_REASON_MAX)

/* --- entry.c: bytes --- */

/* False if it is too long. */
bool entry_key_make(struct entry_key *k, const char *scope, enum list_key kind, const void *rest,
		    size_t n);
/* From an entry's text; false if that is no key of its kind. */
bool entry_key_of(struct entry_key *k, const char *scope, enum list_key kind, const char *text);
/* Kind, key and net; `scope` may be NULL.  False if the bytes are none (a store of another make).
 */
bool entry_key_read(struct text key, const char **scope, struct list_entry *out);
size_t entry_value_make(unsigned char dst[ENTRY_VALUE_MAX], const struct list_entry *e,
			uint64_t id);
bool entry_value_head(struct text value, struct entry_head *head);
bool entry_read(struct text key, struct text value, const char **scope, struct list_entry *out);

/* What reading one key (rc, value) says: YES if it stands there and has not expired. */
enum answer entry_answer(int rc, struct text key, struct text value, int64_t now_wall_us,
			 struct list_entry *out);

/* --- entries_memo.c: what exists at all --- */

/* Counts one more (1) or less (-1) like this key. */
int entries_count(MDB_txn *txn, enum store_db db, struct text key, int delta);
/* As of now, or as txn sees it; NULL if the store cannot be read.  Good until the next call. */
const struct entry_memo *entries_memo(struct store *st, enum store_db db);
const struct entry_memo *entries_memo_in(MDB_txn *txn, enum store_db db);

/* --- entries_find.c, networks.c: looking up --- */

/* In each of `scopes` (ended by NULL); the first that has an entry decides. */
enum answer entries_find(struct store *st, enum store_db db, const char *const scopes[],
			 enum list_key kind, const struct ip *ip, struct text key,
			 int64_t now_wall_us, struct list_entry *out);
/* The longest network that holds ip. */
enum answer networks_find(MDB_txn *txn, enum store_db db, const struct entry_memo *memo,
			  const char *scope, const struct ip *ip, int64_t now_wall_us,
			  struct list_entry *out);

/* --- entries.c: changing, walking --- */

/* Within a write transaction. */
int entry_put(MDB_txn *txn, enum store_db db, const char *scope, const struct list_entry *e);
int entry_del(MDB_txn *txn, enum store_db db, struct text key);

/* What lists.h says of each list. */
int entries_put(struct store *st, enum store_db db, const char *scope, const struct list_entry *e);
int entries_del(struct store *st, enum store_db db, const char *scope, enum list_key kind,
		const char *key);
int entries_each(struct store *st, enum store_db db,
		 int (*fn)(const char *scope, const struct list_entry *e, void *arg), void *arg);

#endif
