/* The longest network that holds an address: one probe for each prefix length that exists, longest
 * first.  (Plain intervals, the other way to do it, are wrong for nested networks.)
 *
 * The keys are in the order of the addresses, so a network that holds one stands before it, and so
 * does all that lies between: the entry just before the address's own place shares at least as many
 * of its first bits.  What is longer needn't be looked for, which in a list of a million spares
 * most probes.  And one cursor serves for all: the wider networks mostly stand on the page where it
 * is. */
#include "shm/entries.h"

enum { ADDRESS = 16, NETWORK = ADDRESS + 1, ALL_BITS = 128 };

struct probe {
	MDB_cursor *cursor;
	struct entry_key key;
	unsigned char *network; /* the last bytes of key */
};

static void aim(struct probe *p, const struct ip *ip, uint8_t bits)
{
	const struct ip masked = ip_mask(ip, bits);

	memcpy(p->network, masked.b, ADDRESS);
	p->network[ADDRESS] = bits;
}

static int shared_bits(const unsigned char *a, const unsigned char *b)
{
	int i = 0;

	while (i < ADDRESS && a[i] == b[i])
		i++;
	return i < ADDRESS ? 8 * i + __builtin_clz((unsigned)(a[i] ^ b[i])) - 24 : ALL_BITS;
}

/* How long a network that holds the address can be; -1: there is none.  0, or an LMDB code. */
static int bound(struct probe *p, const struct ip *ip, int *longest)
{
	const size_t head = p->key.n - NETWORK;
	MDB_val key = {p->key.n, p->key.b}, value;
	int rc;

	aim(p, ip, ALL_BITS);
	*longest = -1;
	rc = mdb_cursor_get(p->cursor, &key, &value, MDB_SET_RANGE);
	if (rc == 0 && text_eq(text_make(key.mv_data, key.mv_size), entry_key_text(&p->key))) {
		*longest = ALL_BITS;
		return 0;
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	rc = mdb_cursor_get(p->cursor, &key, &value, rc == 0 ? MDB_PREV : MDB_LAST);
	if (rc == 0 && key.mv_size == p->key.n && memcmp(key.mv_data, p->key.b, head) == 0)
		*longest = shared_bits((const unsigned char *)key.mv_data + head, p->network);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static enum answer probe(struct probe *p, const struct ip *ip, uint8_t bits, int64_t now_wall_us,
			 struct list_entry *out)
{
	MDB_val key = {p->key.n, p->key.b}, value = {0, NULL};

	aim(p, ip, bits);
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
	unsigned char network[NETWORK] = {0};
	enum answer a = ANSWER_NO;
	struct probe p;
	int longest;

	if (n == 0 || !entry_key_make(&p.key, scope, LIST_CLIENT, network, sizeof(network)))
		return ANSWER_NO;
	p.network = p.key.b + p.key.n - sizeof(network);
	if (store_cursor(txn, db, &p.cursor) != 0)
		return ANSWER_UNKNOWN;
	if (bound(&p, ip, &longest) != 0)
		a = ANSWER_UNKNOWN;
	for (unsigned i = 0; i < n && a == ANSWER_NO; i++) {
		if (bits[i] <= longest)
			a = probe(&p, ip, bits[i], now_wall_us, out);
	}
	mdb_cursor_close(p.cursor);
	return a;
}
