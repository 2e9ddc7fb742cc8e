/* Messages signed by other people's tools, whole and spoiled, through a real inspector: what is
 * said of each signature, and that none dies of any.  And its parts alone. */
#include "shm/base/clock.h"
#include "tests/unit/inspect_fixture.h"
#include "tests/unit/temp_dir.h"
#include "worker/inspect/dkim.h"
#include "worker/inspect/dkim_length.h"
#include "worker/io/task.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIELDS_MAX = 4, LINE_BYTES = 16384 };

struct sample {
	char name[64];
	size_t told; /* verdicts that were compared */
	struct dkim_fields fields;
	struct dkim_verdict verdicts[DKIM_SIGNATURES_MAX];
	enum inspect_result result;
	unsigned deaths, queries;
};

static struct inspect_fixture f;
static char folder[64];
static unsigned samples, spoiled, wrong;

/* ---- Asking */

struct asking {
	struct sample *s;
	int fd;
	uint64_t size;
	const struct header *header;
};

static void look_up(void *self, struct inspect_query *queries, size_t n, struct arena *a,
		    int64_t deadline_us)
{
	(void)self;
	(void)deadline_us;
	for (size_t i = 0; i < n; i++)
		zone_ask(&f.zone, queries[i].name, queries[i].type, a, &queries[i].answer);
}

static void ask(void *arg)
{
	struct asking *k = arg;
	char bytes[64];
	struct buf body = buf_over(bytes, sizeof(bytes));
	const struct dkim_question q = {k->header->size, k->size, clock_wall_us() / SECOND_US};

	ck_assert(dkim_question_put(&body, &q));
	const struct inspect_request rq = {
	    .type = QUESTION_DKIM,
	    .body = buf_view(&body),
	    .message_fd = k->fd,
	    .deadline_us = loop_now_us(f.loop) + 50 * SECOND_US,
	    .queries_max = DKIM_QUERIES_MAX,
	    .look_up = look_up,
	};
	const struct inspect_outcome out = inspect_ask(f.inspect, &rq, &f.arena);

	k->s->result = out.result;
	k->s->deaths = out.deaths;
	k->s->queries = out.queries;
	if (out.result == INSPECT_ANSWERED)
		ck_assert_msg(dkim_answer_get(out.body, k->s->verdicts, k->s->fields.count),
			      "%s: no answer", k->s->name);
	loop_stop(f.loop);
}

static void complain(const struct sample *s, const char *what, const char *more)
{
	wrong++;
	printf("%s: %s %s; %zu fields, %u more, %u queries:", s->name, what, more, s->fields.count,
	       s->fields.more, s->queries);
	for (size_t i = 0; i < s->fields.count; i++)
		printf(" \"%s\" %u%s%s", dkim_reason_text(s->verdicts[i].reason),
		       s->verdicts[i].key_bits, s->verdicts[i].testing ? " t" : "",
		       s->verdicts[i].partial ? " p" : "");
	printf("\n");
	fflush(stdout);
}

/* The worker's part of it, and the question. */
static void ask_about(struct sample *s)
{
	char path[160];
	struct asking k = {.s = s};
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", folder, s->name);
	k.fd = open(path, O_RDONLY);
	ck_assert_msg(k.fd >= 0 && fstat(k.fd, &st) == 0, "%s", path);
	k.size = (uint64_t)st.st_size;
	arena_reset(&f.arena);
	char *bytes = arena_alloc(&f.arena, k.size + 1);
	ck_assert_int_eq(pread(k.fd, bytes, k.size, 0), st.st_size);
	k.header = header_parse(text_make(bytes, k.size), 0, &f.arena);
	dkim_fields_of(k.header, clock_wall_us() / SECOND_US, &f.arena, &s->fields);
	ck_assert(task_spawn(f.loop, ask, &k));
	loop_run(f.loop);
	close(k.fd);
	if (s->result != INSPECT_ANSWERED || s->deaths > 0)
		complain(s, "the question", inspect_result_text(s->result));
	for (size_t i = 0; i < s->fields.count; i++) {
		if (s->fields.v[i].flaw != DKIM_REASON_NONE &&
		    s->fields.v[i].flaw != s->verdicts[i].reason)
			complain(s, "read in two ways", "");
	}
}

