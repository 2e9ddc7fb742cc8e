/* What the question about archives costs: CPU of the worker and of the inspector, and the time
 * until the answer, for a message with one archive of about 100 KB in base64: a zip of texts, the
 * same in a tar.gz and in a 7z, a zip of zips; a zip of 2,000 small files; two bombs.
 *
 * Prints one line each. */
#include "policy/message/mime.h"
#include "shm/base/clock.h"
#include "worker/inspect/archive.h"
#include "worker/inspect/ask.h"
#include "worker/inspect/inspector.h"
#include "worker/io/task.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = 16 << 20 };

static struct loop *loop;
static struct inspect *asking;
static char packed[ROOM], inner[ROOM];

struct message {
	const char *what;
	int fd;
	size_t packed_n, encoded_n;
	unsigned limits; /* that are wanted; 0: none, it is honest mail */
	unsigned times;
	unsigned wrong;
	int64_t took_us;
};

/* ---- Archives */

/* Compresses to about a third, like a text. */
static void fill(char *p, size_t n)
{
	static uint32_t state = 1;

	for (size_t i = 0; i < n; i++) {
		state = state * 1103515245 + 12345;
		p[i] = "etaoin shrdlu\n.,"[state >> 16 & 15 & (state >> 20 | 3)];
	}
}

static struct archive *begin(const char *format)
{
	struct archive *a = archive_write_new();

	if (strcmp(format, "zip") == 0)
		archive_write_set_format_zip(a);
	else if (strcmp(format, "7z") == 0)
		archive_write_set_format_7zip(a);
	else
		archive_write_set_format_pax_restricted(a);
	if (strcmp(format, "tar.gz") == 0)
		archive_write_add_filter_gzip(a);
	archive_write_set_bytes_in_last_block(a, 1);
	return a;
}

static void add(struct archive *a, unsigned number, const char *ending, const char *p, size_t n)
{
	struct archive_entry *e = archive_entry_new();
	char name[64];

	snprintf(name, sizeof(name), "folder/file-%u.%s", number, ending);
	archive_entry_set_pathname(e, name);
	archive_entry_set_size(e, (la_int64_t)n);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_write_header(a, e);
	archive_write_data(a, p, n);
	archive_entry_free(e);
}

static size_t make(const char *format, unsigned count, const char *ending, const char *p, size_t n,
		   bool fresh)
{
	struct archive *a = begin(format);
	char *each = malloc(n);
	size_t used = 0;

	archive_write_open_memory(a, packed, sizeof(packed), &used);
	memcpy(each, p, n);
	for (unsigned i = 0; i < count; i++) {
		if (fresh)
			fill(each, n);
		add(a, i, ending, each, n);
	}
	archive_write_close(a);
	archive_write_free(a);
	free(each);
	return used;
}

static struct message encode(const char *what, size_t n, unsigned limits)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct message m = {
	    .what = what, .packed_n = n, .limits = limits, .times = limits ? 2 : 100};
	FILE *out;

	m.fd = memfd_create("message", 0);
	out = fdopen(dup(m.fd), "w");
	packed[n] = packed[n + 1] = 0;
	for (size_t i = 0; i < n; i += 3) {
		const unsigned char *p = (const unsigned char *)packed + i;

		putc(digits[p[0] >> 2], out);
		putc(digits[(p[0] & 3) << 4 | p[1] >> 4], out);
		putc(digits[(p[1] & 15) << 2 | p[2] >> 6], out);
		putc(digits[p[2] & 63], out);
		if (i % 57 == 54)
			fputs("\r\n", out);
	}
	m.encoded_n = (size_t)ftell(out);
	fclose(out);
	return m;
}

static size_t zip_of_zips(unsigned count, unsigned levels)
{
	size_t n = make("zip", 8, "txt", packed, 3000, true);

	for (unsigned i = 0; i < levels; i++) {
		memcpy(inner, packed, n);
		n = make("zip", count, "zip", inner, n, false);
	}
	return n;
}

/* ---- Asking */

static void ask_many(void *arg)
{
	struct message *m = arg;
	const struct archives_part part = {
	    .inside = -1, .length = m->encoded_n, .encodings = 1 << MIME_BASE64, .asked = true};
	const struct archives_request rq = {&part, 1, {8, 10000, 500 << 20, 10000}};
	char bytes[256];
	struct buf body = buf_over(bytes, sizeof(bytes));
	const int64_t start = clock_mono_us();

	archives_question_put(&body, &rq);
	for (unsigned i = 0; i < m->times; i++) {
		struct archives_facts facts = {0};
		struct arena a;

		arena_init(&a, NULL, NULL);
		const struct inspect_outcome o = inspect_ask(
		    asking,
		    &(struct inspect_request){.type = QUESTION_ARCHIVE,
					      .body = buf_view(&body),
					      .message_fd = m->fd,
					      .deadline_us = loop_now_us(loop) + 20 * SECOND_US},
		    &a);
		if (o.result != INSPECT_ANSWERED || !archives_answer_get(o.body, &a, &rq, &facts) ||
		    facts.limits != m->limits)
			m->wrong++;
		arena_reset(&a);
	}
	m->took_us = clock_mono_us() - start;
	loop_stop(loop);
}

static double cpu_us(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* An inspector for each message, so that its CPU is that message's. */
static unsigned measure(struct message m)
{
	static struct inspector_page page;
	struct inspect_options o = {0};
	const double workers = cpu_us(RUSAGE_SELF), inspectors = cpu_us(RUSAGE_CHILDREN);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return 1;
	if (fork() == 0) {
		close(pair[0]);
		inspector_run(pair[1], &page);
	}
	close(pair[1]);
	o.fd = pair[0];
	asking = inspect_open(loop, &o);
	task_spawn(loop, ask_many, &m);
	loop_run(loop);
	inspect_close(asking);
	close(pair[0]);
	while (wait(NULL) > 0)
		;
	printf("%-28s %7zu bytes: %8.0f us until the answer, %8.0f us of the inspector's CPU, "
	       "%4.0f us of the worker's\n",
	       m.what, m.packed_n, (double)m.took_us / m.times,
	       (cpu_us(RUSAGE_CHILDREN) - inspectors) / m.times,
	       (cpu_us(RUSAGE_SELF) - workers) / m.times);
	close(m.fd);
	return m.wrong;
}

int main(void)
{
	static char zeros[4 << 20];
	unsigned wrong = 0;

	archives_prepare();
	loop = loop_new();
	if (!loop)
		return 1;
	wrong += measure(encode("zip of 20 texts", make("zip", 20, "txt", zeros, 14000, true), 0));
	wrong +=
	    measure(encode("tar.gz of 20 texts", make("tar.gz", 20, "txt", zeros, 14000, true), 0));
	wrong += measure(encode("7z of 20 texts", make("7z", 20, "txt", zeros, 14000, true), 0));
	wrong += measure(
	    encode("zip of 2,000 small files", make("zip", 2000, "txt", zeros, 100, true), 0));
	wrong += measure(encode("zip of 10 zips", zip_of_zips(10, 1), 0));
	wrong += measure(
	    encode("16 x 4 MB of nothing, 5 deep",
		   (make("zip", 16, "dll", zeros, sizeof(zeros), false), zip_of_zips(16, 5)),
		   ARCHIVES_LIMIT_ENTRIES));
	wrong += measure(encode("tar.gz of 2 GB of nothing",
				make("tar.gz", 512, "dll", zeros, sizeof(zeros), false),
				ARCHIVES_LIMIT_BYTES));
	loop_free(loop);
	printf("%u wrong answers\n", wrong);
	return wrong > 0;
}
