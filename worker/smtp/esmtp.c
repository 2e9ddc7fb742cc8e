/* Parameters of MAIL and RCPT: RFC 1870 (SIZE), 6152 (BODY), 3030 (BODY, not BINARYMIME), 6531
 * (SMTPUTF8), 3461 (RET, ENVID, NOTIFY, ORCPT). */
#include "worker/smtp/esmtp.h"

#include "policy/message/esmtp_params.h"
#include "policy/message/utf8.h"

/* RFC 3461 4.2, 4.4. */
#define ENVID_MAX 100
#define ORCPT_MAX 500

enum mail_seen {
	SEEN_SIZE = 1,
	SEEN_BODY = 2,
	SEEN_UTF8 = 4,
	SEEN_RET = 8,
	SEEN_ENVID = 16,
	SEEN_NOTIFY = 32,
	SEEN_ORCPT = 64,
	SEEN_AUTH = 128,
};

static bool once(unsigned *seen, unsigned what)
{
	const bool first = !(*seen & what);

	*seen |= what;
	return first;
}

/* Keeps a checked parameter for the hop: " RET=HDRS ENVID=x", each with its leading blank. */
static void pass_on(struct text *list, struct text whole, struct arena *a)
{
	*list = arena_printf(a, "%.*s %.*s", TEXT(*list), TEXT(whole));
}

static enum esmtp_result size_param(const struct esmtp_param *p, const struct global_settings *g,
				    struct transaction *tx)
{
	/* At most 20 digits (RFC 1870 3); what doesn't fit 64 bits is too big as well. */
	if (!p->has_value || p->value.n > 20)
		return ESMTP_BAD;
	for (size_t i = 0; i < p->value.n; i++) {
		if (p->value.p[i] < '0' || p->value.p[i] > '9')
			return ESMTP_BAD;
	}
	if (!text_u64(p->value, &tx->declared_size) || tx->declared_size > g->max_message_size)
		return ESMTP_TOO_BIG;
	return ESMTP_OK;
}

static enum esmtp_result body_param(const struct esmtp_param *p, struct transaction *tx)
{
	if (text_ieq(p->value, LIT("8BITMIME")))
		tx->body_8bit = true;
	else if (!text_ieq(p->value, LIT("7BIT")))
		return p->has_value ? ESMTP_UNKNOWN : ESMTP_BAD;
	return ESMTP_OK;
}

static enum esmtp_result dsn_param(bool valid, const struct esmtp_param *p, struct text *list,
				   struct arena *a)
{
	if (!valid)
		return ESMTP_BAD;
	pass_on(list, p->whole, a);
	return ESMTP_OK;
}

/* xtext that decodes to no control character: both parameters are of printable characters (RFC
 * 3461 4.2, 4.4), and a hop that decodes carelessly would read a line end. */
static bool xtext_is_printable(struct text t)
{
	if (!xtext_is_valid(t))
		return false;
	for (size_t i = 0; i + 2 < t.n; i++) {
		if (t.p[i] != '+')
			continue;
		if (t.p[i + 1] == '0' || t.p[i + 1] == '1' ||
		    (t.p[i + 1] == '7' && t.p[i + 2] == 'F'))
			return false;
	}
	return true;
}

/* Who submitted the message, as another server says (RFC 4954 5): checked and forgotten, since we
 * trust no server with it and say nothing of it to the next hop. */
static bool auth_is_valid(struct text value)
{
	return value.n > 0 && value.n <= ORCPT_MAX && xtext_is_printable(value);
}

static bool ret_is_valid(const struct esmtp_param *p)
{
	return text_ieq(p->value, LIT("FULL")) || text_ieq(p->value, LIT("HDRS"));
}

