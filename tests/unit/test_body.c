/* The canonical form: every string over the bytes that matter, at every cut, against a slow plain
 * model; and what goes out can't be taken for an end of data by any peer we know of. */
#include "worker/smtp/body.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 512

struct result {
	char bytes[ROOM];
	size_t n, used;
	bool ended, bare;
};

static void collect(void *arg, const char *p, size_t n)
{
	struct result *r = arg;

	if (n == 0 || r->n + n > ROOM)
		ck_abort_msg("%zu bytes behind %zu", n, r->n);
	memcpy(r->bytes + r->n, p, n);
	r->n += n;
}

static void put(struct result *r, const char *p, size_t n)
{
	collect(r, p, n);
}

/* The rules, read off one line at a time: where does a line end, by what, and how did it begin. */
static struct result model(const char *p, size_t n, bool dots)
{
	struct result r;
	size_t at = 0;
	bool true_start = true;

	r.n = r.used = 0;
	r.ended = r.bare = false;
	while (at < n) {
		size_t end = at;

		while (end < n && p[end] != '\r' && p[end] != '\n')
			end++;
		const bool crlf = end + 1 < n && p[end] == '\r' && p[end + 1] == '\n';
		size_t from = at;

		if (dots && true_start && p[at] == '.' && at < n) {
			if (crlf && end == at + 1) {
				r.ended = true;
				r.used = end + 2;
				return r;
			}
			from++; /* stuffing */
		}
		for (size_t i = from; i < end; i++) {
			if (p[i] == '\0')
				r.bare = true;
			else
				put(&r, p + i, 1);
		}
		if (end == n) {
			r.used = n;
			return r;
		}
		put(&r, "\r\n", 2);
		r.bare |= !crlf;
		true_start = crlf;
		at = end + (crlf ? 2 : 1);
	}
	r.used = n;
	return r;
}

/* In two or three pieces, each from memory of its own size. */
static struct result run(const char *p, size_t n, bool dots, const size_t cuts[2])
{
	struct result r = {0};
	struct body b;
	size_t from = 0;

	body_init(&b, dots, collect, &r);
	for (int i = 0; i < 3 && !body_ended(&b); i++) {
		const size_t to = i < 2 ? cuts[i] : n;
		char *copy = malloc(to - from + 1);

		memcpy(copy, p + from, to - from);
		const size_t used = to > from ? body_feed(&b, copy, to - from) : 0;
		if (used != to - from && !body_ended(&b))
			ck_abort_msg("took %zu of %zu", used, to - from);
		r.used += used;
		free(copy);
		from = to;
	}
	r.ended = body_ended(&b);
	if (!r.ended)
		body_finish(&b);
	r.bare = b.bare;
	return r;
}

/* Whatever a lenient peer takes for a line end, or drops: nothing but CR LF ends a line here, so
 * that stuffing the dots of these lines is enough. */
static bool can_smuggle(const struct result *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->bytes[i] == '\0')
			return true;
		if (r->bytes[i] == '\r' && !(i + 1 < r->n && r->bytes[i + 1] == '\n'))
			return true;
		if (r->bytes[i] == '\n' && !(i > 0 && r->bytes[i - 1] == '\r'))
			return true;
	}
	return false;
}

static void compare(const char *p, size_t n, bool dots, const size_t cuts[2])
{
	const struct result want = model(p, n, dots), got = run(p, n, dots, cuts);
	const bool same = got.n == want.n && memcmp(got.bytes, want.bytes, got.n) == 0 &&
			  got.ended == want.ended && got.used == want.used && got.bare == want.bare;
	char shown[256];
	size_t at = 0;

	if (same && !can_smuggle(&got))
		return;
	for (size_t i = 0; i < n && at + 5 < sizeof(shown); i++)
		at +=
		    (size_t)snprintf(shown + at, sizeof(shown) - at, "%02x ", (unsigned char)p[i]);
	ck_abort_msg("%scut at %zu %zu: %zu bytes for %zu, ended %d for %d, bare %d for %d", shown,
		     cuts[0], cuts[1], got.n, want.n, got.ended, want.ended, got.bare, want.bare);
}

static const char alphabet[] = {'\r', '\n', '.', '\0', 'a'};

