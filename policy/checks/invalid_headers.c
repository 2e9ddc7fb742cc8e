/* The header section is malformed.  A field name outside ASCII, or with controls, is refused; other
 * flaws are everyday mail, and their options (off, monitor, enforce) decide. */
#include "policy/check.h"

#define NAME_FLAWS (HEADER_NAME_NOT_ASCII | HEADER_NAME_CONTROL)
#define MALFORMED_FLAWS                                                                            \
	(HEADER_MALFORMED_LINE | HEADER_NO_FROM | HEADER_NO_DATE | HEADER_LONG_LINE |              \
	 HEADER_TOO_MANY_FIELDS)

static const char *flaw_text(unsigned flaws)
{
	static const char *const texts[] = {
	    "a field name has bytes outside ASCII",
	    "a field name has a control character",
	    "a line is no field",
	    "there is no From",
	    "there is no Date",
	    "a value has bytes outside ASCII",
	    "a line is over 998 bytes",
	    "there are too many fields",
	};
	unsigned i = 0;

	while (i + 1 < sizeof(texts) / sizeof(texts[0]) && !(flaws >> i & 1))
		i++;
	return texts[i];
}

static struct verdict malformed(const struct session *s, unsigned flaws)
{
	const struct header *h = s->tx->header;

	/* Shown as it is; log and tool escape it. */
	return reject(REPLY_INVALID_HEADERS, LIT(""),
		      fact(s, "%s%s%.*s", flaw_text(flaws), text_empty(h->first_bad) ? "" : ": ",
			   (int)(h->first_bad.n < 100 ? h->first_bad.n : 100), h->first_bad.p));
}

/* The flaws of `mask`, by what the option says of them. */
static struct verdict by_option(const struct session *s, unsigned mask, int option)
{
	unsigned flaws = s->tx->header->flaws & mask;
	struct verdict v;

	if (!flaws || option == MODE_OFF)
		return pass();
	v = malformed(s, flaws);
	v.noted = option == MODE_MONITOR;
	return v;
}

struct verdict check_invalid_headers(const struct session *s, const struct settings *set)
{
	const struct invalid_headers_settings *mine = &set->invalid_headers;
	struct verdict first, second;

	if (!s->tx->header)
		return pass();
	if (s->tx->header->flaws & NAME_FLAWS)
		return malformed(s, s->tx->header->flaws & NAME_FLAWS);
	first = by_option(s, MALFORMED_FLAWS, mine->malformed);
	if (first.outcome == OUTCOME_REFUSE && !first.noted)
		return first;
	second = s->tx->smtputf8 ? pass() : by_option(s, HEADER_RAW_8BIT, mine->raw_8bit);
	if (second.outcome == OUTCOME_REFUSE && !second.noted)
		return second;
	return first.outcome == OUTCOME_REFUSE ? first : second;
}
