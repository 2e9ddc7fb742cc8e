/* The bundle: everything that a configuration was read from, in a sealed memfd.
 *
 *   "gatepost-config 1\n", then for each item: kind (1 byte), errno (4), length of name (4), length
 * of data (4), name, data.  Numbers are in the machine's own order: it never leaves the machine. */
#include "policy/config/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[] = "gatepost-config 1\n";

struct item_head {
	uint32_t kind, error, name_length, data_length;
};

static bool write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

static bool write_item(int fd, const struct source_item *i)
{
	struct item_head head = {(uint32_t)i->kind, (uint32_t)i->error, (uint32_t)i->name.n,
				 (uint32_t)i->data.n};

	return write_all(fd, &head, sizeof(head)) && write_all(fd, i->name.p, i->name.n) &&
	       write_all(fd, i->data.p, i->data.n);
}

int bundle_write(const struct source *s, bool keys)
{
	int fd = memfd_create(keys ? "gatepost-keys" : "gatepost-config",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool good;

	if (fd < 0)
		return -1;
	good = write_all(fd, magic, sizeof(magic) - 1);
	for (size_t i = 0; good && i < s->count; i++)
		if ((s->items[i].kind == SOURCE_KEY) == keys)
			good = write_item(fd, &s->items[i]);
	if (!good ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static bool take(struct text *rest, void *out, size_t n)
{
	if (rest->n < n)
		return false;
	memcpy(out, rest->p, n);
	*rest = text_make(rest->p + n, rest->n - n);
	return true;
}

static bool take_text(struct source *s, struct text *rest, size_t n, struct text *out)
{
	if (rest->n < n)
		return false;
	*out = arena_text(s->arena, text_make(rest->p, n));
	*rest = text_make(rest->p + n, rest->n - n);
	return true;
}

static bool read_items(struct source *s, struct text rest)
{
	char start[sizeof(magic) - 1];

	if (!take(&rest, start, sizeof(start)) || memcmp(start, magic, sizeof(start)) != 0)
		return false;
	while (rest.n > 0) {
		struct item_head head;
		struct text name, data;

		if (!take(&rest, &head, sizeof(head)) ||
		    !take_text(s, &rest, head.name_length, &name) ||
		    !take_text(s, &rest, head.data_length, &data))
			return false;
		source_add(s, (enum source_kind)head.kind, name, data, (int)head.error);
	}
	return true;
}

bool bundle_read(struct source *s, int fd)
{
	struct stat st;
	bool good;
	void *p;

	if (fstat(fd, &st) != 0)
		return false;
	if (st.st_size <= 0) {
		errno = EBADMSG;
		return false;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return false;
	good = read_items(s, text_make(p, (size_t)st.st_size));
	munmap(p, (size_t)st.st_size);
	if (!good)
		errno = EBADMSG;
	s->sealed = true;
	return good;
}
