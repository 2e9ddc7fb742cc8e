/* Lists of regular expressions (PCRE2, without regard to case, UTF-8), compiled at load and matched
 * on text that an attacker wrote: every match is bounded in work and in memory. */
#ifndef POLICY_PATTERNS_H
#define POLICY_PATTERNS_H

#include "shm/base/text.h"

struct pattern_list;

/* Where a pattern is at fault. */
struct pattern_error {
	size_t offset;     /* into the pattern, in bytes */
	char message[200]; /* of PCRE2 */
};

struct pattern_list *patterns_new(void);
/* Frees it; NULL is allowed. */
void patterns_free(struct pattern_list *list);

/* Adds one.  `where` (for log and explain; not copied) says where it was written.  False: it isn't
 * a regular expression, *error says why. */
bool patterns_add(struct pattern_list *list, struct text pattern, struct text where,
		  struct pattern_error *error);
size_t patterns_count(const struct pattern_list *list);

enum pattern_answer {
	PATTERN_NONE,
	PATTERN_MATCH,
	PATTERN_UNDECIDED, /* a pattern ran into its limit, and no other one matches */
};

/* `subject` needn't be valid UTF-8.  *where (may be NULL) is that of the pattern that matched, or
 * that ran into its limit.  Doesn't wait and keeps nothing. */
enum pattern_answer patterns_match(const struct pattern_list *list, struct text subject,
				   struct text *where);

#endif
