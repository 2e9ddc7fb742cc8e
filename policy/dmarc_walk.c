/* The tree walk (RFC 9989 4.10). */
#include "policy/dmarc.h"

static size_t count_labels(struct text name)
{
	size_t n = 1;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '.';
	return n;
}

/* The name above it; empty above a top-level domain. */
static struct text parent(struct text name)
{
	struct text first, rest;

	text_split(name, '.', &first, &rest);
	return rest;
}

/* Which name is asked after this one: one label fewer, but a long name goes on at seven. */
static struct text next_name(struct text name)
{
	name = parent(name);
	while (count_labels(name) >= DMARC_WALK_MAX)
		name = parent(name);
	return name;
}

static struct text record_name(struct text name, char dst[DNS_NAME_SIZE])
{
	struct buf b = buf_over(dst, DNS_NAME_SIZE);

	buf_text(&b, LIT("_dmarc."));
	buf_text(&b, name);
	return b.cut ? (struct text){"", 0} : buf_view(&b);
}

void dmarc_walk_start(const struct session *s, struct text domain)
{
	char name[DNS_NAME_SIZE];

	for (struct text at = domain; at.n; at = next_name(at)) {
		struct text asked = record_name(at, name);

		if (asked.n)
			s->world.ops->dns_start(s->world.self, s, asked, DNS_TXT);
	}
}

/* The one DMARC record among a name's texts; several are as good as none. */
static bool find_record(const struct dns_answer *answer, struct dmarc_record *out)
{
	size_t found = 0;

	for (size_t i = 0; i < answer->count && found < 2; i++)
		found += dmarc_record_parse(answer->records[i].text, out);
	return found == 1;
}

/* False: the walk ends here. */
static bool visit(const struct session *s, struct text at, struct dmarc_walk *w)
{
	char name[DNS_NAME_SIZE];
	struct text asked = record_name(at, name);
	const struct dns_answer *answer;

	/* A name that leaves no room for the prefix has no record. */
	if (asked.n == 0)
		return true;
	answer = s->world.ops->dns_await(s->world.self, s, asked, DNS_TXT);
	if (!dns_known(answer->status)) {
		w->unanswered = at;
		w->why = dns_status_text(answer->status);
		return false;
	}
	if (at.n == w->start.n)
		w->start_missing = answer->status == DNS_NXDOMAIN;
	if (answer->status != DNS_OK || !find_record(answer, &w->records[w->count]))
		return true;
	w->names[w->count] = at;
	return w->records[w->count++].psd == DMARC_PSD_UNKNOWN;
}

void dmarc_walk(const struct session *s, struct text domain, struct dmarc_walk *out)
{
	*out = (struct dmarc_walk){.start = domain};
	for (struct text at = domain; at.n && visit(s, at, out);)
		at = next_name(at);
}

/* The part of `start` with one label more than `name`, which ends it. */
static struct text one_below(struct text start, struct text name)
{
	struct text at = start;

	while (count_labels(at) > count_labels(name) + 1)
		at = parent(at);
	return at;
}

struct text dmarc_walk_organisation(const struct dmarc_walk *w)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->records[i].psd == DMARC_PSD_NO)
			return w->names[i];
		if (w->records[i].psd == DMARC_PSD_YES && w->names[i].n != w->start.n)
			return one_below(w->start, w->names[i]);
	}
	/* The fewest labels: the last one. */
	return w->count ? w->names[w->count - 1] : w->start;
}

static bool is_below(struct text name, struct text above)
{
	return name.n > above.n && text_iends(name, above) && name.p[name.n - above.n - 1] == '.';
}

/* Two names can only have one organisation if the one of the first is above the second, too. */
enum answer dmarc_is_of(const struct session *s, struct text domain, struct text organisation)
{
	struct dmarc_walk walk;

	if (!text_eq(domain, organisation) && !is_below(domain, organisation))
		return ANSWER_NO;
	dmarc_walk_start(s, domain);
	dmarc_walk(s, domain, &walk);
	if (walk.unanswered.n)
		return ANSWER_UNKNOWN;
	return text_eq(dmarc_walk_organisation(&walk), organisation) ? ANSWER_YES : ANSWER_NO;
}

/* The last label: names that differ in it have nothing in common. */
static struct text top(struct text name)
{
	while (parent(name).n)
		name = parent(name);
	return name;
}

enum answer dmarc_aligned(const struct session *s, struct text a, struct text b)
{
	struct dmarc_walk walk;

	if (text_eq(a, b))
		return ANSWER_YES;
	if (!text_eq(top(a), top(b)))
		return ANSWER_NO;
	dmarc_walk(s, a, &walk);
	return walk.unanswered.n ? ANSWER_UNKNOWN
				 : dmarc_is_of(s, b, dmarc_walk_organisation(&walk));
}
