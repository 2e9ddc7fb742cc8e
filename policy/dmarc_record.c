/* The DMARC record (RFC 9989 4.7, 4.8). */
#include "policy/dmarc.h"

static const struct {
	const char *word;
	enum dmarc_policy policy;
} policies[] = {
    {"none", DMARC_POLICY_NONE},
    {"quarantine", DMARC_POLICY_QUARANTINE},
    {"reject", DMARC_POLICY_REJECT},
};

const char *dmarc_policy_name(enum dmarc_policy p)
{
	return policies[p].word;
}

static bool read_policy(struct text value, enum dmarc_policy *out)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (text_ieq(value, text_of(policies[i].word))) {
			*out = policies[i].policy;
			return true;
		}
	}
	return false;
}

/* Somebody to report to: one that can be written to is enough. */
static bool is_rua(struct text value)
{
	struct text uri, rest = value;
	bool more = true;

	while (more) {
		more = text_split(rest, ',', &uri, &rest);
		uri = text_trim(uri);
		if (!text_istarts(uri, LIT("mailto:")))
			continue;
		size_t at = text_find(uri, '@');
		if (at > 7 && at + 1 < uri.n)
			return true;
	}
	return false;
}

/* The tags that have been read with a valid value. */
struct seen {
	bool p, sp, np, psd, adkim, aspf, t, rua;
};

static bool read_letter(struct text value, char yes, char no, bool *out)
{
	char c = value.n == 1 ? (char)(value.p[0] | 0x20) : '\0';

	*out = c == yes;
	return c == yes || c == no;
}

static bool read_psd(struct text value, enum dmarc_psd *out)
{
	if (value.n != 1 || !strchr("ynuYNU", value.p[0]) || value.p[0] == '\0')
		return false;
	*out = (value.p[0] | 0x20) == 'y'   ? DMARC_PSD_YES
	       : (value.p[0] | 0x20) == 'n' ? DMARC_PSD_NO
					    : DMARC_PSD_UNKNOWN;
	return true;
}

static void take_tag(struct text tag, struct text value, struct dmarc_record *r, struct seen *seen)
{
	if (text_ieq(tag, LIT("p")) && !seen->p)
		seen->p = read_policy(value, &r->p);
	else if (text_ieq(tag, LIT("sp")) && !seen->sp)
		seen->sp = read_policy(value, &r->sp);
	else if (text_ieq(tag, LIT("np")) && !seen->np)
		seen->np = read_policy(value, &r->np);
	else if (text_ieq(tag, LIT("psd")) && !seen->psd)
		seen->psd = read_psd(value, &r->psd);
	else if (text_ieq(tag, LIT("adkim")) && !seen->adkim)
		seen->adkim = read_letter(value, 's', 'r', &r->strict_dkim);
	else if (text_ieq(tag, LIT("aspf")) && !seen->aspf)
		seen->aspf = read_letter(value, 's', 'r', &r->strict_spf);
	else if (text_ieq(tag, LIT("t")) && !seen->t)
		seen->t = read_letter(value, 'y', 'n', &r->testing);
	else if (text_ieq(tag, LIT("rua")) && !seen->rua)
		seen->rua = is_rua(value);
}

bool dmarc_record_parse(struct text t, struct dmarc_record *out)
{
	struct text part, tag, value, rest = t;
	struct dmarc_record r = {0};
	struct seen seen = {0};
	bool more, pct_zero = false;

	more = text_split(rest, ';', &part, &rest);
	/* The version's value is the one thing whose case matters; no blank may stand before it. */
	if (!text_split(part, '=', &tag, &value) || tag.n == 0 || (tag.p[0] | 0x20) != 'v' ||
	    text_trim(tag).n != 1 || !text_eq(text_trim(value), LIT("DMARC1")))
		return false;
	while (more) {
		more = text_split(rest, ';', &part, &rest);
		if (!text_split(part, '=', &tag, &value))
			continue;
		tag = text_trim(tag);
		value = text_trim(value);
		pct_zero = pct_zero || (text_ieq(tag, LIT("pct")) && text_eq(value, LIT("0")));
		take_tag(tag, value, &r, &seen);
	}
	if (!seen.t)
		r.testing = pct_zero;
	if (!seen.sp)
		r.sp = r.p;
	if (!seen.np)
		r.np = r.sp;
	r.has_policy = seen.p || seen.rua;
	*out = r;
	return true;
}
