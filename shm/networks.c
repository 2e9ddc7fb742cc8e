/* The longest network that holds an address: one probe for each prefix length that exists, longest
 * first.  (Plain intervals, the other way to do it, are wrong for nested networks.) */
#include "shm/entries.h"

enum answer networks_find(MDB_txn *txn, enum store_db db, const struct entry_memo *memo,
			  const char *scope, const struct ip *ip, int64_t now_wall_us,
			  struct list_entry *out)
{
	bool v4 = ip_is4(ip);
	const uint8_t *bits = v4 ? memo->bits4 : memo->bits6;
	unsigned n = v4 ? memo->n4 : memo->n6;
	unsigned char rest[17];
	struct entry_key k;

	memcpy(rest, ip->b, 16);
	if (!entry_key_make(&k, scope, LIST_CLIENT, rest, sizeof(rest)))
		return ANSWER_NO;
	unsigned char *address = k.b + k.n - sizeof(rest);

	for (unsigned i = 0; i < n; i++) {
		struct ip masked = ip_mask(ip, bits[i]);

		memcpy(address, masked.b, 16);
		address[16] = bits[i];
		enum answer a = entry_probe(txn, db, &k, now_wall_us, out);

		if (a != ANSWER_NO)
			return a;
	}
	return ANSWER_NO;
}
