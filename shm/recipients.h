/* How recipients stand in the store (internal to the lists).
 *
 *   DB_RECIPIENT_LISTS    domain -> struct recipient_list
 *   DB_RECIPIENTS         generation (4 bytes, big-endian), local part in lower case -> nothing
 *   DB_RECIPIENT_GARBAGE  generation -> nothing: in force nowhere, or an import that isn't finished
 *   DB_SUMMARY            "next-generation" -> u32
 *
 * A generation is one version of one domain's list; numbers are never used again. */
#ifndef SHM_RECIPIENTS_H
#define SHM_RECIPIENTS_H

#include "shm/lists.h"

struct recipient_version {
	uint32_t generation; /* 0: no list */
	uint32_t unused;
	uint64_t count;
	int64_t loaded_wall_us;
};

struct recipient_list {
	struct recipient_version current, previous;
	uint64_t undoable; /* previous is one to go back to, even if it is "no list" */
};

#define GENERATION_BYTES 4

struct recipient_key {
	size_t n;
	char b[GENERATION_BYTES + RECIPIENT_LOCAL_MAX];
};

struct domain_key {
	size_t n;
	char b[LIST_KEY_MAX];
};

/* The keys; false if the name is too long (or, of a domain, empty). */
bool recipient_key_make(struct recipient_key *k, uint32_t generation, struct text local);
bool domain_key_make(struct domain_key *k, struct text domain);

static inline struct text recipient_key_text(const struct recipient_key *k)
{
	return text_make(k->b, k->n);
}

static inline struct text domain_key_text(const struct domain_key *k)
{
	return text_make(k->b, k->n);
}

/* A domain's list; without one all zero and still 0. */
int recipient_list_get(MDB_txn *txn, const struct domain_key *domain, struct recipient_list *out);
int recipient_list_put(MDB_txn *txn, const struct domain_key *domain,
		       const struct recipient_list *l);
int recipient_generation_new(MDB_txn *txn, uint32_t *generation);

#endif
