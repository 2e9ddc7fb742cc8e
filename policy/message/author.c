/* Reading From: (policy/message/author.h). */
#include "policy/message/author.h"

#include "policy/message/address.h"

/* Domains that aren't written alike may be the same one (U-labels, A-labels), but not many. */
enum { SPELLINGS_MAX = 8, COMMENT_DEPTH_MAX = 100 };

/* A row of characters without blanks and comments: a word, or an address. */
struct run {
	size_t start, end;
	size_t at;    /* the last '@' outside of quotes ... */
	unsigned ats; /* ... and how many there are */
};

/* What has been read of domains: one, in some spellings, or several. */
struct domains {
	unsigned spellings;
	struct text written, domain; /* the first */
	bool several;
};

struct parse {
	struct text t;
	struct arena *arena;
	size_t i;
	struct author out;
	struct domains all, addresses; /* those in names too; without them */
	bool in_name;
	bool malformed, group;
	/* Of the mailbox that is being read: */
	unsigned runs;
	struct run first;
	bool has_at; /* in one of the runs */
	bool angle;  /* "<...>" has been read */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && !is_blank(c)) || c == 0x7f;
}

/* Behind the comment that starts at p->i. */
static void skip_comment(struct parse *p)
{
	unsigned depth = 0;

	for (; p->i < p->t.n; p->i++) {
		char c = p->t.p[p->i];

		if (c == '\\')
			p->i++;
		else if (c == '(' && ++depth > COMMENT_DEPTH_MAX)
			break;
		else if (c == ')' && --depth == 0) {
			p->i++;
			return;
		}
	}
	p->malformed = true;
}

/* Behind the closing character; "\x" stands for x. */
static void skip_quoted(struct parse *p, char closing)
{
	for (p->i++; p->i < p->t.n; p->i++) {
		char c = p->t.p[p->i];

		if (c == '\\') {
			p->i++;
		} else if (c == closing) {
			p->i++;
			return;
		} else if (is_control(c)) {
			break;
		}
	}
	p->malformed = true;
}

static void skip_blanks(struct parse *p)
{
	while (p->i < p->t.n && is_blank(p->t.p[p->i]))
		p->i++;
}

/* Reads a run that starts here: up to a blank, a comment, or one of <>,;: */
static struct run read_run(struct parse *p)
{
	struct run r = {.start = p->i};

	while (p->i < p->t.n && !p->malformed) {
		char c = p->t.p[p->i];

		if (is_blank(c) || strchr("()<>,;:", c) != NULL || is_control(c))
			break;
		if (c == '"') {
			skip_quoted(p, '"');
		} else if (c == '[') {
			skip_quoted(p, ']');
		} else {
			if (c == '@') {
				r.at = p->i;
				r.ats++;
			} else if (c == '\\' || c == ']') {
				p->malformed = true;
			}
			p->i++;
		}
	}
	r.end = p->i;
	return r;
}

static struct text domain_of(const struct parse *p, const struct run *r)
{
	return text_make(p->t.p + r->at + 1, r->end - r->at - 1);
}

/* The form in which it is looked up; false: it is none. */
static bool normalize(struct parse *p, struct text domain, struct text *out)
{
	if (domain.n > 1 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']') {
		*out = arena_text(p->arena, domain);
		text_lower(*out, (char *)out->p);
		return true;
	}
	return domain_to_ascii(domain, p->arena, out);
}

static void add_domain(struct parse *p, struct domains *d, struct text written)
{
	struct text domain;

	if (d->spellings && text_ieq(written, d->written))
		return;
	if (d->spellings == SPELLINGS_MAX) {
		d->several = true;
		return;
	}
	if (!normalize(p, written, &domain)) {
		p->malformed = true;
		return;
	}
	if (d->spellings++ == 0) {
		d->written = written;
		d->domain = domain;
	} else if (!text_eq(domain, d->domain)) {
		d->several = true;
	}
}

/* The run must be an address, and nothing else. */
static void add_address(struct parse *p, const struct run *r)
{
	if (r->ats != 1 || r->at == r->start || r->at + 1 == r->end) {
		p->malformed = true;
		return;
	}
	p->out.mailboxes++;
	add_domain(p, &p->all, domain_of(p, r));
	if (!p->in_name)
		add_domain(p, &p->addresses, domain_of(p, r));
}

static bool is_encoded_word(const struct parse *p, const struct run *r)
{
	const char *s = p->t.p + r->start;
	size_t n = r->end - r->start;

	return n > 4 && s[0] == '=' && s[1] == '?' && s[n - 2] == '?' && s[n - 1] == '=';
}

