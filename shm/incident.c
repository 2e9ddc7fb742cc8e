/* Incident ids as people read them out on the phone: Crockford's base 32 has no I, L, O and U, and
 * reads them as the digits that they look like (but U, which is none). */
#include "shm/event.h"

#include <stdio.h>

static const char DIGITS[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define DIGIT_COUNT 8

char *incident_format(struct text host_label, uint64_t id, char dst[INCIDENT_TEXT_MAX])
{
	/* What the label leaves of the room: '-', 4 digits, '-', 4 digits, NUL. */
	size_t label_max = INCIDENT_TEXT_MAX - 11;
	char digits[DIGIT_COUNT];

	for (unsigned i = DIGIT_COUNT; i-- > 0; id >>= 5)
		digits[i] = DIGITS[id & 31];
	if (host_label.n > label_max)
		host_label.n = label_max;
	snprintf(dst, INCIDENT_TEXT_MAX, "%.*s%s%.4s-%.4s", TEXT(host_label),
		 text_empty(host_label) ? "" : "-", digits, digits + 4);
	return dst;
}

static int digit_value(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	const char *at = c ? strchr(DIGITS, c) : NULL;
	return at ? (int)(at - DIGITS) : -1;
}

/* Takes one character off the end. */
static char take_last(struct text *t)
{
	return t->n ? t->p[--t->n] : '\0';
}

static bool is_label(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];
		bool alnum =
		    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alnum && c != '-' && c != '.' && c != '_')
			return false;
	}
	return t.n > 0;
}

bool incident_parse(struct text t, uint64_t *id)
{
	uint64_t result = 0;

	t = text_trim(t);
	/* From the end: a host label may hold anything that a digit group may. */
	for (unsigned i = 0; i < DIGIT_COUNT; i++) {
		if (i == 4 && t.n && t.p[t.n - 1] == '-')
			take_last(&t);
		int value = digit_value(take_last(&t));
		if (value < 0)
			return false;
		result |= (uint64_t)value << (5 * i);
	}
	if (t.n && (take_last(&t) != '-' || !is_label(t)))
		return false;
	*id = result;
	return true;
}
