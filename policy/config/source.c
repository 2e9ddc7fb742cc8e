/* What a configuration is made of besides its text: the files that it names, /etc/hosts,
 * environment variables, the machine's name, the working directory.
 *
 * Everything that is read is kept, so that the children of the process can be given the very same.
 */
#include "policy/config/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 64 << 20 };

const struct source_item *source_add(struct source *s, enum source_kind kind, struct text name,
				     struct text data, int error)
{
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? s->capacity * 2 : 16;
		struct source_item *v = arena_alloc(s->arena, capacity * sizeof(*v));

		if (s->count > 0)
			memcpy(v, s->items, s->count * sizeof(*v));
		s->items = v;
		s->capacity = capacity;
	}
	s->items[s->count] = (struct source_item){kind, error, arena_text(s->arena, name), data, 0};
	return &s->items[s->count++];
}

static const struct source_item *find(const struct source *s, enum source_kind kind,
				      struct text name)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->items[i].kind == kind && text_eq(s->items[i].name, name))
			return &s->items[i];
	}
	return NULL;
}

/* 0 or an errno. */
static int read_all(struct source *s, int fd, struct text *out, int64_t *written_ns)
{
	struct stat st;
	size_t room, got = 0;
	char *p;

	if (fstat(fd, &st) != 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EINVAL; /* a pipe or a device could keep us waiting for ever */
	if (st.st_size > FILE_BYTES_MAX)
		return EFBIG;
	*written_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	room = (size_t)st.st_size;
	p = arena_alloc(s->arena, room + 1);
	while (got < room) {
		ssize_t n = read(fd, p + got, room - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*out = text_make(p, got);
	return 0;
}

const struct source_item *source_file(struct source *s, enum source_kind kind, struct text path)
{
	const struct source_item *known = find(s, kind, path);
	struct text data = LIT("");
	char name[PATH_MAX];
	int64_t written_ns = 0;
	int fd, error;

	if (known)
		return known;
	if (s->sealed)
		return source_add(s, kind, path, data, ENOENT);
	if (text_find(path, '\0') < path.n || path.n >= sizeof(name))
		return source_add(s, kind, path, data, ENAMETOOLONG);
	text_cstr(path, name, sizeof(name));
	/* O_NONBLOCK: opening a FIFO would wait for a writer */
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	error = fd < 0 ? errno : read_all(s, fd, &data, &written_ns);
	if (fd >= 0)
		close(fd);
	source_add(s, kind, path, data, error);
	s->items[s->count - 1].written_ns = written_ns;
	return &s->items[s->count - 1];
}

const struct source_item *source_variable(struct source *s, struct text name)
{
	const struct source_item *known = find(s, SOURCE_VARIABLE, name);
	char cname[256];
	const char *value;

	if (known)
		return known;
	value = text_cstr(name, cname, sizeof(cname)) == name.n ? getenv(cname) : NULL;
	return source_add(s, SOURCE_VARIABLE, name,
			  value ? arena_text(s->arena, text_of(value)) : LIT(""),
			  value ? 0 : ENOENT);
}

struct text source_host_name(struct source *s)
{
	const struct source_item *known = find(s, SOURCE_FACT, LIT("host-name"));
	char name[HOST_NAME_MAX + 1] = "";

	if (!known) {
		if (gethostname(name, sizeof(name) - 1) != 0 || !name[0])
			memcpy(name, "localhost", sizeof("localhost"));
		known = source_add(s, SOURCE_FACT, LIT("host-name"),
				   arena_text(s->arena, text_of(name)), 0);
	}
	return known->data;
}

struct text source_directory(struct source *s)
{
	const struct source_item *known = find(s, SOURCE_FACT, LIT("directory"));
	char path[PATH_MAX];

	if (!known) {
		if (!getcwd(path, sizeof(path)))
			memcpy(path, "/", 2);
		known = source_add(s, SOURCE_FACT, LIT("directory"),
				   arena_text(s->arena, text_of(path)), 0);
	}
	return known->data;
}

struct text source_absolute(struct source *s, struct text path)
{
	struct text base;

	if (path.n > 0 && path.p[0] == '/')
		return path;
	base = source_directory(s);
	while (path.n > 1 && path.p[0] == '.' && path.p[1] == '/')
		path = text_make(path.p + 2, path.n - 2);
	return arena_printf(s->arena, "%.*s%s%.*s", TEXT(base), base.n > 1 ? "/" : "", TEXT(path));
}
