/* What scanning for viruses costs, with a database of the real one's shape made for the purpose:
 * the memory of 1, 4 and 16 inspectors that share one engine; messages a second and CPU a message,
 * and the same messages through a clamd with the same database and as many threads.
 *
 * Prints one figure a line.  Takes half a minute and 2 GB for a moment; without clamd its lines are
 * left out.  `bench_scan N`: N thousands of signatures (default 400); `bench_scan -d DIR`: only
 * makes the database, there. */
#include "shm/base/clock.h"
#include "worker/inspect/antivirus.h"
#include "worker/inspect/ask.h"
#include "worker/inspect/clamd.h"
#include "worker/inspect/zygote.h"
#include "worker/io/task.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 4, THREADS = 2, PID_MAX_SCAN = 64 };

static char dir[64];
static struct loop *loop;

/* ---- The database */

static uint64_t state = 88172645463325252ULL;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void put_hex(FILE *f, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		fprintf(f, "%02x", (unsigned)(random64() & 0xff));
}

static FILE *open_file(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		abort();
	return f;
}

/* As daily and main are made: mostly hashes of files and of programs' sections, then patterns of
 * programs, some of mail and HTML, logical ones. */
static void make_database(unsigned thousands)
{
	FILE *hsb = open_file("a.hsb"), *mdb = open_file("a.mdb"), *ndb = open_file("a.ndb"),
	     *ldb = open_file("a.ldb"), *eicar = open_file("eicar.hdb");

	fprintf(eicar, "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n");
	for (unsigned i = 0; i < thousands * 500; i++) {
		put_hex(hsb, 32);
		fprintf(hsb, ":%u:Win.Malware.H-%u:73\n", 1000 + (unsigned)(random64() % 900000),
			i);
		if (i % 5 < 3) {
			fprintf(mdb, "%u:", 512 * (1 + (unsigned)(random64() % 2000)));
			put_hex(mdb, 16);
			fprintf(mdb, ":Win.Malware.M-%u\n", i);
		}
		if (i % 10 == 0) {
			fprintf(ndb, "Win.Malware.N-%u:%u:*:", i, i % 50 == 0 ? 4 : 1);
			put_hex(ndb, 24);
			fprintf(ndb, "{10-200}");
			put_hex(ndb, 12);
			fprintf(ndb, "\n");
		}
		if (i % 20 == 0) {
			fprintf(ldb, "Win.Malware.L-%u;Engine:81-255,Target:1;0&1&2;", i);
			put_hex(ldb, 16);
			fprintf(ldb, ";");
			put_hex(ldb, 20);
			fprintf(ldb, ";");
			put_hex(ldb, 12);
			fprintf(ldb, "\n");
		}
	}
	fclose(hsb);
	fclose(mdb);
	fclose(ndb);
	fclose(ldb);
	fclose(eicar);
}

static void remove_database(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", dir);
}

/* ---- The messages */

struct message {
	const char *what;
	char *bytes;
	size_t n;
	size_t varies;  /* here stand eight digits that no two have alike: clamd remembers what was
			   clean */
	unsigned count; /* how often it is scanned */
};

/* A text, and an attachment of random bytes in base64. */
static struct message make_message(const char *what, size_t n, unsigned count)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct message m = {.what = what, .bytes = malloc(n + 512), .count = count};

	m.n = (size_t)sprintf(m.bytes,
			      "From: <ann@example.org>\r\nSubject: report\r\nMIME-Version: 1.0\r\n"
			      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
			      "Content-Type: text/plain\r\n\r\nThe figures that you asked for.\r\n"
			      "--b\r\nContent-Type: application/octet-stream\r\n"
			      "Content-Transfer-Encoding: base64\r\n\r\n");
	m.varies = m.n;
	for (unsigned column = 0; m.n < n; column++) {
		if (column == 76) {
			m.bytes[m.n++] = '\r';
			m.bytes[m.n++] = '\n';
			column = 0;
		}
		m.bytes[m.n++] = digits[random64() & 63];
	}
	m.n += (size_t)sprintf(m.bytes + m.n, "\r\n--b--\r\n");
	return m;
}

/* The next one, as a worker hands it on. */
static int message_fd(const struct message *m)
{
	static unsigned number;
	const int fd = memfd_create("message", MFD_CLOEXEC);
	char digits[9];

	snprintf(digits, sizeof(digits), "%08u", number++);
	if (fd < 0 || write(fd, m->bytes, m->n) != (ssize_t)m->n ||
	    pwrite(fd, digits, 8, (off_t)m->varies) != 8)
		abort();
	return fd;
}

/* ---- Processes */

