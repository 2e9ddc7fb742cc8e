/* Which addresses of a domain exist: look-up, single changes, facts. */
#include "shm/recipients.h"

#include "shm/base/clock.h"
#include "shm/walk.h"

#include <errno.h>

/* ---- bytes ---- */

bool recipient_key_make(struct recipient_key *k, uint32_t generation, struct text local)
{
	if (local.n > RECIPIENT_LOCAL_MAX)
		return false;
	for (int i = 0; i < GENERATION_BYTES; i++)
		k->b[i] = (char)(generation >> (24 - 8 * i));
	text_lower(local, k->b + GENERATION_BYTES);
	k->n = GENERATION_BYTES + local.n;
	return true;
}

bool domain_key_make(struct domain_key *k, struct text domain)
{
	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (domain.n == 0 || domain.n > sizeof(k->b))
		return false;
	text_lower(domain, k->b);
	k->n = domain.n;
	return true;
}

int recipient_list_get(MDB_txn *txn, const struct domain_key *domain, struct recipient_list *out)
{
	struct text value;
	int rc = store_get(txn, DB_RECIPIENT_LISTS, domain_key_text(domain), &value);

	memset(out, 0, sizeof(*out));
	if (rc == 0 && value.n != sizeof(*out))
		return MDB_CORRUPTED;
	if (rc == 0)
		memcpy(out, value.p, sizeof(*out));
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int recipient_list_put(MDB_txn *txn, const struct domain_key *domain,
		       const struct recipient_list *l)
{
	return store_put(txn, DB_RECIPIENT_LISTS, domain_key_text(domain),
			 text_make((const char *)l, sizeof(*l)));
}

int recipient_generation_new(MDB_txn *txn, uint32_t *generation)
{
	static const struct text name = LIT("next-generation");
	struct text value;
	int rc = store_get(txn, DB_SUMMARY, name, &value);

	*generation = 1;
	if (rc == 0 && value.n == sizeof(*generation))
		memcpy(generation, value.p, sizeof(*generation));
	else if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	uint32_t next = *generation + 1;

	return store_put(txn, DB_SUMMARY, name, text_make((const char *)&next, sizeof(next)));
}

/* ---- look-up ---- */

static enum answer probe(MDB_txn *txn, uint32_t generation, struct text local)
{
	struct recipient_key k;
	struct text value;

	if (!recipient_key_make(&k, generation, local))
		return ANSWER_NO;
	int rc = store_get(txn, DB_RECIPIENTS, recipient_key_text(&k), &value);

	if (rc == MDB_NOTFOUND)
		return ANSWER_NO;
	return rc == 0 ? ANSWER_YES : ANSWER_UNKNOWN;
}

static enum answer find(MDB_txn *txn, uint32_t generation, struct text local, char delimiter)
{
	size_t tag = delimiter ? text_find(local, delimiter) : local.n;
	enum answer a = probe(txn, generation, local);

	/* what begins with the delimiter has no name before it */
	if (a == ANSWER_NO && tag > 0 && tag < local.n)
		a = probe(txn, generation, text_make(local.p, tag));
	if (a == ANSWER_NO && local.n > 0)
		a = probe(txn, generation, text_make("", 0));
	return a;
}

enum answer recipients_find(struct store *st, struct text domain, struct text local, char delimiter)
{
	enum answer a = ANSWER_UNKNOWN;
	struct recipient_list list;
	struct domain_key k;

	if (!domain_key_make(&k, domain))
		return ANSWER_UNKNOWN;
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return ANSWER_UNKNOWN;
	/* an empty list is one that failed to load, not a domain without anybody */
	if (recipient_list_get(txn, &k, &list) == 0 && list.current.count > 0)
		a = find(txn, list.current.generation, local, delimiter);
	store_read_end(st);
	return a;
}

/* ---- one address more or less ---- */

struct change {
	struct domain_key domain;
	struct text local;
};

static int put_one(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;
	struct recipient_list list;
	struct recipient_key k;
	int rc = recipient_list_get(txn, &c->domain, &list);

	if (rc == 0 && list.current.generation == 0) {
		rc = recipient_generation_new(txn, &list.current.generation);
		list.current.loaded_wall_us = clock_wall_us();
	}
	if (rc == 0 && !recipient_key_make(&k, list.current.generation, c->local))
		rc = EINVAL;
	if (rc == 0)
		rc = store_add(txn, DB_RECIPIENTS, recipient_key_text(&k), text_make(NULL, 0));
	if (rc == MDB_KEYEXIST)
		return 0;
	list.current.count++;
	return rc == 0 ? recipient_list_put(txn, &c->domain, &list) : rc;
}

static int del_one(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;
	struct recipient_list list;
	struct recipient_key k;
	int rc = recipient_list_get(txn, &c->domain, &list);

	if (rc == 0 && !recipient_key_make(&k, list.current.generation, c->local))
		rc = EINVAL;
	if (rc == 0)
		rc = store_del(txn, DB_RECIPIENTS, recipient_key_text(&k));
	list.current.count--;
	return rc == 0 ? recipient_list_put(txn, &c->domain, &list) : rc;
}

int recipients_put(struct store *st, struct text domain, struct text local)
{
	struct change c = {.local = local};

	return domain_key_make(&c.domain, domain) ? store_write(st, put_one, &c) : EINVAL;
}

int recipients_del(struct store *st, struct text domain, struct text local)
{
	struct change c = {.local = local};

	return domain_key_make(&c.domain, domain) ? store_write(st, del_one, &c) : EINVAL;
}

/* ---- facts ---- */

static int list_read(struct store *st, struct text domain, struct recipient_list *out)
{
	struct domain_key k;
	MDB_txn *txn;

	if (!domain_key_make(&k, domain))
		return EINVAL;
	txn = store_read_begin(st);
	if (!txn)
		return EIO;
	int rc = recipient_list_get(txn, &k, out);

	store_read_end(st);
	return rc;
}

int recipients_info(struct store *st, struct text domain, struct recipients_info *out)
{
	struct recipient_list list;
	int rc = list_read(st, domain, &list);

	if (rc == 0)
		*out = (struct recipients_info){.count = list.current.count,
						.version = list.current.generation,
						.can_undo = list.undoable,
						.loaded_wall_us = list.current.loaded_wall_us};
	return rc;
}

struct each {
	int (*fn)(struct text local, void *arg);
	void *arg;
};

static int each_recipient(struct text key, struct text value, void *arg)
{
	const struct each *each = arg;

	(void)value;
	return each->fn(text_make(key.p + GENERATION_BYTES, key.n - GENERATION_BYTES), each->arg);
}

int recipients_each(struct store *st, struct text domain, int (*fn)(struct text local, void *arg),
		    void *arg)
{
	struct each each = {fn, arg};
	struct recipient_list list;
	struct recipient_key k;
	int rc = list_read(st, domain, &list);

	if (rc != 0 || list.current.generation == 0)
		return rc;
	recipient_key_make(&k, list.current.generation, text_make("", 0));
	struct walk w = {.db = DB_RECIPIENTS, .prefix = recipient_key_text(&k)};

	return store_walk(st, &w, each_recipient, &each);
}
