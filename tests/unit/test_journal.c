/* The journal: incidents and their repeats, hits, limits, blocks, positions, expiry, and the cap.
 */
#include "shm/journal.h"

#include "shm/base/clock.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <sys/stat.h>

#define HOUR_US (3600 * SECOND_US)
#define DAY_US  (24 * HOUR_US)
#define NOW     (INT64_C(1780000000) * SECOND_US)

static char dir[64];
static struct store st;

static void setup(void)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	temp_dir_make(dir);
	ck_assert_msg(store_open(&st, dir, STORE_EVENTS, STORE_WRITE, &err) == 0, "%s", message);
}

static void teardown(void)
{
	store_close(&st);
	temp_dir_remove(dir);
}

static int apply_one(MDB_txn *txn, void *arg)
{
	const struct event *e = arg;
	struct event_view v;

	ck_assert(event_parse(e->bytes, e->n, &v));
	int rc = journal_apply(txn, &v, e->bytes, e->n);

	return rc == 0 ? journal_make_room(txn) : rc;
}

static void apply(struct event *e)
{
	ck_assert_int_eq(store_write(&st, apply_one, e), 0);
}

static void incident(uint64_t id, int64_t wall_us, size_t size)
{
	static char text[EVENT_TEXT_MAX];
	struct event e;

	memset(text, 'x', sizeof(text));
	event_begin(&e, EVENT_INCIDENT, wall_us);
	event_int(&e, FIELD_incident, (int64_t)id);
	event_text(&e, FIELD_check, LIT("banned-client"));
	while (size > 0) {
		size_t n = size < sizeof(text) ? size : sizeof(text);

		event_text(&e, FIELD_facts, text_make(text, n));
		size -= n;
	}
	apply(&e);
}

static void repeat(uint64_t id, int64_t wall_us, int64_t count)
{
	struct event e;

	event_begin(&e, EVENT_REPEAT, wall_us);
	event_int(&e, FIELD_incident, (int64_t)id);
	if (count > 0)
		event_int(&e, FIELD_count, count);
	apply(&e);
}

START_TEST(incidents)
{
	struct incident i;
	struct event_view v;
	struct field_view f;

	ck_assert_int_eq(incident_find(&st, 7, &i), ANSWER_NO);
	incident(7, NOW, 10);
	ck_assert_int_eq(incident_find(&st, 7, &i), ANSWER_YES);
	ck_assert_uint_eq(i.id, 7);
	ck_assert_uint_eq(i.repeats, 0);
	ck_assert_int_eq(i.last_wall_us, 0);
	ck_assert(event_parse(i.bytes, i.n, &v));
	ck_assert_int_eq(v.wall_us, NOW);
	ck_assert(event_get(&v, FIELD_check, &f));
	ck_assert(text_eq(f.text, LIT("banned-client")));

	repeat(7, NOW + 5, 0);
	repeat(7, NOW + 9, 3);
	repeat(8, NOW + 9, 3);
	/* the event once more, as a replay would have it */
	incident(7, NOW, 10);
	ck_assert_int_eq(incident_find(&st, 7, &i), ANSWER_YES);
	ck_assert_uint_eq(i.repeats, 4);
	ck_assert_int_eq(i.last_wall_us, NOW + 9);
	ck_assert_int_eq(incident_find(&st, 8, &i), ANSWER_NO);
}
END_TEST

struct seen {
	uint64_t ids[4096];
	unsigned n, stop_after;
};

static int see(const struct incident *i, void *arg)
{
	struct seen *s = arg;

	s->ids[s->n++] = i->id;
	return s->n == s->stop_after ? 5 : 0;
}

static struct seen seen_now(void)
{
	struct seen s = {.stop_after = 0};

	ck_assert_int_eq(incident_each(&st, see, &s), 0);
	return s;
}

START_TEST(newest_first)
{
	struct seen s = {.stop_after = 2};

	incident(30, NOW + 1, 1);
	incident(10, NOW + 3, 1);
	incident(20, NOW + 2, 1);
	ck_assert_int_eq(incident_each(&st, see, &s), 5);
	ck_assert_uint_eq(s.ids[0], 10);
	ck_assert_uint_eq(s.ids[1], 20);
	/* the same id again, later: the old one has gone */
	incident(30, NOW + 4, 1);
	s = seen_now();
	ck_assert_uint_eq(s.n, 3);
	ck_assert_uint_eq(s.ids[0], 30);
}
END_TEST

