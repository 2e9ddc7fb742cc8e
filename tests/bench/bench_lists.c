/* What a look-up in the lists costs, and what commits cost.
 *
 *   usage: bench_lists [DIRECTORY]     (a place on the disk to be measured; default /var/tmp) */
#include "shm/base/clock.h"
#include "shm/journal.h"
#include "shm/lists.h"
#include "shm/verified.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOKUPS = 1000000, NETWORKS = 1000000, RECIPIENTS = 1000000, VERIFIED = 200000 };

static struct store st;
static uint64_t seed = 88172645463325252u;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct ip any_ip4(void)
{
	struct ip ip = {{0}};
	uint32_t four = (uint32_t)any();

	ip.b[10] = ip.b[11] = 0xff;
	memcpy(ip.b + 12, &four, 4);
	return ip;
}

static void fail(const char *what, int rc)
{
	fprintf(stderr, "bench_lists: %s: %s\n", what, store_error(rc));
	exit(1);
}

static void lookups(const char *what)
{
	struct list_entry e;
	unsigned hits = 0;
	int64_t start = clock_mono_us();

	for (int i = 0; i < LOOKUPS; i++) {
		struct ip ip = any_ip4();

		hits += bans_find(&st, LIST_CLIENT, &ip, text_make("", 0), 1, &e) == ANSWER_YES;
	}
	int64_t took = clock_mono_us() - start;

	printf("bans_find, %-34s %8.1f ns  (%.1f %% listed)\n", what, took * 1000.0 / LOOKUPS,
	       hits * 100.0 / LOOKUPS);
}

/* Mostly single addresses, some networks of three lengths. */
static bool next_network(struct list_entry *e, void *arg)
{
	static const uint8_t bits[] = {128, 128, 128, 128, 128, 120, 120, 112};
	uint64_t *left = arg;
	struct ip ip = any_ip4();
	struct net net;

	if (*left == 0)
		return false;
	--*left;
	net.bits = bits[any() % sizeof(bits)];
	net.ip = ip_mask(&ip, net.bits);
	*e = (struct list_entry){
	    .kind = LIST_CLIENT, .by = "bench", .reason = "a list from somewhere"};
	net_format(&net, e->key);
	return true;
}

static void networks(void)
{
	uint64_t left = NETWORKS;
	int64_t start = clock_mono_us();
	int rc = bans_put_all(&st, next_network, &left, NULL);

	if (rc != 0)
		fail("import of networks", rc);
	printf("bans_put_all, %d networks             %8.2f s\n", NETWORKS,
	       (clock_mono_us() - start) / 1e6);
}

static bool next_local(struct text *local, void *arg)
{
	static char name[64];
	uint64_t *left = arg;

	if (*left == 0)
		return false;
	--*left;
	snprintf(name, sizeof(name), "user%" PRIu64 ".name", any() % 100000000);
	*local = text_of(name);
	return true;
}

static void recipients(const char *what)
{
	struct recipients_change c;
	uint64_t left = RECIPIENTS;
	int64_t start;

	seed = 4711;
	start = clock_mono_us();
	int rc = recipients_import(&st, text_of("example.net"), next_local, &left, 100, &c);

	if (rc != 0)
		fail("import of recipients", rc);
	printf("recipients_import, %-26s %8.2f s   (%" PRIu64 " new, %" PRIu64 " kept)\n", what,
	       (clock_mono_us() - start) / 1e6, c.added, c.kept);
}

static void recipient_lookups(void)
{
	int64_t start = clock_mono_us();
	unsigned hits = 0;

	for (int i = 0; i < LOOKUPS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "user%" PRIu64 ".name", any() % 100000000);
		hits +=
		    recipients_find(&st, text_of("example.net"), text_of(name), '+') == ANSWER_YES;
	}
	printf("recipients_find, 1,000,000 addresses         %8.1f ns  (%.1f %% exist)\n",
	       (clock_mono_us() - start) * 1000.0 / LOOKUPS, hits * 100.0 / LOOKUPS);
}

static struct text verified_key(uint64_t n, char dst[64])
{
	snprintf(dst, 64, "user%" PRIu64 ".name@d%" PRIu64 ".example.org", n, n % 1000);
	return text_of(dst);
}

