/* Saving and restoring counters. */
#include "shm/snapshot.h"

#include "shm/base/clock.h"
#include "shm/table_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What ends sooner isn't worth saving. */
#define WORTH_SAVING_US (60 * SECOND_US)
#define PATH_MAX_BYTES  4096
#define PAGE_BYTES      4096

struct snapshot_header {
	char magic[8];
	uint32_t version;
	uint32_t unused;
	int64_t boot_us, wall_us;         /* when it was taken ... */
	char boot_id[CLOCK_BOOT_ID_SIZE]; /* ... and in which boot */
	uint64_t count;
};

struct saved {
	uint64_t tag, value;
};

static const char magic[8] = "gp-count";
enum { VERSION = 2 };

static bool path_of(char *path, const char *state_dir, const char *name)
{
	return snprintf(path, PATH_MAX_BYTES, "%s/%s", state_dir, name) < PATH_MAX_BYTES;
}

static bool worth_saving(uint64_t tag, uint64_t value, int64_t now_us)
{
	if (tag == 0 || value_is_pending(value) || tag >> 62 == TABLE_LIVE)
		return false;
	return value_expires_us(tag, value, now_us) > (uint64_t)(now_us + WORTH_SAVING_US);
}

static bool save_page(const struct table_bucket *b, size_t buckets, int64_t now_us, FILE *out,
		      uint64_t *count)
{
	for (size_t i = 0; i < buckets * 4; i++) {
		const struct table_entry *e = &b[i / 4].entries[i % 4];
		const struct saved s = {atomic_load_explicit(&e->tag, memory_order_relaxed),
					atomic_load_explicit(&e->value, memory_order_relaxed)};

		if (!worth_saving(s.tag, s.value, now_us))
			continue;
		if (fwrite(&s, sizeof(s), 1, out) != 1)
			return false;
		++*count;
	}
	return true;
}

/* Reading a page of the table that nobody has touched would make it, so those are passed over. */
static bool save_entries(const struct table *t, int64_t now_us, FILE *out, uint64_t *count)
{
	const size_t per_page = PAGE_BYTES / sizeof(struct table_bucket);

	for (size_t b = 0; b < t->bucket_count; b += per_page) {
		const size_t n = t->bucket_count - b < per_page ? t->bucket_count - b : per_page;
		unsigned char touched = 1;

		if (mincore(&t->buckets[b], n * sizeof(*t->buckets), &touched) == 0 &&
		    !(touched & 1))
			continue;
		if (!save_page(&t->buckets[b], n, now_us, out, count))
			return false;
	}
	return true;
}

static bool save_all(const struct segment *seg, FILE *out, uint64_t *count)
{
	struct snapshot_header h = {
	    .version = VERSION, .boot_us = clock_boot_us(), .wall_us = clock_wall_us()};

	memcpy(h.magic, magic, sizeof(magic));
	clock_boot_id(h.boot_id);
	if (fwrite(&h, sizeof(h), 1, out) != 1 || !save_entries(&seg->table, h.boot_us, out, count))
		return false;
	h.count = *count;
	return fseek(out, 0, SEEK_SET) == 0 && fwrite(&h, sizeof(h), 1, out) == 1;
}

long snapshot_save(const struct segment *seg, const char *state_dir)
{
	char path[PATH_MAX_BYTES], fresh[PATH_MAX_BYTES];
	uint64_t count = 0;

	if (!path_of(path, state_dir, "counters") || !path_of(fresh, state_dir, "counters.new")) {
		errno = ENAMETOOLONG;
		return -1;
	}
	FILE *out = fopen(fresh, "we");
	if (!out)
		return -1;
	const bool written = save_all(seg, out, &count);
	if (fclose(out) == 0 && written && rename(fresh, path) == 0)
		return (long)count;
	const int saved = errno;
	unlink(fresh);
	errno = saved;
	return -1;
}

/* The value as it reads `shift_us` later on the boot clock; rounded up where a kind is coarse. */
static uint64_t shifted(uint64_t tag, uint64_t value, int64_t shift_us)
{
	const uint64_t count = value & COUNT_MAX, bits = value & MARK_MAX;
	int64_t end_us;

	switch ((enum table_kind)(tag >> 62)) {
	case TABLE_COUNT:
		end_us = (int64_t)(value >> COUNT_BITS) * 1000 + shift_us;
		return end_us <= 0 ? 0 : (uint64_t)(end_us / 1000) << COUNT_BITS | count;
	case TABLE_MARK:
		end_us = (int64_t)(value >> MARK_BITS) * MINUTE_US + shift_us + MINUTE_US - 1;
		return end_us <= 0 ? 0 : (uint64_t)(end_us / MINUTE_US) << MARK_BITS | bits;
	case TABLE_GCRA:
		end_us = (int64_t)value + shift_us;
		return end_us <= 0 ? 0 : (uint64_t)end_us;
	case TABLE_LIVE:
		break;
	}
	return 0;
}

static uint64_t replace(uint64_t old, void *arg)
{
	const uint64_t value = *(const uint64_t *)arg;

	return old > value ? old : value;
}

/* From the boot clock of then to that of now.  In one boot they are the same, wherever the wall
 * clock was set to meanwhile; over a reboot only the wall clock knows what has passed. */
static int64_t shift_of(const struct snapshot_header *h, int64_t now_us)
{
	const int64_t passed_us = clock_wall_us() - h->wall_us;
	char boot_id[CLOCK_BOOT_ID_SIZE];

	clock_boot_id(boot_id);
	if (boot_id[0] && memcmp(boot_id, h->boot_id, sizeof(boot_id)) == 0)
		return 0;
	return now_us - h->boot_us - (passed_us > 0 ? passed_us : 0);
}

static long restore_entries(struct segment *seg, const struct snapshot_header *h, FILE *in)
{
	const int64_t now_us = clock_boot_us(), shift_us = shift_of(h, now_us);
	struct saved s;
	long restored = 0;

	for (uint64_t i = 0; i < h->count && fread(&s, sizeof(s), 1, in) == 1; i++) {
		uint64_t value = shifted(s.tag, s.value, shift_us);

		if (value == 0 || value_is_pending(value) ||
		    value_expires_us(s.tag, value, now_us) == 0)
			continue;
		table_update(&seg->table, s.tag, replace, &value, now_us);
		restored++;
	}
	return restored;
}

static bool is_whole(const struct snapshot_header *h, FILE *in)
{
	struct stat st;

	return memcmp(h->magic, magic, sizeof(magic)) == 0 && h->version == VERSION &&
	       fstat(fileno(in), &st) == 0 &&
	       (uint64_t)st.st_size == sizeof(*h) + h->count * sizeof(struct saved);
}

long snapshot_restore(struct segment *seg, const char *state_dir)
{
	char path[PATH_MAX_BYTES];
	struct snapshot_header h;
	long restored = -1;

	if (atomic_exchange(&seg->header->counters_restored, 1) != 0)
		return 0;
	if (!path_of(path, state_dir, "counters")) {
		errno = ENAMETOOLONG;
		return -1;
	}
	FILE *in = fopen(path, "re");
	if (!in)
		return errno == ENOENT ? 0 : -1;
	if (fread(&h, sizeof(h), 1, in) == 1 && is_whole(&h, in))
		restored = restore_entries(seg, &h, in);
	else
		errno = EPROTO;
	fclose(in);
	return restored;
}
