/* What is ours of reading archives: the scan of zips, the decoding of a message's parts, what is
 * told of files, and the two bodies of the question.  Whatever the bytes, nothing is read outside,
 * names stand in the bytes, and what is written as an answer is read as one. */
#include "policy/message/mime.h"
#include "policy/message/utf8.h"
#include "worker/inspect/archive.h"
#include "worker/inspect/archive_findings.h"
#include "worker/inspect/archive_marks.h"
#include "worker/inspect/archive_parts.h"
#include "worker/inspect/archive_zip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HEADERS_MAX = 100, PARTS_MAX = 6 };

static const struct archives_bounds bounds = {4, 50, 1 << 20, 1000};

static void require(bool fact)
{
	if (!fact)
		abort();
}

struct telling {
	struct archive_findings found;
	struct text all;
	unsigned names;
};

static void tell(void *arg, const struct archive_zip_name *name)
{
	struct telling *t = arg;

	require(name->name.n > 0);
	require(name->name.p >= t->all.p && name->name.p + name->name.n <= t->all.p + t->all.n);
	t->names++;
	archive_findings_add(&t->found, &(struct archive_found){.folder = LIT("x"),
								.name = name->name,
								.encrypted = name->encrypted,
								.kinds = t->names % 3,
								.only_name = t->names % 2});
}

static void check_files(struct text files)
{
	struct reader r = reader_over(files);

	while (r.n > 0) {
		wire_get_u16(&r);
		wire_get_u8(&r);
		wire_get_u64(&r);
		require(utf8_is_valid(wire_get_text(&r, ARCHIVES_PATH_MAX)));
		require(!r.bad);
	}
}

static void try_zip(struct text t)
{
	static char room[ARCHIVE_FILES_BYTES];
	unsigned char states[1] = {0};
	struct telling telling = {.all = t};
	struct archive_zip_scan scan = {
	    .found = tell, .arg = &telling, .key = &telling.found.key, .headers_max = HEADERS_MAX};

	archive_findings_begin(&telling.found, &bounds, room, states, 1);
	archive_zip_scan(&scan, (const unsigned char *)t.p, t.n);
	require(scan.headers <= HEADERS_MAX && telling.names <= 3 * scan.headers);
	check_files(buf_view(&telling.found.files));
	archive_findings_end(&telling.found);
	(void)archive_zip_has_end((const unsigned char *)t.p, t.n);
	(void)archive_marks_sealed((const unsigned char *)t.p, t.n);
}

/* The first bytes say where the parts stand. */
static struct text take_parts(struct text t, struct archives_part parts[PARTS_MAX])
{
	for (size_t i = 0; i < PARTS_MAX && t.n >= 4; i++) {
		const unsigned char *p = (const unsigned char *)t.p;

		parts[i] = (struct archives_part){
		    .inside = (int)(p[0] % (i + 1)) - 1,
		    .offset = p[1],
		    .length = p[2] * 4U,
		    .encodings = p[3] & 15,
		    .asked = true,
		};
		t = text_make(t.p + 4, t.n - 4);
	}
	return t;
}

static void try_parts(struct text t)
{
	struct archives_part rows[PARTS_MAX] = {{.inside = -1}, {-1}, {-1}, {-1}, {-1}, {-1}};
	const struct archives_request rq = {rows, PARTS_MAX, bounds};
	struct archive_parts parts = {.rq = &rq};
	const struct text message = take_parts(t, rows);
	unsigned readings = 0;

	parts.message = (const unsigned char *)message.p;
	parts.size = message.n;
	for (unsigned i = 0; i < PARTS_MAX; i++) {
		struct archive_reading r;
		const unsigned char *p;
		unsigned limits = 0;
		size_t n, sum = 0;

		archive_reading_first(&parts, i, &r);
		for (; r.depth > 0 && readings < 200; archive_reading_next(&parts, &r)) {
			readings++;
			if (!archive_parts_bytes(&parts, &r, &p, &n, &limits))
				break;
			require(n <= message.n);
			for (size_t k = 0; k < n; k++)
				sum += p[k];
		}
		/* The sum is there to be read. */
		require(sum <= 255 * (message.n + 1) * 200);
	}
	parts.message = NULL; /* not mapped */
	archive_parts_close(&parts);
}

static void try_bodies(struct text t)
{
	struct archives_request rq, again;
	struct archives_facts facts = {0};
	struct arena a;

	arena_init(&a, NULL, NULL);
	if (archives_question_get(t, &a, &rq)) {
		char *room = arena_alloc(&a, archives_question_size(&rq));
		struct buf b = buf_over(room, archives_question_size(&rq));

		require(archives_question_put(&b, &rq));
		require(archives_question_get(buf_view(&b), &a, &again));
		require(again.count == rq.count);
	}
	rq = (struct archives_request){.count = 2};
	if (archives_answer_get(t, &a, &rq, &facts)) {
		for (size_t i = 0; i < facts.count; i++)
			require(facts.files[i].part < 2 && utf8_is_valid(facts.files[i].path));
	}
	arena_reset(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct text t = text_make((const char *)data, n);

	try_zip(t);
	try_parts(t);
	try_bodies(t);
	return 0;
}
