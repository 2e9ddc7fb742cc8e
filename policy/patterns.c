/* Regular expressions with limits.  A pattern such as (a+)+$ takes exponential time on the subject
 * that its enemy writes; PCRE2 counts its steps, and we stop it early. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/patterns.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

/* A subject is short: an honest pattern needs some hundreds of steps.  50,000 take about a
 * millisecond, which is what one message may cost a worker. */
enum { MATCH_STEPS = 50000, MATCH_DEPTH = 1000, MATCH_HEAP_KIB = 1024 };

struct pattern {
	pcre2_code *code;
	struct text where;
};

struct pattern_list {
	struct pattern *v;
	size_t n, capacity;
	pcre2_match_context *limits;
	pcre2_match_data *match; /* one process, one match at a time: it holds offsets only */
};

static void *must(void *p)
{
	if (!p)
		abort(); /* no memory at load */
	return p;
}

struct pattern_list *patterns_new(void)
{
	struct pattern_list *list = must(calloc(1, sizeof(*list)));

	list->limits = must(pcre2_match_context_create(NULL));
	pcre2_set_match_limit(list->limits, MATCH_STEPS);
	pcre2_set_depth_limit(list->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(list->limits, MATCH_HEAP_KIB);
	list->match = must(pcre2_match_data_create(1, NULL));
	return list;
}

void patterns_free(struct pattern_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		pcre2_code_free(list->v[i].code);
	pcre2_match_data_free(list->match);
	pcre2_match_context_free(list->limits);
	free(list->v);
	free(list);
}

bool patterns_add(struct pattern_list *list, struct text pattern, struct text where,
		  struct pattern_error *error)
{
	const uint32_t options = PCRE2_CASELESS | PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF |
				 PCRE2_NEVER_BACKSLASH_C;
	PCRE2_SIZE offset;
	pcre2_code *code;
	int number;

	code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &number, &offset, NULL);
	if (!code) {
		error->offset = offset;
		if (pcre2_get_error_message(number, (PCRE2_UCHAR *)error->message,
					    sizeof(error->message)) < 0)
			snprintf(error->message, sizeof(error->message), "error %d", number);
		return false;
	}
	if (list->n == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 16;
		list->v = must(reallocarray(list->v, list->capacity, sizeof(*list->v)));
	}
	list->v[list->n++] = (struct pattern){code, where};
	return true;
}

size_t patterns_count(const struct pattern_list *list)
{
	return list ? list->n : 0;
}

enum pattern_answer patterns_match(const struct pattern_list *list, struct text subject,
				   struct text *where)
{
	enum pattern_answer answer = PATTERN_NONE;

	for (size_t i = 0; list && i < list->n; i++) {
		int rc = pcre2_match(list->v[i].code, (PCRE2_SPTR)(subject.p ? subject.p : ""),
				     subject.n, 0, 0, list->match, list->limits);

		if (rc == PCRE2_ERROR_NOMATCH || (rc < 0 && answer == PATTERN_UNDECIDED))
			continue;
		if (where)
			*where = list->v[i].where;
		if (rc >= 0)
			return PATTERN_MATCH;
		answer = PATTERN_UNDECIDED;
	}
	return answer;
}
