/* BDAT (RFC 3030): the message in chunks.  A chunk that is refused is read all the same, or the
 * client and we would disagree about what is a command. */
#include "worker/smtp/command.h"
#include "worker/smtp/deadlines.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/secure.h"
#include "worker/smtp/session_log.h"

/* Nobody means to send a chunk larger than this: it is refused and the connection closed, because
 * swallowing it would serve nobody. */
#define CHUNK_MAX (UINT64_C(1) << 31)

struct chunk {
	uint64_t size;
	bool last;
};

static bool is_number(struct text t)
{
	size_t i = 0;

	while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9')
		i++;
	return t.n > 0 && i == t.n;
}

enum parsed { PARSED, NO_CHUNK, HUGE_CHUNK };

static enum parsed parse(struct text args, struct chunk *out)
{
	struct text size, last;

	text_split(args, ' ', &size, &last);
	last = text_trim(last);
	out->last = text_ieq(last, LIT("LAST"));
	if (!is_number(size) || (last.n > 0 && !out->last))
		return NO_CHUNK;
	return text_u64(size, &out->size) && out->size <= CHUNK_MAX ? PARSED : HUGE_CHUNK;
}

/* Reads a chunk, into the message or (NULL) to nowhere; false: the connection is gone. */
static bool read_chunk(struct smtp_session *ss, uint64_t left, struct body *body,
		       struct conn_rate *rate, uint64_t *received)
{
	while (left > 0) {
		struct text block;
		const enum conn_result r =
		    conn_read_some(&ss->conn, &block, left < SIZE_MAX ? (size_t)left : SIZE_MAX,
				   conn_rate_deadline(rate, *received));

		if (r != CONN_OK) {
			smtp_session_lost(ss, r);
			return false;
		}
		if (body)
			body_feed(body, block.p, block.n);
		left -= block.n;
		*received += block.n;
		conn_consume(&ss->conn, block.n);
	}
	return true;
}

static bool swallow(struct smtp_session *ss, uint64_t size)
{
	struct conn_rate rate;
	uint64_t received = 0;

	deadline_message(ss, &rate);
	return read_chunk(ss, size, NULL, &rate, &received);
}

/* What the first chunk of a message is judged by; not refused: it may come. */
static struct decision judge_first(struct smtp_session *ss)
{
	struct decision d;

	if (ss->tx.recipient_count == 0 && !ss->tx.poisoned)
		return engine_reply(&ss->s, REPLY_NO_RECIPIENTS);
	d = engine_data(&ss->s);
	if (!d.refused && !smtp_intake_begin(ss, false))
		d = engine_reply(&ss->s, REPLY_NO_SPACE);
	return d;
}

/* The chunk's reply, once it has been read.  The transaction is over: RFC 3030 2 wants RSET now,
 * and the chunks that were sent meanwhile find no transaction. */
static void refuse(struct smtp_session *ss, const struct decision *d, uint64_t size)
{
	if (!swallow(ss, size))
		return;
	session_log_decision(ss, d);
	reply_decision(ss, d);
	smtp_transaction_end(ss);
}

static void take(struct smtp_session *ss, const struct chunk *c)
{
	struct intake *in = &ss->intake;

	if (!read_chunk(ss, c->size, &in->body, &in->rate, &in->received))
		return;
	if (c->last) {
		body_finish(&in->body);
		smtp_intake_finish(ss);
	} else if (in->too_big || in->spooled != SPOOL_OK) {
		const struct decision d =
		    engine_reply(&ss->s, in->too_big ? REPLY_TOO_BIG : REPLY_NO_SPACE);

		refuse(ss, &d, 0);
	} else {
		reply_ok(ss, 250, "2.0.0", "%llu octets received", (unsigned long long)c->size);
	}
}

void cmd_bdat(struct smtp_session *ss, struct text args)
{
	struct chunk c;

	const enum parsed parsed = parse(args, &c);

	if (parsed != PARSED) {
		/* Where the next command begins can't be known, or is too far away. */
		reply_error(ss, parsed == HUGE_CHUNK ? REPLY_TOO_BIG : REPLY_BAD_SYNTAX);
		smtp_session_end(ss, "BDAT that can't be followed");
		return;
	}
	if (ss->state != SMTP_MAIL && ss->state != SMTP_RCPT && ss->state != SMTP_BDAT) {
		if (swallow(ss, c.size))
			reply_error(ss, secure_is_missing(ss) ? REPLY_TLS_REQUIRED
							      : REPLY_BAD_SEQUENCE);
		return;
	}
	if (ss->state != SMTP_BDAT) {
		const struct decision d = judge_first(ss);

		if (d.refused) {
			refuse(ss, &d, c.size);
			return;
		}
		ss->state = SMTP_BDAT;
	}
	take(ss, &c);
}
