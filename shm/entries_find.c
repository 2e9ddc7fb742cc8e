/* Looking for an entry: networks, names with what they are below of, addresses. */
#include "shm/entries.h"

static enum answer probe(MDB_txn *txn, enum store_db db, const struct entry_key *k,
			 int64_t now_wall_us, struct list_entry *out)
{
	struct text value = {0};
	int rc = store_get(txn, db, entry_key_text(k), &value);

	return entry_answer(rc, entry_key_text(k), value, now_wall_us, out);
}

/* A name and all that it is below of: "a.b.c", "b.c", "c"; of hosts with the dot. */
static enum answer find_name(MDB_txn *txn, enum store_db db, const char *scope, enum list_key kind,
			     struct text name, int64_t now_wall_us, struct list_entry *out)
{
	char lower[LIST_KEY_MAX + 1];
	size_t dot = kind == LIST_HOST;
	struct entry_key k;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > 0 && name.p[0] == '.')
		name = text_make(name.p + 1, name.n - 1);
	if (name.n == 0 || name.n >= LIST_KEY_MAX)
		return ANSWER_NO;
	lower[0] = '.';
	text_lower(name, lower + 1);
	for (size_t at = 0, n = name.n + 1; at < n; at++) {
		if (lower[at] != '.')
			continue;
		size_t from = at + 1 - dot;

		if (!entry_key_make(&k, scope, kind, lower + from, n - from))
			return ANSWER_NO;
		enum answer a = probe(txn, db, &k, now_wall_us, out);

		if (a != ANSWER_NO)
			return a;
	}
	return ANSWER_NO;
}

/* An address as it is; of recipients also "@domain". */
static enum answer find_address(MDB_txn *txn, enum store_db db, const char *scope,
				enum list_key kind, struct text address, int64_t now_wall_us,
				struct list_entry *out)
{
	char lower[LIST_KEY_MAX];
	struct entry_key k;
	size_t at = address.n;

	if (address.n > LIST_KEY_MAX)
		return ANSWER_NO;
	text_lower(address, lower);
	if (!entry_key_make(&k, scope, kind, lower, address.n))
		return ANSWER_NO;
	enum answer a = probe(txn, db, &k, now_wall_us, out);

	if (a != ANSWER_NO || kind != LIST_RECIPIENT)
		return a;
	while (at > 0 && lower[at - 1] != '@')
		at--;
	if (at <= 1 || !entry_key_make(&k, scope, kind, lower + at - 1, address.n - at + 1))
		return ANSWER_NO;
	return probe(txn, db, &k, now_wall_us, out);
}

static enum answer find_in(MDB_txn *txn, enum store_db db, const struct entry_memo *memo,
			   const char *scope, enum list_key kind, const struct ip *ip,
			   struct text key, int64_t now_wall_us, struct list_entry *out)
{
	if (kind == LIST_CLIENT)
		return networks_find(txn, db, memo, scope, ip, now_wall_us, out);
	if (kind == LIST_HOST || kind == LIST_DOMAIN)
		return find_name(txn, db, scope, kind, key, now_wall_us, out);
	return find_address(txn, db, scope, kind, key, now_wall_us, out);
}

enum answer entries_find(struct store *st, enum store_db db, const char *const scopes[],
			 enum list_key kind, const struct ip *ip, struct text key,
			 int64_t now_wall_us, struct list_entry *out)
{
	const struct entry_memo *memo = entries_memo(st, db);
	enum answer a = ANSWER_NO;

	if (!memo)
		return ANSWER_UNKNOWN;
	if (entry_count(&memo->counts, kind) == 0 || (kind == LIST_CLIENT && !ip))
		return ANSWER_NO;
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return ANSWER_UNKNOWN;
	/* the store may have changed since: the lengths must be those of this very state */
	memo = entries_memo_in(txn, db);
	if (!memo)
		a = ANSWER_UNKNOWN;
	for (; a == ANSWER_NO && *scopes; scopes++)
		a = find_in(txn, db, memo, *scopes, kind, ip, key, now_wall_us, out);
	store_read_end(st);
	return a;
}
