/* Replies. */
#include "worker/smtp/reply.h"

#include <stdarg.h>

static void put_text(struct conn *c, struct text t)
{
	conn_put(c, t.p, t.n);
}

/* What stands before the words.  Every command gets a reply: no printf where there is nothing to
 * format. */
static void put_codes(struct conn *c, int code, struct text enhanced)
{
	const char digits[4] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
				(char)('0' + code % 10), ' '};

	conn_put(c, digits, sizeof(digits));
	if (enhanced.n == 0)
		return;
	put_text(c, enhanced);
	conn_put(c, " ", 1);
}

static void put_decision(struct smtp_session *ss, const struct decision *d, bool enhanced)
{
	struct conn *c = &ss->conn;

	put_codes(c, d->code, enhanced ? d->enhanced : LIT(""));
	put_text(c, d->text);
	conn_put(c, "\r\n", 2);
}

static void close_after(struct smtp_session *ss, const struct decision *d)
{
	if (ss->done || (d->code != 421 && !d->close))
		return;
	/* A refusal that ends the session is followed by the 421 which says so (RFC 5321 3.8). */
	if (d->code != 421) {
		const struct decision closing = engine_reply(&ss->s, d->closing);

		put_decision(ss, &closing, true);
	}
	smtp_session_end(ss, catalog_row(d->reply)->id);
}

void reply_decision(struct smtp_session *ss, const struct decision *d)
{
	put_decision(ss, d, true);
	close_after(ss, d);
}

void reply_decision_plain(struct smtp_session *ss, const struct decision *d)
{
	put_decision(ss, d, false);
	close_after(ss, d);
}

void reply_catalog(struct smtp_session *ss, enum reply_id id)
{
	const struct decision d = engine_reply(&ss->s, id);

	reply_decision(ss, &d);
}

void reply_mistake(struct smtp_session *ss, const struct decision *d)
{
	ss->errors++;
	metric_add(ss->server->slot, METRIC_protocol_errors, 1);
	reply_decision(ss, d);
}

void reply_error(struct smtp_session *ss, enum reply_id id)
{
	const struct decision d = engine_reply(&ss->s, id);

	reply_mistake(ss, &d);
}

void reply_again(struct smtp_session *ss, enum reply_id id)
{
	char line[160];
	struct buf b = buf_over(line, sizeof(line));

	metric_add(ss->server->slot, METRIC_messages_deferred, 1);
	reply_bare_line(id, true, &b);
	conn_put(&ss->conn, b.p, b.n);
}

void reply_ok(struct smtp_session *ss, int code, const char *enhanced, const char *fmt, ...)
{
	struct conn *c = &ss->conn;
	va_list ap;

	put_codes(c, code, text_of(enhanced));
	va_start(ap, fmt);
	if (strchr(fmt, '%'))
		conn_vprintf(c, fmt, ap);
	else
		put_text(c, text_of(fmt));
	va_end(ap);
	conn_put(c, "\r\n", 2);
}

void reply_bare_line(enum reply_id id, bool with_enhanced, struct buf *out)
{
	const struct catalog_row *row = catalog_row(id);

	buf_printf(out, "%d ", row->code);
	if (with_enhanced && row->enhanced[0])
		buf_printf(out, "%s ", row->enhanced);
	buf_printf(out, "%s\r\n", row->text);
}