/* A word of a name that should have been quoted.  A whole address in it is what some programs take
 * for the author; "@" alone, "@nick" and "info@home" are no addresses. */
static void look_at_word(struct parse *p, const struct run *r)
{
	struct text domain;

	if (r->ats == 0 || is_encoded_word(p, r))
		return;
	domain = domain_of(p, r);
	if (r->ats == 1 && (r->at == r->start || text_find(domain, '.') == domain.n))
		return;
	p->in_name = true;
	add_address(p, r);
	p->in_name = false;
}

/* "<" has been met: what stood before it were words of a name. */
static void read_angle(struct parse *p)
{
	struct run r;

	if (p->angle)
		p->malformed = true;
	if (p->runs)
		look_at_word(p, &p->first);
	p->angle = true;
	p->i++;
	skip_blanks(p);
	r = read_run(p);
	skip_blanks(p);
	if (p->i >= p->t.n || p->t.p[p->i] != '>') {
		p->malformed = true;
		return;
	}
	p->i++;
	add_address(p, &r);
}

static void take_run(struct parse *p)
{
	struct run r = read_run(p);

	/* "<a@example.org> something". */
	if (p->angle)
		p->malformed = true;
	if (p->malformed)
		return;
	if (p->runs++ == 0)
		p->first = r;
	else
		look_at_word(p, &r);
	p->has_at = p->has_at || (r.ats > 0 && !is_encoded_word(p, &r));
}

/* A comma, or the end of all or of a group.  Without an '@' it was half of a name with a comma. */
static void end_mailbox(struct parse *p)
{
	if (!p->angle && p->has_at) {
		if (p->runs == 1)
			add_address(p, &p->first);
		else
			p->malformed = true;
	}
	p->runs = 0;
	p->has_at = p->angle = false;
}

static void step(struct parse *p)
{
	char c = p->t.p[p->i];

	if (is_blank(c)) {
		p->i++;
	} else if (c == '(') {
		skip_comment(p);
	} else if (c == '<') {
		read_angle(p);
	} else if (c == ',' || c == ';') {
		end_mailbox(p);
		p->malformed = p->malformed || (c == ';' && !p->group);
		p->i++;
	} else if (c == ':') {
		/* The words before it were the group's name. */
		p->malformed = p->malformed || p->angle || p->runs == 0 || p->group;
		p->group = true;
		p->malformed = p->malformed || p->has_at;
		p->runs = 0;
		p->i++;
	} else if (is_control(c) || c == '>' || c == ')') {
		p->malformed = true;
	} else {
		take_run(p);
	}
}

struct author author_parse(struct text body, struct arena *a)
{
	struct parse p = {.t = body, .arena = a};

	while (p.i < body.n && !p.malformed)
		step(&p);
	if (!p.malformed)
		end_mailbox(&p);
	if (p.malformed)
		p.out.status = AUTHOR_MALFORMED;
	else if (p.group)
		p.out.status = p.out.mailboxes ? AUTHOR_GROUP : AUTHOR_EMPTY_GROUP;
	else if (p.out.mailboxes == 0)
		p.out.status = AUTHOR_MALFORMED;
	else if (p.addresses.several)
		p.out.status = AUTHOR_SEVERAL;
	else
		p.out.status = p.all.several ? AUTHOR_NAMED : AUTHOR_ONE;
	if (p.out.status == AUTHOR_ONE)
		p.out.domain = p.all.domain;
	return p.out;
}

struct author author_of(const struct header *h, struct arena *a)
{
	const struct header_field *from = header_find(h, LIT("From"), NULL);
	struct author out = {.status = AUTHOR_MISSING};

	/* What is no field to us may be one to others; or fields past what is read. */
	if (h->hides_from || h->flaws & HEADER_TOO_MANY_FIELDS)
		out.status = AUTHOR_MALFORMED;
	else if (from && header_find(h, LIT("From"), from))
		out.status = AUTHOR_REPEATED;
	else if (from)
		out = author_parse(from->body, a);
	return out;
}

const char *author_status_text(enum author_status s)
{
	static const char *const texts[AUTHOR_STATUS_COUNT] = {
	    [AUTHOR_ONE] = "one author domain",
	    [AUTHOR_MISSING] = "no From field",
	    [AUTHOR_EMPTY_GROUP] = "From names nobody",
	    [AUTHOR_NAMED] = "From shows an address of another domain in the name",
	    [AUTHOR_REPEATED] = "several From fields",
	    [AUTHOR_SEVERAL] = "From names several domains",
	    [AUTHOR_GROUP] = "From holds a group",
	    [AUTHOR_MALFORMED] = "From is malformed",
	};

	return texts[s];
}