START_TEST(incidents_go_by_age)
{
	struct incident i;

	incident(1, NOW - 31 * DAY_US, 1);
	incident(2, NOW - 31 * DAY_US + 1, 1);
	incident(3, NOW - 29 * DAY_US, 1);
	ck_assert_int_eq(journal_expire(&st, NOW, 0, 100), 0);
	ck_assert_int_eq(journal_expire(&st, NOW, 30, 1), 1);
	ck_assert_int_eq(incident_find(&st, 1, &i), ANSWER_NO);
	ck_assert_int_eq(incident_find(&st, 2, &i), ANSWER_YES);
	ck_assert_int_eq(journal_expire(&st, NOW, 30, 100), 1);
	ck_assert_int_eq(journal_expire(&st, NOW, 30, 100), 0);
	ck_assert_int_eq(incident_find(&st, 2, &i), ANSWER_NO);
	ck_assert_int_eq(incident_find(&st, 3, &i), ANSWER_YES);
}
END_TEST

START_TEST(the_oldest_go_at_the_cap)
{
	char path[128];
	struct stat sb;
	struct incident i;
	const uint64_t last = 6000;

	st.map_max = 4 << 20;
	for (uint64_t id = 1; id <= last; id++)
		incident(id, NOW + (int64_t)id, 1200);
	struct seen s = seen_now();

	ck_assert_uint_gt(s.n, 1000);
	ck_assert_uint_lt(s.n, 4000);
	for (unsigned j = 0; j < s.n; j++)
		ck_assert_uint_eq(s.ids[j], last - j);
	ck_assert_int_eq(incident_find(&st, 1, &i), ANSWER_NO);
	ck_assert_int_eq(incident_find(&st, last, &i), ANSWER_YES);
	snprintf(path, sizeof(path), "%s/events/data.mdb", dir);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_le(sb.st_size, 4 << 20);
}
END_TEST

START_TEST(hits)
{
	struct hits h;
	struct event e;

	ck_assert_int_eq(hits_find(&st, 4711, &h), ANSWER_NO);
	event_begin(&e, EVENT_HIT, NOW);
	event_int(&e, FIELD_tag, 4711);
	apply(&e);
	event_begin(&e, EVENT_HIT, NOW + 7);
	event_int(&e, FIELD_tag, 4711);
	event_int(&e, FIELD_count, 10);
	apply(&e);
	ck_assert_int_eq(hits_find(&st, 4711, &h), ANSWER_YES);
	ck_assert_uint_eq(h.count, 11);
	ck_assert_int_eq(h.last_wall_us, NOW + 7);
	/* one that names no entry */
	event_begin(&e, EVENT_HIT, NOW);
	apply(&e);
}
END_TEST

static void limit(const char *key, const char *unit, int64_t wall_us)
{
	struct event e;

	event_begin(&e, EVENT_LIMIT, wall_us);
	event_text(&e, FIELD_limit, LIT("client"));
	event_text(&e, FIELD_unit, text_of(unit));
	event_text(&e, FIELD_key, text_of(key));
	apply(&e);
}

static int list_noted(const struct noted *n, void *arg)
{
	struct field_view unit = {0};

	event_get(&n->event, FIELD_unit, &unit);
	buf_printf(arg, "%.*s %.*s %d @%d\n", TEXT(n->key), TEXT(unit.text), (int)n->count,
		   (int)((n->event.wall_us - NOW) / SECOND_US));
	return 0;
}

START_TEST(limits)
{
	char text[512];
	struct buf b = buf_over(text, sizeof(text));

	limit("192.0.2.1", "messages", NOW - 3 * HOUR_US);
	limit("192.0.2.1", "messages", NOW - 3 * HOUR_US + SECOND_US);
	limit("192.0.2.1", "messages", NOW);
	limit("192.0.2.1", "bytes", NOW - HOUR_US);
	limit("192.0.2.2", "messages", NOW + SECOND_US);
	limit("192.0.2.3", "messages", NOW - 30 * HOUR_US);
	ck_assert_int_eq(journal_expire(&st, NOW, 30, 100), 1);
	ck_assert_int_eq(limits_each(&st, list_noted, &b), 0);
	ck_assert_str_eq(text, "192.0.2.2 messages 1 @1\n"
			       "192.0.2.1 messages 3 @0\n"
			       "192.0.2.1 bytes 1 @-3600\n");
}
END_TEST

static void block_by(const char *check, const char *key, int64_t wall_us, int64_t until)
{
	struct event e;

	event_begin(&e, EVENT_BLOCK, wall_us);
	event_text(&e, FIELD_check, text_of(check));
	event_text(&e, FIELD_key, text_of(key));
	event_int(&e, FIELD_until, until);
	apply(&e);
}

static void block(const char *key, int64_t wall_us, int64_t until)
{
	block_by("auth-block", key, wall_us, until);
}