static unsigned children_of(pid_t pid, pid_t out[PID_MAX_SCAN])
{
	char path[64];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "r");
	while (f && n < PID_MAX_SCAN && fscanf(f, "%d", &out[n]) == 1)
		n++;
	if (f)
		fclose(f);
	return n;
}

/* Proportional share of memory, in MB. */
static double pss_of(pid_t pid)
{
	char path[64], line[256];
	unsigned long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Pss: %lu kB", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return (double)kb / 1024;
}

static double cpu_us_of(pid_t pid)
{
	char path[64], line[1024];
	unsigned long user = 0, system = 0;
	const char *rest;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fgets(line, sizeof(line), f) && (rest = strrchr(line, ')')))
		(void)sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			     &system);
	fclose(f);
	return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_us_of_all(pid_t pid)
{
	pid_t children[PID_MAX_SCAN];
	const unsigned n = children_of(pid, children);
	double us = cpu_us_of(pid);

	for (unsigned i = 0; i < n; i++)
		us += cpu_us_of(children[i]);
	return us;
}

/* ---- Asking */

struct round {
	const struct message *m;
	struct inspect *in; /* NULL: the clamd */
	unsigned left, running, wrong;
};

static struct sockaddr_un clamd_address = {.sun_family = AF_UNIX};

struct reading {
	int fd;
	off_t at;
	char piece[65536];
};

static bool next_piece(void *self, struct iovec *iov, int *n)
{
	struct reading *r = self;
	const ssize_t got = pread(r->fd, r->piece, sizeof(r->piece), r->at);

	*n = got > 0;
	iov[0] = (struct iovec){r->piece, got > 0 ? (size_t)got : 0};
	r->at += got;
	return got >= 0;
}

static void ask(struct round *r, struct arena *a)
{
	const int64_t deadline_us = loop_now_us(loop) + 60 * SECOND_US;
	const int fd = message_fd(r->m);
	struct reading *reading = arena_new(a, struct reading);
	struct scan_result result = {0};
	char bytes[16];
	struct buf body = buf_over(bytes, sizeof(bytes));

	if (r->in) {
		antivirus_question_put(&body, r->m->n);
		const struct inspect_request rq = {.type = QUESTION_ANTIVIRUS,
						   .body = buf_view(&body),
						   .message_fd = fd,
						   .deadline_us = deadline_us};
		const struct inspect_outcome o = inspect_ask(r->in, &rq, a);

		if (o.result != INSPECT_ANSWERED || !antivirus_answer_get(o.body, &result))
			result.code = SCAN_FAILED;
	} else {
		const struct clamd_request rq = {
		    .loop = loop,
		    .address = (const struct sockaddr *)&clamd_address,
		    .address_length = sizeof(clamd_address),
		    .deadline_us = deadline_us,
		    .next = next_piece,
		    .self = reading,
		};

		reading->fd = fd;
		clamd_scan(&rq, a, &result);
	}
	close(fd);
	r->wrong += result.code != SCAN_DONE || result.match_count > 0;
}

static void ask_many(void *arg)
{
	struct round *r = arg;

	while (r->left > 0) {
		struct arena a;

		r->left--;
		arena_init(&a, NULL, NULL);
		ask(r, &a);
		arena_reset(&a);
	}
	if (--r->running == 0)
		loop_stop(loop);
}

static void measure(const char *who, pid_t pid, struct inspect *in, const struct message *m)
{
	struct round r = {.m = m, .in = in, .left = m->count, .running = AT_ONCE};
	const double cpu_us = cpu_us_of_all(pid);
	const int64_t start_us = clock_mono_us();

	for (unsigned i = 0; i < AT_ONCE; i++)
		task_spawn(loop, ask_many, &r);
	loop_run(loop);
	const double us = (double)(clock_mono_us() - start_us);
	printf("%s, %s: %.0f messages/s, %.2f ms of CPU a message%s\n", who, m->what,
	       m->count * 1e6 / us, (cpu_us_of_all(pid) - cpu_us) / 1000 / m->count,
	       r.wrong ? " (WRONG ANSWERS)" : "");
	fflush(stdout);
}

/* ---- Our own engine */

struct own {
	int pair[2], status_fd;
	struct zygote_status *status;
	pid_t zygote;
	struct inspect *in;
};