/* ---- Judging */

static void expect_verdict(struct sample *s, char *field[], size_t n)
{
	const struct dkim_verdict *v = &s->verdicts[s->told];
	char flags[3] = "", *end = flags;

	ck_assert_uint_ge(n, 3);
	if (s->told++ >= s->fields.count) {
		complain(s, "no such verdict:", field[1]);
		return;
	}
	if (v->testing)
		*end++ = 't';
	if (v->partial)
		*end++ = 'p';
	if (strcmp(v->reason == DKIM_REASON_NONE ? "pass" : dkim_reason_text(v->reason),
		   field[1]) != 0 ||
	    v->key_bits != (unsigned)atoi(field[2]) || strcmp(flags, n > 3 ? field[3] : "") != 0)
		complain(s, "not so:", field[1]);
}

/* What python3-dkim doesn't believe must not pass here. */
static void expect_none(struct sample *s, const char *name)
{
	*s = (struct sample){0};
	snprintf(s->name, sizeof(s->name), "%s", name);
	ask_about(s);
	spoiled++;
	for (size_t i = 0; i < s->fields.count; i++) {
		if (s->verdicts[i].reason == DKIM_REASON_NONE)
			complain(s, "it passes:", name);
	}
}

static void add_record(char *field[], size_t n)
{
	static char text[LINE_BYTES];
	const size_t bytes = n > 2 ? strlen(field[2]) / 2 : 0;

	for (size_t i = 0; i < bytes; i++) {
		const char two[] = {field[2][2 * i], field[2][2 * i + 1], '\0'};

		text[i] = (char)strtoul(two, NULL, 16);
	}
	zone_add(&f.zone, field[1], n > 2 ? DNS_TXT : 0, 0, text, bytes);
}

static void expect(struct sample *s, char *field[], size_t n)
{
	switch (field[0][0]) {
	case 'v':
		expect_verdict(s, field, n);
		break;
	case 'm':
		if (s->fields.more != (unsigned)atoi(field[1]) || s->told != s->fields.count)
			complain(s, "more or fewer than", field[1]);
		break;
	case 'q':
		if (s->queries > (unsigned)atoi(field[1]))
			complain(s, "more queries than", field[1]);
		break;
	case '-':
		expect_none(s, field[1]);
		break;
	default:
		ck_abort_msg("a line that is none: %s", field[0]);
	}
}

static size_t split(char *line, char *field[FIELDS_MAX])
{
	char *rest = line, *one;
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (n < FIELDS_MAX && (one = strsep(&rest, "\t")))
		field[n++] = one;
	return n;
}

START_TEST(what_is_said_of_signatures)
{
	static char line[LINE_BYTES];
	static struct sample s;
	char command[160], *field[FIELDS_MAX];
	bool asked = true;

	snprintf(command, sizeof(command), "/usr/bin/python3 tests/unit/dkim_samples.py %s",
		 folder);
	FILE *list = popen(command, "r");
	ck_assert_ptr_nonnull(list);
	while (fgets(line, sizeof(line), list)) {
		const size_t n = split(line, field);

		if (field[0][0] == 'S') {
			s = (struct sample){0};
			snprintf(s.name, sizeof(s.name), "%s", field[1]);
			zone_clear(&f.zone);
			samples++;
			asked = false;
		} else if (field[0][0] == 'K') {
			add_record(field, n);
		} else {
			if (!asked)
				ask_about(&s);
			asked = true;
			expect(&s, field, n);
		}
	}
	ck_assert_int_eq(pclose(list), 0);
	printf("%u messages and %u spoiled by chance, %u wrong\n", samples, spoiled, wrong);
	ck_assert_uint_ge(samples, 130);
	ck_assert_uint_ge(spoiled, 100);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(atomic_load(&f.status->deaths), 0);
}
END_TEST

/* ---- Parts of it */

static uint64_t length_of(bool relaxed, const char *body, size_t step)
{
	struct dkim_length l = {.relaxed = relaxed};

	for (size_t i = 0; i < strlen(body); i += step)
		dkim_length_feed(
		    &l, text_make(body + i, strlen(body + i) < step ? strlen(body + i) : step));
	return dkim_length_end(&l);
}

