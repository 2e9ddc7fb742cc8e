/* Writing Authentication-Results (policy/results.h). */
#include "policy/results.h"

#include "policy/check.h"
#include "shm/segment.h"

/* Room for all that isn't a signature, and for one: twice what is ever needed. */
enum { FIELD_MAX = 4096, SIGNATURE_MAX = 1536, LINE_WIDTH = 78, VALUE_MAX = 255 };

/* ---- Lines */

struct field {
	struct buf out;
	size_t column;
	bool empty; /* no result so far */
};

static void put_line_end(struct field *f)
{
	buf_text(&f->out, LIT("\r\n\t"));
	f->column = 8;
}

/* A word that stays in one piece, with a blank before it. */
static void put_word(struct field *f, struct text word)
{
	if (f->column + 1 + word.n > LINE_WIDTH)
		put_line_end(f);
	else
		buf_char(&f->out, ' ');
	buf_text(&f->out, word);
	f->column += 1 + word.n;
}

static void begin_result(struct field *f, const char *method, const char *result)
{
	char word[64];
	struct buf b = buf_over(word, sizeof(word));

	buf_printf(&b, "%s=%s", method, result);
	buf_char(&f->out, ';');
	put_line_end(f);
	buf_text(&f->out, buf_view(&b));
	f->column += b.n;
	f->empty = false;
}

/* ---- Values */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(".-_+", c));
}

/* Allowed in a quoted string. */
static bool is_harmless(char c)
{
	return is_plain(c) || (c && strchr("@:[]/", c));
}

/* "local@domain" stands without quotes (RFC 8601 2.2, pvalue). */
static bool needs_quotes(struct text value)
{
	size_t at = text_find(value, '@');

	for (size_t i = 0; i < value.n; i++) {
		if (i != at && !is_plain(value.p[i]))
			return true;
	}
	return value.n == 0 || at == 0 || at + 1 == value.n;
}

static void put_property(struct field *f, const char *property, struct text value)
{
	char word[VALUE_MAX + 64];
	struct buf b = buf_over(word, sizeof(word));
	bool quoted;

	if (value.n > VALUE_MAX)
		value.n = VALUE_MAX;
	quoted = needs_quotes(value);
	buf_printf(&b, "%s=%s", property, quoted ? "\"" : "");
	for (size_t i = 0; i < value.n; i++)
		buf_char(&b, is_harmless(value.p[i]) ? value.p[i] : '?');
	if (quoted)
		buf_char(&b, '"');
	put_word(f, buf_view(&b));
}

/* A comment, of our own words. */
static void put_comment(struct field *f, struct text comment)
{
	struct text rest = comment, word;
	bool more = true, first = true;

	while (more) {
		char bytes[VALUE_MAX + 3];
		struct buf b = buf_over(bytes, sizeof(bytes));

		more = text_split(rest, ' ', &word, &rest);
		buf_printf(&b, "%s", first ? "(" : "");
		for (size_t i = 0; i < word.n && i < VALUE_MAX; i++)
			buf_char(&b, is_plain(word.p[i]) || strchr("=:;,", word.p[i]) ? word.p[i]
										      : '?');
		buf_printf(&b, "%s", more ? "" : ")");
		put_word(f, buf_view(&b));
		first = false;
	}
}

/* ---- Methods */

static void put_auth(struct field *f, const struct session *s)
{
	if (text_empty(s->login))
		return;
	begin_result(f, "auth", "pass");
	put_property(f, "smtp.auth", s->login);
}

/* RFC 8601 2.7.3: no PTR record at all is a permanent error. */
static const char *iprev_result(enum host_state state)
{
	switch (state) {
	case HOST_CONFIRMED:
		return "pass";
	case HOST_UNCONFIRMED:
		return "fail";
	case HOST_NONE:
		return "permerror";
	default:
		return "temperror";
	}
}

static void put_iprev(struct field *f, const struct session *s)
{
	if (s->host_state == HOST_NOT_ASKED)
		return;
	begin_result(f, "iprev", iprev_result(s->host_state));
	if (s->host_state == HOST_CONFIRMED)
		put_comment(f, s->host);
	put_property(f, "policy.iprev", s->client_text);
}

/* Only the domain: the local part is the sender's to choose. */
static void put_spf(struct field *f, const struct session *s, enum spf_identity identity)
{
	const struct spf_result *r = &s->tx->spf.results[identity];
	const bool by_helo = identity == SPF_HELO || s->tx->null_sender;

	if (!s->tx->spf.asked[identity])
		return;
	begin_result(f, "spf", spf_code_name(r->code));
	put_property(f, by_helo ? "smtp.helo" : "smtp.mailfrom", r->domain);
}