static void own_start(struct own *o, unsigned inspectors)
{
	const struct zygote_scan scan = {
	    .engine = {.database = dir,
		       .max_size = 50 << 20,
		       .max_scan_size = 400 << 20,
		       .max_files = 10000,
		       .max_depth = 17,
		       .time_ms = 30000},
	    .rooms = {.rooms = inspectors,
		      .bytes = 416 << 20,
		      .user = LIT("gatepost-jail"),
		      .state_dir = dir},
	    .time_ms = 30000,
	};
	struct inspect_options options = {0};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, o->pair) != 0)
		abort();
	o->status_fd = zygote_status_create(&o->status);
	const struct zygote_options z = {.inspectors = inspectors,
					 .memory_bytes = 1ULL << 31,
					 .user = scan.rooms.user,
					 .serve_fd = o->pair[1],
					 .status_fd = o->status_fd,
					 .scan = &scan};
	o->zygote = fork();
	if (o->zygote == 0) {
		close(o->pair[0]);
		_exit(zygote_run(&z));
	}
	while (!atomic_load(&o->status->ready)) {
		usleep(10000);
		if (waitpid(o->zygote, NULL, WNOHANG) == o->zygote)
			exit(1);
	}
	options.fd = o->pair[0];
	o->in = inspect_open(loop, &options);
}

static void own_stop(struct own *o)
{
	inspect_close(o->in);
	kill(o->zygote, SIGTERM);
	waitpid(o->zygote, NULL, 0);
	close(o->pair[0]);
	close(o->pair[1]);
	close(o->status_fd);
}

/* Each inspector has scanned something: what a scan touches is counted. */
static double memory_of(unsigned inspectors, const struct message *m)
{
	struct round r = {.m = m, .left = inspectors * 20, .running = inspectors};
	pid_t children[PID_MAX_SCAN];
	struct own o;
	double mb;

	own_start(&o, inspectors);
	r.in = o.in;
	for (unsigned i = 0; i < inspectors; i++)
		task_spawn(loop, ask_many, &r);
	loop_run(loop);
	mb = pss_of(o.zygote);
	const unsigned n = children_of(o.zygote, children);

	for (unsigned i = 0; i < n; i++)
		mb += pss_of(children[i]);
	own_stop(&o);
	return mb;
}

/* ---- clamd */

static pid_t clamd_start(void)
{
	char path[128];
	FILE *f = open_file("clamd.conf");
	pid_t pid;

	snprintf(clamd_address.sun_path, sizeof(clamd_address.sun_path), "%s/clamd.sock", dir);
	fprintf(f,
		"Foreground yes\nDatabaseDirectory %s\nLocalSocket %s\nTemporaryDirectory %s\n"
		"MaxThreads %d\nMaxQueue 200\nAlertExceedsMax yes\nUser root\n",
		dir, clamd_address.sun_path, dir, THREADS);
	fclose(f);
	snprintf(path, sizeof(path), "%s/clamd.conf", dir);
	pid = fork();
	if (pid == 0) {
		const int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl("/usr/sbin/clamd", "clamd", "-c", path, (char *)NULL);
		_exit(127);
	}
	for (;;) {
		const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		const bool up = connect(fd, (const struct sockaddr *)&clamd_address,
					sizeof(clamd_address)) == 0;

		close(fd);
		if (up)
			return pid;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return -1;
		usleep(50000);
	}
}

int main(int argc, char **argv)
{
	const unsigned thousands = argc > 1 ? (unsigned)atoi(argv[1]) : 400;
	const unsigned counts[] = {1, 4, 16};
	int64_t start_us;
	double one = 0;
	struct own o;
	pid_t clamd;

	if (argc == 3 && strcmp(argv[1], "-d") == 0) {
		snprintf(dir, sizeof(dir), "%s", argv[2]);
		make_database(400);
		return 0;
	}
	snprintf(dir, sizeof(dir), "/tmp/gatepost-bench-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) != 0)
		return 1;
	make_database(thousands);
	loop = loop_new();
	const struct message messages[] = {make_message("5 KB", 5000, 4000),
					   make_message("100 KB", 100000, 1000),
					   make_message("5 MB", 5 << 20, 40)};

	for (unsigned i = 0; i < 3; i++) {
		const double mb = memory_of(counts[i], &messages[1]);

		one = i == 0 ? mb : one;
		printf("%u inspectors: %.0f MB (PSS with the zygote), %.2f x one\n", counts[i], mb,
		       mb / one);
		fflush(stdout);
	}
	start_us = clock_mono_us();
	own_start(&o, THREADS);
	printf("%u signatures, ready after %.1f s\n", o.status->engine.signatures,
	       (double)(clock_mono_us() - start_us) / 1e6);
	for (unsigned i = 0; i < 3; i++)
		measure("own engine", o.zygote, o.in, &messages[i]);
	own_stop(&o);
	clamd = clamd_start();
	if (clamd < 0) {
		puts("clamd: does not start");
	} else {
		printf("clamd: %.0f MB\n", pss_of(clamd));
		for (unsigned i = 0; i < 3; i++)
			measure("clamd", clamd, NULL, &messages[i]);
		kill(clamd, SIGTERM);
		waitpid(clamd, NULL, 0);
	}
	loop_free(loop);
	remove_database();
	return 0;
}
