/* Decoding by our own walker what the engine can't decode, and showing it to the engine. */
#include "worker/inspect/hidden.h"

#include "policy/message/mime.h"
#include "worker/inspect/antivirus.h"
#include "worker/inspect/archive_parts.h"
#include "worker/inspect/engine.h"

#include <stdlib.h>

enum {
	FILES_MAX = 64,
	HIDDEN = 1 << MIME_YENC | 1 << MIME_CMS,
};

struct hidden {
	struct archive_parts parts;
	struct arena *arena;
	struct scan_result *out;
};

static const struct mime_facts *walk(const char *message, size_t n, struct arena *a)
{
	static const struct mime_bounds bounds = {50, 1000, 2000, 4096};
	struct mime *m = mime_begin(a, &bounds);

	mime_feed(m, message, n);
	return mime_end(m);
}

static size_t count_hidden(const struct mime_facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += (f->parts[i].encodings & HIDDEN) != 0;
	return n;
}

static struct archives_part *rows_of(const struct mime_facts *f, struct arena *a)
{
	struct archives_part *rows = arena_alloc(a, f->count * sizeof(*rows));

	for (size_t i = 0; i < f->count; i++) {
		const struct mime_part *p = &f->parts[i];

		rows[i] = (struct archives_part){.inside = p->inside,
						 .offset = p->offset,
						 .length = p->length,
						 .encodings = p->encodings,
						 .asked = (p->encodings & HIDDEN) != 0};
	}
	return rows;
}

static void add(struct hidden *h, const struct scan_match *m)
{
	struct scan_result *out = h->out;

	for (size_t i = 0; i < out->match_count; i++) {
		if (text_eq(out->matches[i].name, m->name))
			return;
	}
	if (out->match_count < SCAN_MATCHES_MAX)
		out->matches[out->match_count++] = *m;
	/* A real signature takes the place of an opinion. */
	else if (m->kind < out->matches[SCAN_MATCHES_MAX - 1].kind)
		out->matches[SCAN_MATCHES_MAX - 1] = *m;
}

static void add_limit(struct hidden *h)
{
	add(h, &(struct scan_match){.kind = SCAN_LIMITS,
				    .name = LIT("Heuristics.Limits.Exceeded.MaxFiles")});
}

/* A content of S/MIME is a message, as the engine knows one by its first field. */
static void scan_bytes(struct hidden *h, const unsigned char *p, size_t n)
{
	static const char prefix[] = ANTIVIRUS_PREFIX;
	const size_t before = sizeof(prefix) - 1;
	struct scan_result r = {.code = SCAN_FAILED, .reason = LIT("no memory for a file")};
	char *bytes = malloc(before + n + 1);

	if (bytes) {
		memcpy(bytes, prefix, before);
		if (n > 0)
			memcpy(bytes + before, p, n);
		/* As a message, and as the file that it may be. */
		engine_scan(bytes, before + n, h->arena, &r);
		for (size_t i = 0; i < r.match_count; i++)
			add(h, &r.matches[i]);
		if (r.code == SCAN_DONE)
			engine_scan(bytes + before, n, h->arena, &r);
		for (size_t i = 0; i < r.match_count; i++)
			add(h, &r.matches[i]);
		free(bytes);
	}
	if (r.code != SCAN_DONE) {
		h->out->code = r.code;
		h->out->reason = r.reason;
	}
}

static void scan_part(struct hidden *h, unsigned part)
{
	struct archive_reading r;
	const unsigned char *p;
	unsigned limits = 0;
	size_t n;

	archive_reading_first(&h->parts, part, &r);
	if (r.depth == 0)
		add_limit(h);
	for (; r.depth > 0 && h->out->code == SCAN_DONE; archive_reading_next(&h->parts, &r)) {
		if (archive_parts_bytes(&h->parts, &r, &p, &n, &limits))
			scan_bytes(h, p, n);
		else
			break;
	}
	if (limits)
		add_limit(h);
}

void hidden_scan(const char *message, size_t n, uint64_t max_size, struct arena *a,
		 struct scan_result *out)
{
	const struct mime_facts *f = walk(message, n, a);
	const size_t count = count_hidden(f);
	struct hidden h = {.arena = a, .out = out};
	size_t done = 0;

	if (count == 0)
		return;
	const struct archives_request rq = {
	    .parts = rows_of(f, a),
	    .count = f->count,
	    /* Each of a chain is decoded from the one before. */
	    .bounds.bytes = 4 * max_size,
	};
	archive_parts_over(&h.parts, (const unsigned char *)message, n, &rq);
	for (unsigned i = 0; i < rq.count && done < FILES_MAX && out->code == SCAN_DONE; i++) {
		if (!rq.parts[i].asked)
			continue;
		scan_part(&h, i);
		done++;
	}
	if (done == FILES_MAX && count > FILES_MAX)
		add_limit(&h);
	archive_parts_close(&h.parts);
}
