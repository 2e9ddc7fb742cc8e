/* The longest network that holds an address: one probe for each prefix length that exists, longest
 * first.  (Plain intervals, the other way to do it, are wrong for nested networks.)
 *
 * One cursor for all: the keys begin with the address, so the wider networks mostly stand on the
 * page where the probe for the longest ended, and no further way down the tree is needed. */
#include "shm/entries.h"

struct probe {
	MDB_cursor *cursor;
	struct entry_key key;
	unsigned char *network; /* the last 17 bytes of key */
};

static enum answer probe(struct probe *p, const struct ip *ip, uint8_t bits, int64_t now_wall_us,
			 struct list_entry *out)
{
	MDB_val key = {p->key.n, p->key.b}, value = {0, NULL};
	struct ip masked = ip_mask(ip, bits);

	memcpy(p->network, masked.b, sizeof(masked.b));
	p->network[sizeof(masked.b)] = bits;
	int rc = mdb_cursor_get(p->cursor, &key, &value, MDB_SET);

	return entry_answer(rc, entry_key_text(&p->key), text_make(value.mv_data, value.mv_size),
			    now_wall_us, out);
}

enum answer networks_find(MDB_txn *txn, enum store_db db, const struct entry_memo *memo,
			  const char *scope, const struct ip *ip, int64_t now_wall_us,
			  struct list_entry *out)
{
	bool v4 = ip_is4(ip);
	const uint8_t *bits = v4 ? memo->bits4 : memo->bits6;
	unsigned n = v4 ? memo->n4 : memo->n6;
	unsigned char network[17] = {0};
	enum answer a = ANSWER_NO;
	struct probe p;

	if (n == 0 || !entry_key_make(&p.key, scope, LIST_CLIENT, network, sizeof(network)))
		return ANSWER_NO;
	p.network = p.key.b + p.key.n - sizeof(network);
	if (store_cursor(txn, db, &p.cursor) != 0)
		return ANSWER_UNKNOWN;
	for (unsigned i = 0; i < n && a == ANSWER_NO; i++)
		a = probe(&p, ip, bits[i], now_wall_us, out);
	mdb_cursor_close(p.cursor);
	return a;
}