static enum esmtp_result mail_param(const struct esmtp_param *p, const struct global_settings *g,
				    bool auth, struct transaction *tx, unsigned *seen)
{
	if (text_ieq(p->keyword, LIT("SIZE")))
		return once(seen, SEEN_SIZE) ? size_param(p, g, tx) : ESMTP_BAD;
	if (text_ieq(p->keyword, LIT("BODY")))
		return once(seen, SEEN_BODY) ? body_param(p, tx) : ESMTP_BAD;
	if (g->smtputf8 && text_ieq(p->keyword, LIT("SMTPUTF8"))) {
		tx->smtputf8 = true;
		return once(seen, SEEN_UTF8) && !p->has_value ? ESMTP_OK : ESMTP_BAD;
	}
	if (g->dsn && text_ieq(p->keyword, LIT("RET")))
		return dsn_param(once(seen, SEEN_RET) && ret_is_valid(p), p, &tx->esmtp,
				 &tx->arena);
	if (g->dsn && text_ieq(p->keyword, LIT("ENVID")))
		return dsn_param(once(seen, SEEN_ENVID) && p->value.n > 0 &&
				     p->value.n <= ENVID_MAX && xtext_is_printable(p->value),
				 p, &tx->esmtp, &tx->arena);
	if (auth && text_ieq(p->keyword, LIT("AUTH")))
		return once(seen, SEEN_AUTH) && auth_is_valid(p->value) ? ESMTP_OK : ESMTP_BAD;
	return ESMTP_UNKNOWN;
}

enum esmtp_result esmtp_mail(struct text params, const struct global_settings *g, bool auth,
			     struct transaction *tx)
{
	unsigned seen = 0;

	for (;;) {
		struct esmtp_param p;
		enum esmtp_result r;

		switch (esmtp_param_next(&params, &p)) {
		case ESMTP_END:
			return ESMTP_OK;
		case ESMTP_SYNTAX:
			return ESMTP_BAD;
		default:
			r = mail_param(&p, g, auth, tx, &seen);
			if (r != ESMTP_OK)
				return r;
		}
	}
}

/* NEVER alone, or a list of SUCCESS, FAILURE, DELAY, each once. */
static bool notify_is_valid(struct text value)
{
	static const char *const words[] = {"SUCCESS", "FAILURE", "DELAY"};
	unsigned seen = 0;
	bool more = true;

	if (text_ieq(value, LIT("NEVER")))
		return true;
	while (more) {
		struct text word;
		unsigned i = 0;

		more = text_split(value, ',', &word, &value);
		while (i < 3 && !text_ieq(word, text_of(words[i])))
			i++;
		if (i == 3 || !once(&seen, 1U << i))
			return false;
	}
	return true;
}

/* "rfc822;xtext", or with "utf-8;" the encodings of RFC 6533 3, which are made of the same bytes.
 */
static bool orcpt_is_valid(struct text value)
{
	struct text type, address;

	if (value.n > ORCPT_MAX || !text_split(value, ';', &type, &address) || !type.n ||
	    !address.n)
		return false;
	for (size_t i = 0; i < type.n; i++) {
		const char c = type.p[i] | 0x20;

		if (!(c >= 'a' && c <= 'z') && !(type.p[i] >= '0' && type.p[i] <= '9') &&
		    type.p[i] != '-')
			return false;
	}
	return text_ieq(type, LIT("utf-8")) ? text_is_ascii(address) : xtext_is_printable(address);
}

static enum esmtp_result rcpt_param(const struct esmtp_param *p, const struct global_settings *g,
				    struct transaction *tx, struct recipient *r, unsigned *seen)
{
	if (g->dsn && text_ieq(p->keyword, LIT("NOTIFY")))
		return dsn_param(once(seen, SEEN_NOTIFY) && notify_is_valid(p->value), p, &r->esmtp,
				 &tx->arena);
	if (g->dsn && text_ieq(p->keyword, LIT("ORCPT")))
		return dsn_param(once(seen, SEEN_ORCPT) && orcpt_is_valid(p->value), p, &r->esmtp,
				 &tx->arena);
	return ESMTP_UNKNOWN;
}

enum esmtp_result esmtp_rcpt(struct text params, const struct global_settings *g,
			     struct transaction *tx, struct recipient *r)
{
	unsigned seen = 0;

	for (;;) {
		struct esmtp_param p;
		enum esmtp_result result;

		switch (esmtp_param_next(&params, &p)) {
		case ESMTP_END:
			return ESMTP_OK;
		case ESMTP_SYNTAX:
			return ESMTP_BAD;
		default:
			result = rcpt_param(&p, g, tx, r, &seen);
			if (result != ESMTP_OK)
				return result;
		}
	}
}