START_TEST(blocks)
{
	char text[512];
	struct buf b = buf_over(text, sizeof(text));

	block("192.0.2.1", NOW, NOW + HOUR_US);
	block("192.0.2.1", NOW, NOW + HOUR_US);
	block("192.0.2.2", NOW, NOW + HOUR_US);
	block("192.0.2.2", NOW + SECOND_US, NOW + 2 * HOUR_US);
	block("192.0.2.3", NOW, NOW + HOUR_US);
	ck_assert_int_eq(blocks_del(&st, LIT("auth-block"), LIT("192.0.2.3")), 0);
	ck_assert_int_eq(blocks_del(&st, LIT("auth-block"), LIT("192.0.2.3")), MDB_NOTFOUND);
	ck_assert_int_eq(blocks_each(&st, NOW, list_noted, &b), 0);
	ck_assert_str_eq(text, "192.0.2.1  1 @0\n192.0.2.2  2 @1\n");
	b = buf_over(text, sizeof(text));
	ck_assert_int_eq(blocks_each(&st, NOW + HOUR_US, list_noted, &b), 0);
	ck_assert_str_eq(text, "192.0.2.2  2 @1\n");
	ck_assert_int_eq(journal_expire(&st, NOW + HOUR_US, 30, 100), 1);
	ck_assert_int_eq(journal_expire(&st, NOW + 2 * HOUR_US, 30, 100), 1);
	b = buf_over(text, sizeof(text));
	ck_assert_int_eq(blocks_each(&st, NOW, list_noted, &b), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(two_blocks_of_one_client)
{
	const struct text who = LIT("192.0.2.1"), one = LIT("auth-block"),
			  other = LIT("dictionary-attack");
	char text[512];
	struct buf b = buf_over(text, sizeof(text));

	block_by("auth-block", "192.0.2.1", NOW, NOW + HOUR_US);
	block_by("dictionary-attack", "192.0.2.1", NOW, NOW + 2 * HOUR_US);
	ck_assert_int_eq(blocks_each(&st, NOW, list_noted, &b), 0);
	ck_assert_str_eq(text, "192.0.2.1  1 @0\n192.0.2.1  1 @0\n");
	ck_assert_int_eq(blocks_find(&st, one, who, NOW), ANSWER_YES);
	ck_assert_int_eq(blocks_find(&st, one, who, NOW + HOUR_US), ANSWER_NO);
	ck_assert_int_eq(blocks_find(&st, other, who, NOW + HOUR_US), ANSWER_YES);
	ck_assert_int_eq(blocks_find(&st, one, LIT("192.0.2.2"), NOW), ANSWER_NO);
	ck_assert_int_eq(blocks_del(&st, one, who), 0);
	ck_assert_int_eq(blocks_find(&st, one, who, NOW), ANSWER_NO);
	ck_assert_int_eq(blocks_find(&st, other, who, NOW), ANSWER_YES);
	ck_assert_int_eq(journal_expire(&st, NOW + 2 * HOUR_US, 30, 100), 1);
	ck_assert_int_eq(blocks_find(&st, other, who, NOW), ANSWER_NO);
}
END_TEST

START_TEST(long_keys_are_cut)
{
	char key[EVENT_TEXT_MAX + 1];
	char text[2048];
	struct buf b = buf_over(text, sizeof(text));

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	limit(key, "messages", NOW);
	block(key, NOW, NOW + HOUR_US);
	ck_assert_int_eq(limits_each(&st, list_noted, &b), 0);
	ck_assert_int_eq(blocks_each(&st, NOW, list_noted, &b), 0);
	ck_assert_uint_gt(b.n, 600);
	ck_assert_int_eq(blocks_del(&st, LIT("auth-block"), text_of(key)), 0);
}
END_TEST

static int put_positions(MDB_txn *txn, void *arg)
{
	(void)arg;
	int rc = journal_position_put(txn, 3, 100, 12345);

	return rc == 0 ? journal_position_put(txn, 4, 100, 1) : rc;
}

START_TEST(positions)
{
	uint64_t at = 0;

	ck_assert_int_eq(journal_position_get(&st, 3, 100, &at), MDB_NOTFOUND);
	ck_assert_int_eq(store_write(&st, put_positions, NULL), 0);
	ck_assert_int_eq(journal_position_get(&st, 3, 100, &at), 0);
	ck_assert_uint_eq(at, 12345);
	ck_assert_int_eq(journal_position_get(&st, 3, 101, &at), MDB_NOTFOUND);
	ck_assert_int_eq(journal_position_get(&st, 5, 100, &at), MDB_NOTFOUND);
	ck_assert_int_eq(journal_expire(&st, clock_wall_us() + 29 * DAY_US, 30, 100), 0);
	ck_assert_int_eq(journal_expire(&st, clock_wall_us() + 31 * DAY_US, 30, 100), 2);
	ck_assert_int_eq(journal_position_get(&st, 3, 100, &at), MDB_NOTFOUND);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *tc = tcase_create("journal");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, incidents);
	tcase_add_test(tc, newest_first);
	tcase_add_test(tc, incidents_go_by_age);
	tcase_add_test(tc, the_oldest_go_at_the_cap);
	tcase_add_test(tc, hits);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, blocks);
	tcase_add_test(tc, two_blocks_of_one_client);
	tcase_add_test(tc, long_keys_are_cut);
	tcase_add_test(tc, positions);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