START_TEST(canonical_lengths)
{
	static const struct {
		const char *body;
		uint64_t simple, relaxed;
	} rows[] = {
	    {"", 2, 0},
	    {"\r\n\r\n", 2, 0},
	    {" \r\n", 3, 0},
	    {"x", 3, 3},
	    {"x\r\n", 3, 3},
	    {"x\r\n\r\n\r\n", 3, 3},
	    {"x\r\n\r\ny\r\n", 8, 8},
	    {" C \r\nD \t E\r\n\r\n\r\n", 12, 9}, /* RFC 6376 3.4.5 */
	    {"a\t \tb \r\n \t\r\n", 12, 5},
	    {"a\rb\nc\r\n", 7, 7},
	    {"a\r\r\n", 4, 4},
	    {"a\r", 4, 4},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step < 4; step++) {
			ck_assert_uint_eq(length_of(false, rows[i].body, step), rows[i].simple);
			ck_assert_uint_eq(length_of(true, rows[i].body, step), rows[i].relaxed);
		}
	}
}
END_TEST

/* An answer that nobody may believe. */
START_TEST(bodies_are_checked)
{
	static const char *const none[] = {
	    "",
	    "\0",
	    "\1\0\0\0",
	    "\1\xff\0\0\0",
	    "\1\1\0\0\0",
	    "\1\0\xff\xff\0",
	    "\1\0\0\0\4",
	    "\2\0\0\0\0",
	    "\1\0\0\0\0\0",
	};
	static const size_t sizes[] = {0, 1, 4, 5, 5, 5, 5, 5, 6};
	struct dkim_verdict v[DKIM_SIGNATURES_MAX] = {{.reason = DKIM_REASON_KEY_WEAK}};
	struct dkim_question q = {100, 99, 1};
	char room[128];
	struct buf b = buf_over(room, sizeof(room));

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ck_assert_msg(!dkim_answer_get(text_make(none[i], sizes[i]), v, 1), "row %zu", i);
	v[0].reason = DKIM_REASON_KEY_WEAK; /* that is not the inspector's to say */
	dkim_answer_put(&b, v, 1);
	ck_assert(!dkim_answer_get(buf_view(&b), v, 1));
	b = buf_over(room, sizeof(room));
	dkim_question_put(&b, &q);
	ck_assert(!dkim_question_get(buf_view(&b), &q));
	ck_assert(!dkim_question_get(LIT("x"), &q));
}
END_TEST

static void ask_nothing(void *arg)
{
	enum inspect_result *result = arg;
	char bytes[64];
	struct buf body = buf_over(bytes, sizeof(bytes));
	const struct dkim_question q = {10, 20, 1};

	dkim_question_put(&body, &q);
	const struct inspect_request rq = {
	    .type = QUESTION_DKIM,
	    .body = buf_view(&body),
	    .message_fd = -1,
	    .deadline_us = loop_now_us(f.loop) + 20 * SECOND_US,
	};
	*result = inspect_ask(f.inspect, &rq, &f.arena).result;
	loop_stop(f.loop);
}

/* No answer, which is ours: never a verdict. */
START_TEST(no_message_is_no_answer)
{
	enum inspect_result result = INSPECT_ANSWERED;

	ck_assert(task_spawn(f.loop, ask_nothing, &result));
	loop_run(f.loop);
	ck_assert_int_ne(result, INSPECT_ANSWERED);
	ck_assert_uint_eq(atomic_load(&f.status->deaths), 0);
}
END_TEST

static void set_up(void)
{
	inspect_fixture_start(&f, 2);
}

static void tear_down(void)
{
	inspect_fixture_stop(&f);
}

int main(void)
{
	Suite *s = suite_create("dkim_question");
	TCase *tc = tcase_create("dkim_question"), *parts = tcase_create("parts");
	SRunner *sr = srunner_create(s);

#ifdef GATEPOST_SANITIZED
	puts("SKIP: sanitizer builds run without the filter of system calls");
#endif
	temp_dir_make(folder);
	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_is_said_of_signatures);
	tcase_add_test(tc, no_message_is_no_answer);
	tcase_add_test(parts, canonical_lengths);
	tcase_add_test(parts, bodies_are_checked);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, parts);
	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	temp_dir_remove(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
