/* The domain of the sender, of HELO or of the client's confirmed name, or one above it, is on the
 * list of bans; by the option `author` also that of From:, once the message is there. */
#include "policy/listed.h"

/* Asks for one domain; true: banned, and *out says so. */
static bool is_banned(const struct session *s, struct text domain, const char *what,
		      enum answer *answer, struct verdict *out)
{
	struct list_entry e;
	enum answer a;

	/* Only names: an address literal, or a word without a dot, is on no list. */
	if (text_find(domain, '.') == domain.n || domain.p[0] == '[')
		return false;
	a = ban_find(s, LIST_DOMAIN, domain, &e);
	if (a == ANSWER_UNKNOWN)
		*answer = a;
	if (a != ANSWER_YES)
		return false;
	*out =
	    refuse_by_policy(REPLY_BANNED_DOMAIN, arena_text(check_arena(s), text_of(e.key)),
			     fact(s, "%s %.*s: %.*s", what, TEXT(domain), TEXT(ban_fact(s, &e))));
	return true;
}

static bool is_domain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/* The domain of the next mailbox in a From: body at *at; quoted strings and comments name nobody.
 */
static bool next_author(struct text body, size_t *at, struct text *domain)
{
	unsigned comment = 0;
	bool quoted = false;

	for (size_t i = *at; i < body.n; i++) {
		char c = body.p[i];

		if (c == '\\')
			i++;
		else if (quoted || (c == '"' && !comment))
			quoted = quoted != (c == '"');
		else if (c == '(')
			comment++;
		else if (c == ')' && comment)
			comment--;
		else if (c == '@' && !comment) {
			size_t start = i + 1, end = start;

			while (end < body.n && is_domain_char(body.p[end]))
				end++;
			*at = end;
			*domain = text_make(body.p + start, end - start);
			return true;
		}
	}
	return false;
}

/* A From: of very many mailboxes is no reason to ask very often. */
enum { AUTHORS_MAX = 10 };

static bool author_is_banned(const struct session *s, enum answer *answer, struct verdict *out)
{
	const struct header_field *from = header_find(s->tx->header, LIT("From"), NULL);
	struct text domain;
	size_t at = 0;

	for (int i = 0; from && i < AUTHORS_MAX && next_author(from->body, &at, &domain); i++) {
		if (!text_empty(domain) && is_banned(s, domain, "From:", answer, out))
			return true;
	}
	return false;
}

struct verdict check_banned_domain(const struct session *s, const struct settings *set)
{
	enum answer answer = ANSWER_NO;
	struct verdict v;

	if (!text_empty(s->tx->from.domain) &&
	    is_banned(s, s->tx->from.domain, "sender", &answer, &v))
		return v;
	if (!text_empty(s->helo) && !text_ieq(s->helo, s->tx->from.domain) &&
	    !ip_parse(s->helo, NULL) && is_banned(s, s->helo, "HELO", &answer, &v))
		return v;
	if (!text_empty(s->host) && !text_ieq(s->host, s->helo) &&
	    is_banned(s, s->host, "host name", &answer, &v))
		return v;
	if (s->tx->header && set->banned_domain.author && author_is_banned(s, &answer, &v))
		return v;
	return answer == ANSWER_UNKNOWN ? ban_unknown() : pass();
}
