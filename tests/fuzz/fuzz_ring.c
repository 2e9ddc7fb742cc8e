/* Fuzz target: bytes that a crash may have left in a ring, and records that claim to be events.
 *
 * The first byte chooses: an event alone, or a ring's memory (16 bytes of positions, then its
 * data). Beside the sanitizers' checks: reading ends, and no line that comes out could be taken for
 * two. */
#include "shm/event.h"
#include "shm/ring.h"

#include <stdlib.h>

#define BYTES 32768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_line(const struct buf *line)
{
	require(!line->cut && line->n > 0 && line->n == strlen(line->p));
	for (size_t i = 0; i < line->n; i++)
		require(line->p[i] >= ' ' && line->p[i] <= '~');
}

/* Outside of strings and escapes, a JSON object of ours ends where its first brace closes. */
static void check_json(const struct buf *line)
{
	bool quoted = false;

	for (size_t i = 0; i < line->n; i++) {
		if (quoted && line->p[i] == '\\')
			i++;
		else if (line->p[i] == '"')
			quoted = !quoted;
		else if (!quoted && line->p[i] == '}')
			require(i == line->n - 1);
	}
	require(!quoted && line->p[line->n - 1] == '}');
}

static void try_event(const unsigned char *bytes, size_t n)
{
	static char memory[EVENT_LINE_MAX];
	struct event_view v;
	struct field_view f;

	if (!event_parse(bytes, n, &v))
		return;
	struct buf line = buf_over(memory, sizeof(memory));
	event_format_text(&v, &line);
	check_line(&line);
	line = buf_over(memory, sizeof(memory));
	event_format_json(&v, &line);
	check_line(&line);
	check_json(&line);
	for (unsigned field = 0; field < EVENT_FIELDS; field++)
		event_get(&v, (enum event_field)field, &f);
}

static void try_ring(const uint8_t *data, size_t size)
{
	static unsigned char memory[sizeof(struct ring_shared) + BYTES]
	    __attribute__((aligned(64)));
	unsigned char record[EVENT_MAX];
	uint64_t head, tail;
	struct ring r;
	long n;

	if (size < 16)
		return;
	memcpy(&head, data, 8);
	memcpy(&tail, data + 8, 8);
	data += 16;
	size -= 16;
	memset(memory, 0, sizeof(memory));
	ring_init(&r, memory, BYTES);
	for (size_t i = 0; i < size && i < BYTES; i++)
		r.shared->data[(tail + i) % BYTES] = data[i];
	atomic_store(&r.shared->head, head);
	atomic_store(&r.shared->tail, tail);

	uint64_t position = ring_tail(&r);
	for (unsigned reads = 0; (n = ring_read(&r, &position, record, sizeof(record))) != 0;
	     reads++) {
		require(reads < BYTES && n <= BYTES / 8);
		if (n > 0)
			try_event(record, (size_t)n);
	}
	ring_release(&r, position);
	require(ring_push(&r, "x", 1, RING_AUDIT));
	require(ring_read(&r, &position, record, sizeof(record)) == 1 && record[0] == 'x');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2)
		try_ring(data + 1, size - 1);
	else
		try_event(data + 1, size - 1);
	return 0;
}
