/* The shared-memory segment: made, sealed, checked before it is believed. */
#include "shm/segment.h"

#include "shm/base/clock.h"
#include "shm/event.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const char MAGIC[8] = "gatepost";

/* Where the parts stand, from the two sizes that vary. */
struct geometry {
	uint64_t processes, sessions, rings, ring_step, table, size;
};

/* No larger than any machine needs, so that no sum here can overflow. */
#define TABLE_ENTRIES_MAX (UINT64_C(1) << 32)
#define RING_BYTES_MAX    (UINT32_C(1) << 30)

static uint64_t to_page(uint64_t n)
{
	return (n + 4095) & ~UINT64_C(4095);
}

static bool is_power_of_two(uint64_t n)
{
	return n && (n & (n - 1)) == 0;
}

static bool geometry_of(uint64_t table_entries, uint32_t ring_bytes, struct geometry *g)
{
	if (!is_power_of_two(table_entries) || table_entries < 8 ||
	    table_entries > TABLE_ENTRIES_MAX)
		return false;
	if (!is_power_of_two(ring_bytes) || ring_bytes / 8 < EVENT_MAX ||
	    ring_bytes > RING_BYTES_MAX)
		return false;
	g->processes = to_page(sizeof(struct segment_header));
	g->sessions = to_page(g->processes + sizeof(struct process_slot) * SEGMENT_PROCESSES);
	g->rings = to_page(g->sessions + sizeof(struct session_slot) * SEGMENT_PROCESSES *
					     (uint64_t)SEGMENT_SESSIONS_PER_PROCESS);
	g->ring_step = to_page(ring_size(ring_bytes));
	g->table = g->rings + g->ring_step * SEGMENT_PROCESSES;
	g->size = to_page(g->table + table_entries * sizeof(struct table_entry));
	return true;
}

static uint32_t layout(void)
{
	return (uint32_t)SEGMENT_LAYOUT << 16 | METRIC_COUNT;
}

static void lay_out(struct segment *seg, const struct geometry *g, uint64_t table_entries,
		    const struct siphash_key *key)
{
	char *base = (char *)seg->header;

	seg->processes = (struct process_slot *)(base + g->processes);
	seg->sessions = (struct session_slot *)(base + g->sessions);
	seg->table.buckets = (struct table_bucket *)(base + g->table);
	seg->table.bucket_count = table_entries / 4;
	seg->table.key = *key;
}

static int make_memfd(uint64_t size)
{
	int fd = memfd_create("gatepost", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("gatepost", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	/* Sealed: nobody who holds the descriptor can make the others die of SIGBUS. */
	if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		int e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

int segment_create(uint64_t table_entries, uint32_t ring_bytes, const struct siphash_key *key,
		   struct segment *out)
{
	struct geometry g;
	uint64_t entries = 8;

	while (entries < table_entries && entries < TABLE_ENTRIES_MAX)
		entries *= 2;
	if (table_entries > TABLE_ENTRIES_MAX || !geometry_of(entries, ring_bytes, &g)) {
		errno = EINVAL;
		return -1;
	}
	int fd = make_memfd(g.size);
	if (fd < 0)
		return -1;
	void *base = mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		int e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	*out = (struct segment){.header = base, .size = g.size, .writable = true};
	lay_out(out, &g, entries, key);
	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++)
		ring_init(&out->rings[i], (char *)base + g.rings + i * g.ring_step, ring_bytes);
	out->header->layout = layout();
	out->header->ring_bytes = ring_bytes;
	out->header->size = g.size;
	out->header->table_entries = entries;
	out->header->key = *key;
	out->header->started_wall_us = clock_wall_us();
	/* the first note: all sums were 0 */
	atomic_store(&out->header->notes.notes[0].boot_us, clock_boot_us());
	memcpy(out->header->magic, MAGIC, sizeof(MAGIC));
	return fd;
}

/* Is it what this program would have made?  Its size comes from the file, not from what stands in
 * it. */
static bool believable(const struct segment_header *h, uint64_t size, struct geometry *g)
{
	return memcmp(h->magic, MAGIC, sizeof(MAGIC)) == 0 && h->layout == layout() &&
	       geometry_of(h->table_entries, h->ring_bytes, g) && g->size == size &&
	       h->size == size;
}

int segment_attach(int fd, bool writable, struct segment *out)
{
	struct stat st;
	struct geometry g;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &st) < 0)
		return -1;
	if (seals < 0 || (seals & SEALS) != SEALS ||
	    (uint64_t)st.st_size < sizeof(struct segment_header)) {
		errno = EPROTO;
		return -1;
	}
	uint64_t size = (uint64_t)st.st_size;
	void *base =
	    mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -1;
	/* What decides about addresses is copied before it is checked. */
	struct segment_header h;
	memcpy(&h, base, sizeof(h));
	if (!believable(&h, size, &g)) {
		munmap(base, size);
		errno = EPROTO;
		return -1;
	}
	*out = (struct segment){.header = base, .size = size, .writable = writable};
	lay_out(out, &g, h.table_entries, &h.key);
	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++)
		ring_attach(&out->rings[i], (char *)base + g.rings + i * g.ring_step, h.ring_bytes);
	return 0;
}

void segment_detach(struct segment *seg)
{
	if (seg->header)
		munmap(seg->header, seg->size);
	*seg = (struct segment){0};
}
