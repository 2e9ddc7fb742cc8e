/* The message on its way out (worker/delivery/outflow.h). */
#include "worker/delivery/outflow.h"

#include "worker/delivery/host.h"

static enum hop_result flush(struct outflow *o)
{
	int64_t deadline_us = loop_now_us(o->hop->host->routes->loop) + o->timeout_us;
	enum conn_result sent = conn_writev(&o->hop->conn, o->pieces, o->n, deadline_us);

	o->n = 0;
	return hop_result_of(sent);
}

static enum hop_result put(struct outflow *o, const char *p, size_t n)
{
	enum hop_result got = HOP_OK;

	if (n == 0)
		return HOP_OK;
	if (o->n == OUTFLOW_PIECES)
		got = flush(o);
	o->pieces[o->n++] = (struct iovec){(char *)p, n};
	return got;
}

/* The offset of the first dot that begins a line, or n.  (The message's lines all end in CR LF, and
 * only CR LF makes a line: RFC 5321 4.5.2.) */
static size_t find_dot(const struct outflow *o, const char *p, size_t n)
{
	const char *end = p + n, *at = p;

	if (n && p[0] == '.' && o->line_start)
		return 0;
	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		bool crlf = at > p ? at[-1] == '\r' : o->cr;

		if (++at == end)
			break;
		if (*at == '.' && crlf)
			return (size_t)(at - p);
	}
	return n;
}

static void note_end(struct outflow *o, const char *p, size_t n)
{
	bool cr = n > 1 ? p[n - 2] == '\r' : o->cr;

	o->line_start = p[n - 1] == '\n' && cr;
	o->cr = p[n - 1] == '\r';
}

static enum hop_result put_piece(struct outflow *o, const char *p, size_t n)
{
	enum hop_result got = HOP_OK;

	while (o->stuff && n && got == HOP_OK) {
		size_t dot = find_dot(o, p, n);

		if (dot == n)
			break;
		/* The dot goes out as the end of this piece and as the beginning of the next. */
		got = put(o, p, dot + 1);
		p += dot;
		n -= dot;
		o->line_start = o->cr = false;
	}
	if (n == 0 || got != HOP_OK)
		return got;
	note_end(o, p, n);
	return put(o, p, n);
}

static enum hop_result put_message(struct outflow *o, const struct payload *p)
{
	struct payload_place at = payload_begin(p);
	struct iovec pieces[32];
	enum hop_result got;

	for (;;) {
		int n = sizeof(pieces) / sizeof(pieces[0]);

		if (payload_pieces(p, &at, pieces, &n) != SPOOL_OK)
			return HOP_OURS;
		if (n == 0)
			return HOP_OK;
		for (int i = 0; i < n; i++) {
			got = put_piece(o, pieces[i].iov_base, pieces[i].iov_len);
			if (got != HOP_OK)
				return got;
		}
		/* A piece of the file is valid until the next only. */
		if (!spool_in_memory(p->message) && (got = flush(o)) != HOP_OK)
			return got;
	}
}

static enum hop_result put_end(struct outflow *o)
{
	if (!o->stuff)
		return HOP_OK;
	/* A last line without its end gets one. */
	return o->line_start ? put(o, ".\r\n", 3) : put(o, "\r\n.\r\n", 5);
}

enum hop_result outflow_send(struct hop *hop, int64_t timeout_us, bool stuff,
			     const struct payload *p)
{
	struct outflow o = {
	    .hop = hop, .timeout_us = timeout_us, .stuff = stuff, .line_start = true};
	enum hop_result got = put_piece(&o, p->fields.p, p->fields.n);

	if (got == HOP_OK)
		got = put_message(&o, p);
	if (got == HOP_OK)
		got = put_end(&o);
	return got == HOP_OK ? flush(&o) : got;
}
