/* The anti-virus question: its two bodies, and the inspector's function. */
#include "worker/inspect/antivirus.h"

#include "worker/inspect/engine.h"
#include "worker/inspect/hidden.h"
#include "worker/inspect/scratch.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	REASON_MAX = 200,
	/* Memory that a larger message took goes back to the kernel. */
	LARGE_BYTES = 4 << 20,
};

bool antivirus_question_put(struct buf *b, uint64_t size)
{
	wire_put_u64(b, size);
	return !b->cut;
}

bool antivirus_question_get(struct text body, uint64_t *size)
{
	struct reader r = reader_over(body);

	*size = wire_get_u64(&r);
	return reader_done(&r);
}

void antivirus_answer_put(struct buf *b, const struct scan_result *r)
{
	wire_put_u8(b, (uint8_t)r->code);
	wire_put_text(b, r->reason);
	wire_put_u8(b, (uint8_t)r->match_count);
	for (size_t i = 0; i < r->match_count; i++)
		wire_put_text(b, r->matches[i].name);
}

static bool is_plain(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < ' ' || t.p[i] > '~')
			return false;
	}
	return true;
}

bool antivirus_answer_get(struct text body, struct scan_result *out)
{
	struct reader r = reader_over(body);
	const uint8_t code = wire_get_u8(&r);

	*out = (struct scan_result){.reason = wire_get_text(&r, REASON_MAX)};
	out->match_count = wire_get_u8(&r);
	if (r.bad || code > SCAN_DONE || out->match_count > SCAN_MATCHES_MAX ||
	    !is_plain(out->reason))
		return false;
	for (size_t i = 0; i < out->match_count; i++) {
		struct scan_match *m = &out->matches[i];

		m->name = wire_get_text(&r, SCAN_NAME_MAX);
		if (!scan_name_ok(m->name))
			return false;
		m->kind = scan_kind_of(m->name);
	}
	out->code = (enum scan_code)code;
	return reader_done(&r);
}

/* ---- In the inspector */

static bool read_whole(int fd, char *bytes, uint64_t size)
{
	for (uint64_t done = 0; done < size;) {
		const ssize_t n = pread(fd, bytes + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (uint64_t)n;
	}
	return true;
}

static void scan(const struct question *q, uint64_t size, struct arena *a, struct scan_result *r)
{
	static const char prefix[] = ANTIVIRUS_PREFIX;
	const size_t before = sizeof(prefix) - 1;
	char *message = malloc(before + size + 1);

	if (!message) {
		r->reason = LIT("no memory for the message");
		return;
	}
	memcpy(message, prefix, before);
	if (read_whole(q->message_fd, message + before, size)) {
		engine_scan(message, before + size, a, r);
		if (r->code == SCAN_DONE)
			hidden_scan(message + before, size, engine_max_size(), a, r);
	} else {
		r->reason = LIT("the message can't be read");
	}
	free(message);
	if (size > LARGE_BYTES)
		malloc_trim(0);
}

void question_antivirus(struct inquiry *i, struct buf *answer)
{
	struct scan_result r = {.code = SCAN_FAILED};
	uint64_t size;

	if (!antivirus_question_get(i->q->body, &size) || i->q->message_fd < 0) {
		answer->cut = true; /* no answer */
		return;
	}
	if (!engine_is_loaded())
		r = (struct scan_result){.code = SCAN_ABSENT, .reason = LIT("no engine is loaded")};
	else if (size > engine_max_size())
		r.reason = LIT("an engine that takes messages of that size is still loading");
	else
		scan(i->q, size, i->arena, &r);
	scratch_sweep();
	antivirus_answer_put(answer, &r);
}
