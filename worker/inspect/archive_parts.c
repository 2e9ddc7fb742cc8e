/* Parts of a message: found, mapped, decoded. */
#include "worker/inspect/archive_parts.h"

#include "policy/message/mime_decode.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { STEP_BYTES = 64 * 1024 };

bool archive_parts_open(struct archive_parts *parts, int fd, const struct archives_request *rq)
{
	struct stat st;
	void *p;

	*parts = (struct archive_parts){.rq = rq};
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < 0)
		return false;
	if (st.st_size == 0)
		return true;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	archive_parts_over(parts, p, (size_t)st.st_size, rq);
	parts->mapped = true;
	return true;
}

void archive_parts_over(struct archive_parts *parts, const unsigned char *message, size_t size,
			const struct archives_request *rq)
{
	*parts = (struct archive_parts){.rq = rq, .message = message, .size = size};
}

/* Forgets the bodies from `depth` on. */
static void drop(struct archive_parts *parts, size_t depth)
{
	while (parts->depth > depth)
		free(parts->bodies[--parts->depth].own);
}

void archive_parts_close(struct archive_parts *parts)
{
	drop(parts, 0);
	if (parts->mapped)
		munmap((void *)parts->message, parts->size);
}

/* ---- Readings */

/* From `from` on; MIME_ENCODINGS: there is none. */
static enum mime_encoding encoding_from(unsigned bits, unsigned from)
{
	for (unsigned e = from; e < MIME_ENCODINGS; e++) {
		if (bits >> e & 1)
			return (enum mime_encoding)e;
	}
	return MIME_ENCODINGS;
}

/* What a container's parts stand in is what it is decoded to; as it is, they stand in the message.
 */
static unsigned encodings_of(const struct archive_parts *parts, const struct archive_reading *r,
			     size_t level)
{
	const unsigned bits = parts->rq->parts[r->chain[level]].encodings;
	const unsigned identity = 1U << MIME_IDENTITY, encoded = bits & ~identity;

	if (level + 1 < r->depth && encoded)
		return encoded;
	return bits ? bits : identity;
}

void archive_reading_first(const struct archive_parts *parts, unsigned part,
			   struct archive_reading *r)
{
	size_t depth = 0;

	*r = (struct archive_reading){0};
	for (int i = (int)part; i >= 0; i = parts->rq->parts[i].inside) {
		if (++depth > ARCHIVE_PARTS_NESTED)
			return;
	}
	r->depth = depth;
	for (int i = (int)part; i >= 0; i = parts->rq->parts[i].inside)
		r->chain[--depth] = (unsigned)i;
	for (size_t k = 0; k < r->depth; k++)
		r->encodings[k] = encoding_from(encodings_of(parts, r, k), 0);
}

/* The part's own encoding changes first. */
void archive_reading_next(const struct archive_parts *parts, struct archive_reading *r)
{
	for (size_t k = r->depth; k-- > 0;) {
		const unsigned bits = encodings_of(parts, r, k);

		r->encodings[k] = encoding_from(bits, r->encodings[k] + 1U);
		if (r->encodings[k] != MIME_ENCODINGS)
			return;
		r->encodings[k] = encoding_from(bits, 0);
	}
	r->depth = 0;
}

/* ---- Decoding */

static unsigned char *decode(enum mime_encoding encoding, const unsigned char *p, size_t n,
			     size_t *decoded)
{
	struct mime_decoder d = {.encoding = encoding};
	/* Base64 and uuencode give three bytes for four, the others no more than they get. */
	const bool thirds = encoding == MIME_BASE64 || encoding == MIME_UU;
	const size_t most = thirds ? n / 4 * 3 + 4 : n;
	unsigned char *out = malloc(most + STEP_BYTES + MIME_DECODE_MORE);
	size_t used = 0;

	for (size_t at = 0; out && at < n; at += STEP_BYTES) {
		const size_t step = n - at < STEP_BYTES ? n - at : STEP_BYTES;

		used += mime_decode(&d, (const char *)p + at, step, (char *)out + used);
	}
	*decoded = used;
	return out;
}

/* The next body, in the last of those that are there, or in the message. */
static bool go_deeper(struct archive_parts *parts, unsigned part, enum mime_encoding encoding,
		      unsigned *limits)
{
	const struct archives_part *row = &parts->rq->parts[part];
	const struct archive_body *above = parts->depth ? &parts->bodies[parts->depth - 1] : NULL;
	const unsigned char *p = above ? above->p : parts->message;
	const size_t n = above ? above->n : parts->size;
	const size_t offset = row->offset < n ? (size_t)row->offset : n;
	const size_t length = row->length < n - offset ? (size_t)row->length : n - offset;
	struct archive_body body = {part, encoding, p ? p + offset : NULL, length, NULL};

	if (encoding != MIME_IDENTITY && length > 0) {
		if (parts->decoded + length > parts->rq->bounds.bytes) {
			*limits |= ARCHIVES_LIMIT_BYTES;
			return false;
		}
		parts->decoded += length;
		body.own = decode(encoding, body.p, length, &body.n);
		body.p = body.own;
		if (!body.own) {
			*limits |= ARCHIVES_LIMIT_MEMORY;
			return false;
		}
	}
	parts->bodies[parts->depth++] = body;
	return true;
}

bool archive_parts_bytes(struct archive_parts *parts, const struct archive_reading *r,
			 const unsigned char **p, size_t *n, unsigned *limits)
{
	size_t same = 0;

	/* Parts of one container follow each other: it is decoded once. */
	while (same < r->depth && same < parts->depth &&
	       parts->bodies[same].part == r->chain[same] &&
	       parts->bodies[same].encoding == r->encodings[same])
		same++;
	drop(parts, same);
	while (parts->depth < r->depth) {
		if (!go_deeper(parts, r->chain[parts->depth], r->encodings[parts->depth], limits))
			return false;
	}
	*p = parts->bodies[r->depth - 1].p;
	*n = parts->bodies[r->depth - 1].n;
	return true;
}
