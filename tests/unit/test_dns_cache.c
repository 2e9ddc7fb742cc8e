/* The cache of answers: how long, how many, and who owns them. */
#include "worker/io/dns_cache.h"

#include "shm/base/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct dns_cache *cache;

static void setup(void)
{
	cache = dns_cache_new(64);
	ck_assert_ptr_nonnull(cache);
}

static void teardown(void)
{
	dns_cache_free(cache);
}

static struct dns_answer *answer(enum dns_status status, uint32_t ttl)
{
	struct dns_answer *a = calloc(1, sizeof(*a));

	ck_assert_ptr_nonnull(a);
	a->status = status;
	a->ttl = ttl;
	return a;
}

/* False: it wasn't kept. */
static bool put(const char *name, enum dns_status status, uint32_t ttl, int64_t now_us)
{
	struct dns_answer *a = answer(status, ttl);
	struct dns_cached *c = dns_cache_put(cache, text_of(name), DNS_A, a, now_us);

	if (!c)
		free(a);
	else
		ck_assert_ptr_eq(c->answer, a);
	dns_cached_drop(c);
	return c != NULL;
}

static bool finds(const char *name, uint16_t type, int64_t now_us)
{
	struct dns_cached *c = dns_cache_find(cache, text_of(name), type, now_us);

	dns_cached_drop(c);
	return c != NULL;
}

START_TEST(only_facts_that_live)
{
	ck_assert(put("ok.test", DNS_OK, 60, 0));
	ck_assert(put("none.test", DNS_NXDOMAIN, 60, 0));
	ck_assert(put("nodata.test", DNS_NODATA, 60, 0));
	ck_assert(!put("zero.test", DNS_OK, 0, 0));
	for (int s = DNS_TIMEOUT; s <= DNS_OURS; s++)
		ck_assert(!put("failed.test", (enum dns_status)s, 60, 0));
	ck_assert(finds("ok.test", DNS_A, 1));
	ck_assert(finds("OK.Test", DNS_A, 1));
	ck_assert(!finds("ok.test", DNS_AAAA, 1));
	ck_assert(!finds("ok.tes", DNS_A, 1));
	ck_assert(finds("none.test", DNS_A, 1));
	ck_assert(!finds("zero.test", DNS_A, 1));
	ck_assert(!finds("failed.test", DNS_A, 1));
}
END_TEST

START_TEST(not_beyond_its_time)
{
	ck_assert(put("short.test", DNS_OK, 3, SECOND_US));
	ck_assert(put("long.test", DNS_OK, 86400, SECOND_US));
	ck_assert(finds("short.test", DNS_A, 4 * SECOND_US - 1));
	ck_assert(!finds("short.test", DNS_A, 4 * SECOND_US));
	ck_assert(finds("long.test", DNS_A, 31 * SECOND_US - 1));
	ck_assert(!finds("long.test", DNS_A, 31 * SECOND_US));
	/* the newer one counts */
	ck_assert(put("long.test", DNS_NXDOMAIN, 60, 40 * SECOND_US));
	struct dns_cached *c = dns_cache_find(cache, LIT("long.test"), DNS_A, 41 * SECOND_US);
	ck_assert_int_eq(c->answer->status, DNS_NXDOMAIN);
	dns_cached_drop(c);
}
END_TEST

/* An answer that is in use outlives its place in the cache, and the cache. */
START_TEST(who_uses_it_keeps_it)
{
	struct dns_cached *c[100];
	unsigned found = 0;
	char name[32];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		c[i] = dns_cache_put(cache, text_of(name), DNS_A, answer(DNS_OK, 60), i);
		ck_assert_ptr_nonnull(c[i]);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		found += finds(name, DNS_A, 100);
	}
	ck_assert_uint_gt(found, 16);
	ck_assert_uint_le(found, 64);
	ck_assert(finds("n99.test", DNS_A, 100));
	dns_cache_free(cache);
	cache = NULL;
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(c[i]->answer->status, DNS_OK);
		dns_cached_drop(c[i]);
	}
}
END_TEST

START_TEST(long_ones_are_not_kept)
{
	static char wire[1233];
	struct dns_answer *a = answer(DNS_OK, 60);

	a->wire = text_make(wire, sizeof(wire));
	ck_assert_ptr_null(dns_cache_put(cache, LIT("long.test"), DNS_A, a, 0));
	a->wire.n--;
	dns_cached_drop(dns_cache_put(cache, LIT("long.test"), DNS_A, a, 0));
	ck_assert(finds("long.test", DNS_A, 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns_cache");
	TCase *t = tcase_create("cache");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, only_facts_that_live);
	tcase_add_test(t, not_beyond_its_time);
	tcase_add_test(t, who_uses_it_keeps_it);
	tcase_add_test(t, long_ones_are_not_kept);
	suite_add_tcase(s, t);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