/* What our own words say of a signature that didn't pass; in front of the names that it bears. */
static void put_signature(struct field *f, const struct dkim_signature *g)
{
	begin_result(f, "dkim", dkim_code_name(g->code));
	if (g->reason != DKIM_REASON_NONE)
		put_comment(f, text_of(dkim_reason_text(g->reason)));
	if (!text_empty(g->domain))
		put_property(f, "header.d", g->domain);
	if (!text_empty(g->selector))
		put_property(f, "header.s", g->selector);
	if (g->algorithm != DKIM_ALGORITHM_UNKNOWN)
		put_property(f, "header.a", text_of(dkim_algorithm_name(g->algorithm)));
	if (!text_empty(g->b))
		put_property(f, "header.b", g->b);
}

static void put_dkim(struct field *f, const struct session *s)
{
	const struct dkim_result *r = s->tx->dkim;

	if (!r)
		return;
	if (r->count == 0)
		begin_result(f, "dkim", r->judged ? "none" : "temperror");
	for (size_t i = 0; i < r->count; i++)
		put_signature(f, &r->signatures[i]);
}

/* What the policy asks for, or would if it failed; and why that isn't done. */
static void put_policy(struct field *f, const struct session *s, const struct dmarc_result *r)
{
	const struct check_run *run = s->runs ? &s->runs[CHECK_dmarc] : NULL;
	const bool exempt = run && run->fate == FATE_EXEMPT;
	struct text override = exempt ? LIT("local_policy") : r->override;
	char words[128];
	struct buf b = buf_over(words, sizeof(words));

	buf_printf(&b, "p=%s", dmarc_policy_name(r->policy));
	if (!text_empty(override)) {
		buf_text(&b, LIT("; "));
		buf_text(&b, override);
	}
	put_comment(f, buf_view(&b));
	if (r->code == DMARC_FAIL)
		put_property(f, "policy.dmarc",
			     text_of(dmarc_policy_name(text_empty(override) ? r->policy
									    : DMARC_POLICY_NONE)));
}

static void put_dmarc(struct field *f, const struct session *s)
{
	const struct dmarc_result *r = s->tx->dmarc;

	if (!r)
		return;
	begin_result(f, "dmarc", dmarc_code_name(r->code));
	if (r->author != AUTHOR_ONE)
		put_comment(f, r->reason);
	else if (!text_empty(r->found_at))
		put_policy(f, s, r);
	if (!text_empty(r->domain))
		put_property(f, "header.from", r->domain);
}

struct text results_field(const struct session *s)
{
	struct arena *a = &s->tx->arena;
	const size_t signatures = s->tx->dkim ? s->tx->dkim->count : 0;
	const size_t room = FIELD_MAX + signatures * SIGNATURE_MAX;
	struct field f = {.out = buf_over(arena_alloc(a, room), room), .empty = true};

	buf_text(&f.out, LIT("Authentication-Results:"));
	f.column = f.out.n;
	put_word(&f, s->config->authserv_ids.v[0]);
	put_auth(&f, s);
	if (!s->own) {
		put_iprev(&f, s);
		put_spf(&f, s, SPF_MAILFROM);
		/* Of the null sender it is the same. */
		if (!s->tx->null_sender)
			put_spf(&f, s, SPF_HELO);
		put_dkim(&f, s);
		put_dmarc(&f, s);
	}
	if (f.empty)
		buf_text(&f.out, LIT("; none"));
	buf_text(&f.out, LIT("\r\n"));
	return buf_view(&f.out);
}

/* ---- For the log */

void results_spf(const struct session *s, struct buf *out)
{
	const struct spf_result *r = &s->tx->spf.results[SPF_MAILFROM];

	if (s->tx->spf.asked[SPF_MAILFROM])
		buf_printf(out, "%s %.*s", spf_code_name(r->code), TEXT(r->domain));
}

/* The first signature that passes, else the first. */
void results_dkim(const struct session *s, struct buf *out)
{
	const struct dkim_result *r = s->tx->dkim;
	const struct dkim_signature *shown;

	if (!r)
		return;
	if (r->count == 0) {
		buf_text(out, r->judged ? LIT("none") : LIT("temperror"));
		return;
	}
	shown = &r->signatures[0];
	for (size_t i = r->count; i-- > 0;) {
		if (r->signatures[i].code == DKIM_PASS)
			shown = &r->signatures[i];
	}
	buf_printf(out, "%s %.*s", dkim_code_name(shown->code), TEXT(shown->domain));
}

void results_dmarc(const struct session *s, struct buf *out)
{
	const struct dmarc_result *r = s->tx->dmarc;

	if (!r)
		return;
	buf_printf(out, "%s%s%.*s", dmarc_code_name(r->code), r->domain.n ? " " : "",
		   TEXT(r->domain));
	if (r->code == DMARC_FAIL)
		buf_printf(out, " %s%s%.*s", dmarc_policy_name(r->policy),
			   r->override.n ? ", " : "", TEXT(r->override));
}

struct cuts results_forged(const struct session *s, struct text section)
{
	const struct text_list *ids = &s->config->authserv_ids;
	struct cuts cuts = forged_results(section, ids->v, ids->n, &s->tx->arena);

	if (cuts.n)
		s->world.ops->count(s->world.self, METRIC_forged_results, 1);
	return cuts;
}
