/* SPF: records as anybody may publish them.  The input's lines are the TXT records that names have
 * (which name has which is by chance); addresses and names are made up.  Whatever comes, the number
 * of look-ups is bounded, and what is said of it is plain text. */
#include "worker/inspect/spf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { LINES_MAX = 8, ROUNDS_MAX = 20, ANSWERS_MAX = 512 };

static struct text lines[LINES_MAX];
static size_t line_count;

static void require(bool fact)
{
	if (!fact)
		abort();
}

static unsigned chance(struct text name)
{
	unsigned h = 5381;

	for (size_t i = 0; i < name.n; i++)
		h = h * 33 + (unsigned char)name.p[i];
	return h >> 3;
}

static struct known_answer answer(const struct need *need, struct arena *a)
{
	static const struct text names[] = {LIT("a.test"), LIT("fuzz.test"), LIT("\x80.test"),
					    LIT("")};
	struct dns_record *r = arena_new(a, struct dns_record);
	struct known_answer k = {need->name, need->type, DNS_OK, r, 1};
	const unsigned h = chance(need->name);

	if (h % 7 == 6 && need->type != DNS_TXT) {
		k.status = h % 2 ? DNS_TIMEOUT : DNS_NXDOMAIN;
		k.count = 0;
	}
	r->ip.b[15] = (uint8_t)(h % 3);
	r->text = need->type == DNS_TXT ? lines[h % line_count] : names[h % 4];
	return k;
}

static bool round_of(struct question *q, struct known_answer *answers, struct arena *a)
{
	const struct spf_question spf = {
	    .helo = LIT("helo.test"),
	    .local = LIT("lo.c-al"),
	    .domain = LIT("fuzz.test"),
	    .receiver = LIT("mx1.test"),
	    .client = {{0x20, 1, 0xd, 0xb8}},
	};
	struct inquiry *i = arena_new(a, struct inquiry);
	struct spf_result r = {0};

	i->q = q;
	i->arena = a;
	spf_evaluate(i, &spf, &r);
	if (!i->blocked) {
		require(r.code > SPF_UNDECIDED && r.code < SPF_CODES);
		require(r.explanation.n <= SPF_EXPLANATION_MAX && r.reason.n <= SPF_REASON_MAX);
		for (size_t c = 0; c < r.explanation.n; c++)
			require(r.explanation.p[c] >= ' ' && r.explanation.p[c] <= '~');
		for (size_t c = 0; c < r.reason.n; c++)
			require(r.reason.p[c] >= ' ' && r.reason.p[c] <= '~');
		return false;
	}
	require(i->need_count > 0);
	for (size_t k = 0; k < i->need_count; k++) {
		require(dns_name_ok(i->needs[k].name));
		require(q->answer_count < SPF_QUERIES_MAX);
		answers[q->answer_count++] = answer(&i->needs[k], a);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct text rest = text_make((const char *)data, n);
	static struct known_answer answers[ANSWERS_MAX];
	struct question q = {.type = QUESTION_SPF, .answers = answers};
	struct arena a;
	unsigned rounds = 0;

	for (line_count = 0; line_count < LINES_MAX && (rest.n > 0 || line_count == 0);)
		text_split(rest, '\n', &lines[line_count++], &rest);
	arena_init(&a, NULL, NULL);
	while (round_of(&q, answers, &a))
		require(++rounds < ROUNDS_MAX);
	arena_reset(&a);
	return 0;
}