/* The number'th string of n bytes over the alphabet. */
static void spell(size_t number, char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p[i] = alphabet[number % sizeof(alphabet)];
		number /= sizeof(alphabet);
	}
}

static void every_string(bool dots)
{
	size_t count = 1;

	for (size_t n = 1; n <= 6; n++) {
		count *= sizeof(alphabet);
		for (size_t number = 0; number < count; number++) {
			char p[16];

			spell(number, p, n);
			for (size_t cut = 0; cut <= n; cut++)
				compare(p, n, dots, (const size_t[2]){cut, cut});
		}
	}
}

START_TEST(every_string_of_data)
{
	every_string(true);
}
END_TEST

START_TEST(every_string_of_bdat)
{
	every_string(false);
}
END_TEST

/* All ends of data made of CR, LF, dots and NUL inside of a message: only CR LF . CR LF ends it. */
START_TEST(false_ends)
{
	size_t count = 1;

	for (size_t n = 1; n <= 6; n++) {
		count *= sizeof(alphabet) - 1;
		for (size_t number = 0; number < count; number++) {
			char p[64] = "x: y\r\n\r\nbody";
			size_t length = strlen(p), rest = number;

			for (size_t i = 0; i < n; i++, rest /= sizeof(alphabet) - 1)
				p[length++] = alphabet[rest % (sizeof(alphabet) - 1)];
			memcpy(p + length, "MAIL FROM:<x>\r\n.\r\n", 18);
			length += 18;
			for (size_t cut = 0; cut <= length; cut += 3)
				compare(p, length, true,
					(const size_t[2]){cut, cut < length ? cut + 1 : cut});
			if (model(p, length, true).used != length &&
			    !memmem(p, length - 18, "\r\n.\r\n", 5))
				ck_abort_msg("a message ended without CR LF . CR LF");
		}
	}
}
END_TEST

START_TEST(random_messages)
{
	unsigned state = 20250601;

	for (int round = 0; round < 20000; round++) {
		char p[200];
		size_t cuts[2];

		state = state * 1103515245 + 12345;
		const size_t n = 1 + (state >> 16) % sizeof(p);
		for (size_t i = 0; i < n; i++) {
			state = state * 1103515245 + 12345;
			const unsigned v = (state >> 16) % 40;

			p[i] = v < sizeof(alphabet) ? alphabet[v] : (char)(v * 6);
			if (v >= 36 && i + 1 < n) {
				p[i++] = '\r';
				p[i] = '\n';
			}
		}
		state = state * 1103515245 + 12345;
		cuts[0] = (state >> 16) % (n + 1);
		cuts[1] = cuts[0] + (n - cuts[0]) / 2;
		compare(p, n, round & 1, cuts);
	}
}
END_TEST

START_TEST(stops_behind_the_end)
{
	static const char p[] = "a\r\n.\r\nQUIT\r\n";
	struct result r = {0};
	struct body b;

	body_init(&b, true, collect, &r);
	ck_assert_uint_eq(body_feed(&b, p, sizeof(p) - 1), 6);
	ck_assert(body_ended(&b));
	ck_assert(r.n == 3 && memcmp(r.bytes, "a\r\n", 3) == 0);
	/* An empty message is legal. */
	r.n = 0;
	body_init(&b, true, collect, &r);
	ck_assert_uint_eq(body_feed(&b, ".\r\n", 3), 3);
	ck_assert(body_ended(&b) && r.n == 0);
}
END_TEST

START_TEST(clean_blocks_go_whole)
{
	static const char p[] = "one\r\ntwo\r\n\r\nthree.\r\n";
	struct result r = {0};
	struct body b;

	body_init(&b, true, collect, &r);
	body_feed(&b, p, sizeof(p) - 1);
	ck_assert(r.n == sizeof(p) - 1 && memcmp(r.bytes, p, r.n) == 0 && !b.bare);
	ck_assert(!body_ended(&b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("body");
	TCase *tc = tcase_create("body");
	SRunner *sr = srunner_create(s);

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_string_of_data);
	tcase_add_test(tc, every_string_of_bdat);
	tcase_add_test(tc, false_ends);
	tcase_add_test(tc, random_messages);
	tcase_add_test(tc, stops_behind_the_end);
	tcase_add_test(tc, clean_blocks_go_whole);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
