/* A clamd's side of the protocol: a command, chunks with their lengths, a line. */
#include "worker/inspect/clamd.h"

#include "worker/inspect/antivirus.h"
#include "worker/io/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

enum { PIECES = 31, REPLY_MAX = 1024 };

/* ---- The reply */

static bool take_suffix(struct text *t, struct text suffix)
{
	if (t->n < suffix.n || !text_eq(text_make(t->p + t->n - suffix.n, suffix.n), suffix))
		return false;
	t->n -= suffix.n;
	return true;
}

static void take_prefix(struct text *t, struct text prefix)
{
	if (text_istarts(*t, prefix))
		*t = text_make(t->p + prefix.n, t->n - prefix.n);
}

void clamd_read_reply(struct text line, struct scan_result *out)
{
	*out = (struct scan_result){.code = SCAN_FAILED, .reason = LIT("clamd answers nonsense")};
	/* In front of its other replies it puts what they are about. */
	take_prefix(&line, LIT("stream: "));
	if (text_eq(line, LIT("OK"))) {
		out->code = SCAN_DONE;
		out->reason = LIT("");
	} else if (take_suffix(&line, LIT(" FOUND"))) {
		if (!scan_name_ok(line))
			line = LIT("without-a-name");
		out->code = SCAN_DONE;
		out->reason = LIT("");
		out->matches[out->match_count++] = (struct scan_match){scan_kind_of(line), line};
	} else if (text_istarts(line, LIT("INSTREAM size limit exceeded"))) {
		out->reason = LIT("clamd takes no message of that size: raise its StreamMaxLength");
	} else if (take_suffix(&line, LIT(" ERROR"))) {
		out->reason = LIT("clamd has an error");
	}
}

/* ---- The message */

struct chunk {
	uint32_t length;              /* of the pieces, big-endian */
	struct iovec iov[PIECES + 1]; /* the first is for the length */
};

static enum conn_result send_chunk(struct conn *c, struct chunk *k, int pieces, int64_t deadline_us)
{
	uint32_t length = 0;

	for (int i = 1; i <= pieces; i++)
		length += (uint32_t)k->iov[i].iov_len;
	k->length = htonl(length);
	k->iov[0] = (struct iovec){&k->length, sizeof(k->length)};
	return conn_writev(c, k->iov, pieces + 1, deadline_us);
}

static enum conn_result send_start(struct conn *c, struct chunk *k, int64_t deadline_us)
{
	static const char prefix[] = ANTIVIRUS_PREFIX;

	conn_put(c, "nINSTREAM\n", 10);
	k->iov[1] = (struct iovec){(void *)prefix, sizeof(prefix) - 1};
	return send_chunk(c, k, 1, deadline_us);
}

/* False: the message can't be read; else *r says how the sending went. */
static bool send_message(struct conn *c, const struct clamd_request *rq, enum conn_result *r)
{
	struct chunk k;
	int n;

	*r = send_start(c, &k, rq->deadline_us);
	do {
		n = PIECES;
		if (*r != CONN_OK)
			return true;
		if (!rq->next(rq->self, k.iov + 1, &n))
			return false;
		/* An empty chunk is the end. */
		*r = send_chunk(c, &k, n, rq->deadline_us);
	} while (n > 0);
	return true;
}

/* ---- The whole */

/* The line, or nothing and a reason in `why`. */
static bool converse(struct conn *c, const struct clamd_request *rq, struct buf *line,
		     struct buf *why)
{
	enum conn_result r;
	struct text reply;

	if (!send_message(c, rq, &r)) {
		buf_printf(why, "the message can't be read");
		return false;
	}
	if (r == CONN_OK)
		r = conn_getline(c, &reply, REPLY_MAX, rq->deadline_us);
	if (r != CONN_OK) {
		buf_printf(why, "clamd broke off: %s", conn_result_text(c, r));
		return false;
	}
	buf_text(line, reply);
	return true;
}

void clamd_scan(const struct clamd_request *rq, struct arena *a, struct scan_result *out)
{
	char reply[REPLY_MAX + 1], message[256];
	struct buf line = buf_over(reply, sizeof(reply)), why = buf_over(message, sizeof(message));
	struct conn c;
	int error;
	const enum conn_result r =
	    conn_connect(rq->loop, rq->address, rq->address_length, rq->deadline_us, &c, &error);

	*out = (struct scan_result){.code = SCAN_FAILED};
	if (r != CONN_OK) {
		out->code = r == CONN_ERROR ? SCAN_ABSENT : SCAN_FAILED;
		out->reason = arena_printf(a, "clamd can't be reached: %s", strerrordesc_np(error));
		return;
	}
	const bool answered = converse(&c, rq, &line, &why);
	conn_close(&c);
	if (answered)
		clamd_read_reply(arena_text(a, buf_view(&line)), out);
	else
		out->reason = arena_text(a, buf_view(&why));
}
