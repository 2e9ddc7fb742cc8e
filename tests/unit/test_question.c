/* The two datagrams: what is written is read back; what is cut, longer or changed is no question.
 */
#include "worker/inspect/question.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = QUESTION_SIZE_MAX + 16 };

static char *room;
static struct arena arena;

static void set_up(void)
{
	room = malloc(ROOM);
	ck_assert_ptr_nonnull(room);
	arena_init(&arena, NULL, NULL);
}

static void tear_down(void)
{
	arena_reset(&arena);
	free(room);
}

static const struct dns_record addresses[] = {{.ip = {{1, 2, 3}}}, {.ip = {{4, 5, 6}}}};
static const struct dns_record mx[] = {
    {.preference = 10, .text = LIT("mx.example.org")},
    {.preference = 65535, .text = LIT("")},
};
static const struct known_answer answers[] = {
    {LIT("example.org"), DNS_A, DNS_OK, addresses, 2},
    {LIT("example.org"), DNS_MX, DNS_OK, mx, 2},
    {LIT("away.example"), DNS_TXT, DNS_TIMEOUT, NULL, 0},
};

static struct question sample(void)
{
	return (struct question){
	    .type = QUESTION_SPF,
	    .deadline_mono_us = 123456789012,
	    .body = {"a\0b", 3},
	    .answers = answers,
	    .answer_count = 3,
	};
}

static struct text written(const struct question *q)
{
	struct buf b = buf_over(room, ROOM);

	ck_assert(question_put(&b, q));
	return buf_view(&b);
}

START_TEST(question_comes_back)
{
	const struct question q = sample();
	struct question got = {.message_fd = 7};

	ck_assert(question_get(written(&q), &arena, &got));
	ck_assert_int_eq(got.type, QUESTION_SPF);
	ck_assert_int_eq(got.deadline_mono_us, q.deadline_mono_us);
	ck_assert(text_eq(got.body, q.body));
	ck_assert_int_eq(got.message_fd, 7);
	ck_assert_uint_eq(got.answer_count, 3);
	ck_assert(text_eq(got.answers[0].name, LIT("example.org")));
	ck_assert(ip_eq(&got.answers[0].records[1].ip, &addresses[1].ip));
	ck_assert_uint_eq(got.answers[1].records[1].preference, 65535);
	ck_assert(text_eq(got.answers[1].records[0].text, LIT("mx.example.org")));
	ck_assert_int_eq(got.answers[2].status, DNS_TIMEOUT);
}
END_TEST

/* Each shorter one, and one that is longer. */
START_TEST(cut_question_is_none)
{
	const struct question q = sample();
	const struct text t = written(&q);
	struct question got;

	for (size_t n = 0; n < t.n; n++) {
		char *exact = malloc(n + 1);

		memcpy(exact, t.p, n);
		ck_assert_msg(!question_get(text_make(exact, n), &arena, &got), "%zu bytes", n);
		free(exact);
	}
	ck_assert(!question_get(text_make(t.p, t.n + 1), &arena, &got));
}
END_TEST

START_TEST(changed_byte_never_reads_outside)
{
	const struct question q = sample();
	const struct text t = written(&q);
	char *changed = malloc(t.n);

	for (size_t i = 0; i < t.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct question got;

			memcpy(changed, t.p, t.n);
			changed[i] = (char)(changed[i] ^ (1 << bit));
			(void)question_get(text_make(changed, t.n), &arena, &got);
			arena_reset(&arena);
		}
	}
	free(changed);
}
END_TEST

START_TEST(too_much_is_not_written)
{
	static char big[QUESTION_TEXT_MAX + 1], huge[QUESTION_SIZE_MAX];
	const struct dns_record long_text = {.text = {big, sizeof(big)}};
	const struct known_answer long_answer = {LIT("a.test"), DNS_TXT, DNS_OK, &long_text, 1};
	struct known_answer *many = calloc(QUESTION_ANSWERS_MAX + 1, sizeof(*many));
	struct buf b = buf_over(room, ROOM);
	struct question q = sample();

	q.answers = &long_answer;
	q.answer_count = 1;
	ck_assert(!question_put(&b, &q));
	q.answers = many;
	q.answer_count = QUESTION_ANSWERS_MAX + 1;
	ck_assert(!question_put(&b, &q));
	q.answer_count = 0;
	q.body = text_make(huge, QUESTION_SIZE_MAX);
	b = buf_over(room, ROOM);
	ck_assert(!question_put(&b, &q));
	b = buf_over(room, 20);
	q.body = LIT("more than there is room for");
	ck_assert(!question_put(&b, &q));
	free(many);
}
END_TEST

