/* Trusted forwarders (policy/forwarders.h). */
#include "policy/forwarders.h"

#include "policy/check.h"

/* ".example.org" is that domain and all below it. */
static bool covers(struct text entry, struct text name)
{
	if (text_empty(name))
		return false;
	if (entry.p[0] != '.')
		return text_ieq(entry, name);
	return text_iends(name, entry) || text_ieq(text_make(entry.p + 1, entry.n - 1), name);
}

/* Empty: none. */
static struct text find(const struct text_list *entries, struct text name)
{
	for (size_t i = 0; i < entries->n; i++) {
		if (covers(entries->v[i], name))
			return entries->v[i];
	}
	return (struct text){"", 0};
}

static enum answer host_vouches(const struct session *s, const struct text_list *entries,
				struct text *by)
{
	struct text entry = find(entries, s->host);

	if (text_empty(entry))
		return s->host_state == HOST_NO_ANSWER || s->host_state == HOST_UNSURE
			   ? ANSWER_UNKNOWN
			   : ANSWER_NO;
	*by = fact(s, "host %.*s", TEXT(entry));
	return ANSWER_YES;
}

static enum answer signature_vouches(const struct session *s, const struct text_list *entries,
				     struct text *by)
{
	const struct dkim_result *r = dkim_of(s);
	enum answer best = r->judged ? ANSWER_NO : ANSWER_UNKNOWN;

	for (size_t i = 0; i < r->count; i++) {
		const struct dkim_signature *g = &r->signatures[i];
		struct text entry = find(entries, g->domain);

		if (text_empty(entry))
			continue;
		if (g->code == DKIM_PASS) {
			*by = fact(s, "signature of %.*s", TEXT(entry));
			return ANSWER_YES;
		}
		if (g->code == DKIM_TEMPERROR || g->code == DKIM_UNDECIDED)
			best = ANSWER_UNKNOWN;
	}
	return best;
}

enum answer forwarders_vouch(const struct session *s, const struct settings *set, struct text *by)
{
	const struct text_list *entries = &set->dmarc.trusted_forwarders;
	enum answer host, signature;

	if (entries->n == 0)
		return ANSWER_NO;
	host = host_vouches(s, entries, by);
	if (host == ANSWER_YES || !s->tx->header)
		return host;
	signature = signature_vouches(s, entries, by);
	return signature == ANSWER_NO ? host : signature;
}
