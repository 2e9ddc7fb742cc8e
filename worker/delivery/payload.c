/* The message as it goes on (worker/delivery/payload.h). */
#include "worker/delivery/payload.h"

uint64_t payload_size(const struct payload *p)
{
	uint64_t n = p->fields.n + spool_size(p->message);

	for (size_t i = 0; i < p->cuts.n; i++)
		n -= p->cuts.v[i].end - p->cuts.v[i].start;
	return n;
}

static void move(struct payload_place *at, uint64_t n)
{
	const size_t of_read = n < at->read.n ? (size_t)n : at->read.n;

	at->offset += n;
	at->read = text_make(at->read.p + of_read, at->read.n - of_read);
}

/* Cuts don't touch each other: there is something behind each, or the end. */
static void skip_cut(const struct payload *p, struct payload_place *at)
{
	if (at->cut == p->cuts.n || at->offset != p->cuts.v[at->cut].start)
		return;
	move(at, p->cuts.v[at->cut].end - at->offset);
	at->cut++;
}

struct payload_place payload_begin(const struct payload *p)
{
	struct payload_place at = {.offset = 0};

	skip_cut(p, &at);
	return at;
}

bool payload_ended(const struct payload *p, const struct payload_place *at)
{
	return at->offset == spool_size(p->message);
}

/* Up to the next cut, of what has been read. */
static struct text take(const struct payload *p, struct payload_place *at)
{
	struct text t = at->read;

	if (at->cut < p->cuts.n && p->cuts.v[at->cut].start - at->offset < t.n)
		t.n = (size_t)(p->cuts.v[at->cut].start - at->offset);
	move(at, t.n);
	skip_cut(p, at);
	return t;
}

enum spool_result payload_pieces(const struct payload *p, struct payload_place *at,
				 struct iovec *iov, int *n)
{
	const int room = *n;

	for (*n = 0; *n < room && !payload_ended(p, at);) {
		if (at->read.n == 0) {
			uint64_t offset = at->offset;
			enum spool_result got;

			/* What has been given out of a file would be overwritten. */
			if (*n && !spool_in_memory(p->message))
				break;
			got = spool_next(p->message, &offset, &at->read);
			if (got != SPOOL_OK || at->read.n == 0)
				return got == SPOOL_OK ? SPOOL_ERROR : got;
		}
		const struct text t = take(p, at);
		iov[(*n)++] = (struct iovec){(char *)t.p, t.n};
	}
	return SPOOL_OK;
}