static int put_verified(MDB_txn *txn, void *arg)
{
	uint64_t *from = arg;
	int rc = 0;

	for (uint64_t i = *from; i < *from + 1000 && rc == 0; i++) {
		const struct verified v = {.what = VERIFIED_TAKES,
					   .code = 250,
					   .hop = "mx.example.org [192.0.2.1]",
					   .text = "Ok",
					   .asked_wall_us = clock_wall_us(),
					   .until_wall_us = clock_wall_us() + 3600 * SECOND_US};
		struct event_view view;
		struct event e;
		char key[64];

		verified_event(&e, VERIFIED_SENDER, verified_key(i, key), &v);
		event_parse(e.bytes, e.n, &view);
		rc = journal_apply(txn, &view, e.bytes, e.n);
	}
	return rc;
}

/* What servers have said of addresses: written as the keeper does, found as a worker does. */
static void verified(void)
{
	int64_t start = clock_mono_us();
	unsigned hits = 0;

	for (uint64_t i = 0; i < VERIFIED; i += 1000) {
		int rc = store_write(&st, put_verified, &i);

		if (rc != 0)
			fail("answers about addresses", rc);
	}
	printf("verified: %d answers, 1,000 a commit    %8.2f us each\n", VERIFIED,
	       (double)(clock_mono_us() - start) / VERIFIED);
	start = clock_mono_us();
	for (int i = 0; i < LOOKUPS; i++) {
		struct verified v;
		char key[64];

		hits += verified_find(&st, VERIFIED_SENDER,
				      verified_key(any() % (2 * (uint64_t)VERIFIED), key),
				      clock_wall_us(), &v) == ANSWER_YES;
	}
	printf("verified_find, %d addresses             %8.1f ns  (%.1f %% known)\n", VERIFIED,
	       (clock_mono_us() - start) * 1000.0 / LOOKUPS, hits * 100.0 / LOOKUPS);
}

struct puts {
	unsigned n;
};

static int put_some(MDB_txn *txn, void *arg)
{
	const struct puts *p = arg;
	unsigned char key[8], value[100] = {0};
	enum store_db db = store_of(txn)->name == STORE_LISTS ? DB_RECIPIENT_GARBAGE : DB_HITS;
	int rc = 0;

	for (unsigned i = 0; i < p->n && rc == 0; i++) {
		key_put_u64(key, any());
		rc = store_put(txn, db, text_make((char *)key, 8),
			       text_make((char *)value, sizeof(value)));
	}
	return rc;
}

static void commits(const char *what)
{
	static const unsigned sizes[] = {1, 10, 100, 1000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct puts p = {sizes[i]};
		int64_t start = clock_mono_us(), took = 0;
		uint64_t n = 0;

		for (; took < SECOND_US / 2; n++, took = clock_mono_us() - start) {
			int rc = store_write(&st, put_some, &p);

			if (rc != 0)
				fail("commit", rc);
		}
		printf("%s commits of %4u puts             %10.0f commits/s %10.0f puts/s\n", what,
		       p.n, n * 1e6 / took, (double)n * p.n * 1e6 / took);
	}
}

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *f)
{
	(void)sb;
	(void)type;
	(void)f;
	return remove(path);
}

static void open_store(const char *dir, enum store_name name)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	if (store_open(&st, dir, name, STORE_WRITE, &err) < 0) {
		fprintf(stderr, "bench_lists: %s\n", message);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct list_entry one = {.kind = LIST_CLIENT, .key = "192.0.2.1"};
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/gatepost-bench-XXXXXX", argc > 1 ? argv[1] : "/var/tmp");
	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	open_store(dir, STORE_LISTS);
	lookups("no networks");
	bans_put(&st, &one);
	lookups("1 network");
	networks();
	lookups("1,000,000 networks of 3 lengths");
	recipients("1,000,000 into an empty list");
	recipients("1,000,000 over the same");
	recipient_lookups();
	commits("durable ");
	store_close(&st);
	open_store(dir, STORE_EVENTS);
	verified();
	commits("unsynced");
	store_close(&st);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