START_TEST(replies_come_back)
{
	const struct need needs[] = {{LIT("a.test"), DNS_TXT}, {LIT("b.test"), DNS_AAAA}};
	struct inspect_reply r = {.kind = REPLY_KIND_ANSWER, .body = LIT("verdict")}, got;
	struct buf b = buf_over(room, ROOM);

	ck_assert(inspect_reply_put(&b, &r));
	ck_assert(inspect_reply_get(buf_view(&b), &arena, &got));
	ck_assert_int_eq(got.kind, REPLY_KIND_ANSWER);
	ck_assert(text_eq(got.body, LIT("verdict")));

	r = (struct inspect_reply){.kind = REPLY_KIND_NEEDS, .needs = needs, .need_count = 2};
	b = buf_over(room, ROOM);
	ck_assert(inspect_reply_put(&b, &r));
	ck_assert(inspect_reply_get(buf_view(&b), &arena, &got));
	ck_assert_uint_eq(got.need_count, 2);
	ck_assert_uint_eq(got.needs[1].type, DNS_AAAA);
	for (size_t n = 0; n < b.n; n++)
		ck_assert(!inspect_reply_get(text_make(b.p, n), &arena, &got));
}
END_TEST

/* An inspector that was taken over may write anything. */
START_TEST(bad_replies_are_none)
{
	static const char label[64 + 1] =
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	const struct need bad[] = {{{label, 64}, DNS_A}, {LIT("a..test"), DNS_A}};
	struct inspect_reply got;

	for (size_t i = 0; i < 2; i++) {
		const struct inspect_reply r = {
		    .kind = REPLY_KIND_NEEDS, .needs = &bad[i], .need_count = 1};
		struct buf b = buf_over(room, ROOM);

		ck_assert(inspect_reply_put(&b, &r));
		ck_assert(!inspect_reply_get(buf_view(&b), &arena, &got));
	}
	const struct inspect_reply none = {.kind = REPLY_KIND_NEEDS};
	struct buf b = buf_over(room, ROOM);
	ck_assert(inspect_reply_put(&b, &none));
	ck_assert(!inspect_reply_get(buf_view(&b), &arena, &got));
	ck_assert(!inspect_reply_get(LIT(""), &arena, &got));
	ck_assert(!inspect_reply_get(LIT("nonsense"), &arena, &got));
}
END_TEST

static struct inquiry inquiry_of(const struct question *q)
{
	return (struct inquiry){.q = q, .arena = &arena};
}

START_TEST(inquiry_knows_or_notes)
{
	const struct question q = sample();
	struct inquiry i = inquiry_of(&q);

	ck_assert_ptr_eq(inquiry_dns(&i, LIT("EXAMPLE.org."), DNS_MX), &answers[1]);
	ck_assert(!i.blocked && i.need_count == 0);
	ck_assert_int_eq(inquiry_dns(&i, LIT("a..b"), DNS_A)->status, DNS_NXDOMAIN);
	ck_assert_int_eq(inquiry_dns(&i, LIT("."), DNS_MX)->status, DNS_NXDOMAIN);
	inquiry_expect(&i, LIT("later.test"), DNS_A);
	ck_assert(!i.blocked && i.need_count == 1);
	ck_assert_ptr_null(inquiry_dns(&i, LIT("now.test"), DNS_A));
	ck_assert_ptr_null(inquiry_dns(&i, LIT("Now.test."), DNS_A));
	ck_assert(i.blocked && i.need_count == 2);
}
END_TEST

START_TEST(needs_are_bounded)
{
	const struct question q = sample();
	struct inquiry i = inquiry_of(&q);
	char name[32];

	for (int n = 0; n < 2 * QUESTION_NEEDS_MAX; n++) {
		snprintf(name, sizeof(name), "n%d.test", n);
		ck_assert_ptr_null(inquiry_dns(&i, text_of(name), DNS_A));
	}
	ck_assert_uint_eq(i.need_count, QUESTION_NEEDS_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("question");
	TCase *tc = tcase_create("question");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, question_comes_back);
	tcase_add_test(tc, cut_question_is_none);
	tcase_add_test(tc, changed_byte_never_reads_outside);
	tcase_add_test(tc, too_much_is_not_written);
	tcase_add_test(tc, replies_come_back);
	tcase_add_test(tc, bad_replies_are_none);
	tcase_add_test(tc, inquiry_knows_or_notes);
	tcase_add_test(tc, needs_are_bounded);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
