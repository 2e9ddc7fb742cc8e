/* Archives of all kinds, through a real inspector: what is found, what is known to be hidden, and
 * that nothing of it takes long or kills the one who asks. */
#include "policy/message/mime.h"
#include "shm/base/clock.h"
#include "tests/unit/inspect_fixture.h"
#include "tests/unit/temp_dir.h"
#include "worker/inspect/archive.h"
#include "worker/inspect/archive_walk_inner.h"
#include "worker/io/task.h"

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PARTS_MAX = 300, FIELDS_MAX = 7, LINE_BYTES = 8192 };

static const struct archives_bounds usual = {6, 10000, 1000000000, 60000};

struct sample {
	char name[64];
	struct archives_request rq;
	struct archives_part parts[PARTS_MAX];
	struct archives_facts facts;
	enum inspect_result result;
	unsigned deaths;
	int64_t took_us;
	unsigned wanted; /* files that were told of */
};

static struct inspect_fixture f;
static char folder[64];
static unsigned samples, wrong;

/* ---- Asking */

struct asking {
	struct sample *s;
	int fd;
};

static void ask(void *arg)
{
	struct asking *k = arg;
	const size_t room = archives_question_size(&k->s->rq);
	struct buf body = buf_over(arena_alloc(&f.arena, room), room);
	const int64_t start = clock_mono_us();

	ck_assert(archives_question_put(&body, &k->s->rq));
	const struct inspect_request rq = {
	    .type = QUESTION_ARCHIVE,
	    .body = buf_view(&body),
	    .message_fd = k->fd,
	    .deadline_us = loop_now_us(f.loop) + 50 * SECOND_US,
	};
	const struct inspect_outcome out = inspect_ask(f.inspect, &rq, &f.arena);

	k->s->took_us = clock_mono_us() - start;
	k->s->result = out.result;
	k->s->deaths = out.deaths;
	k->s->facts = (struct archives_facts){0};
	if (out.result == INSPECT_ANSWERED)
		ck_assert_msg(archives_answer_get(out.body, &f.arena, &k->s->rq, &k->s->facts),
			      "%s: no answer", k->s->name);
	loop_stop(f.loop);
}

static void ask_about(struct sample *s, int fd)
{
	struct asking k = {s, fd};

	ck_assert(task_spawn(f.loop, ask, &k));
	loop_run(f.loop);
}

static int memfd_of(const void *p, size_t n)
{
	const int fd = memfd_create("message", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	return fd;
}

static void whole(struct sample *s, const char *name, uint64_t length)
{
	*s = (struct sample){.rq = {.bounds = usual, .parts = s->parts, .count = 1}};
	s->parts[0] = (struct archives_part){
	    .inside = -1, .length = length, .encodings = 1 << MIME_IDENTITY, .asked = true};
	snprintf(s->name, sizeof(s->name), "%s", name);
}

/* ---- Judging */

static void complain(const struct sample *s, const char *what, const char *more)
{
	wrong++;
	printf("%s: %s \"%s\"; found", s->name, what, more);
	for (size_t i = 0; i < s->facts.count && i < 12; i++)
		printf(" \"%.*s\" (%llx)", TEXT(s->facts.files[i].path),
		       (unsigned long long)s->facts.files[i].kinds);
	printf(", limits %x, states %x\n", s->facts.limits, s->facts.states);
	fflush(stdout);
}

static const char *const state_names[] = {"read", "encrypted", "sealed", "damaged", "unreadable"};
static const char *const limit_names[] = {"depth", "entries",    "bytes",   "time",
					  "names", "name-bytes", "overlap", "memory"};

static unsigned bit_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return 1U << i;
	}
	ck_abort_msg("no such name: %s", name);
	return 0;
}

static bool is_kind(const struct archives_file *file, const char *kind)
{
	if (!kind)
		return true;
	if (strcmp(kind, "unknown") == 0)
		return file->kinds == 0;
	for (unsigned k = 0; k < MIME_KINDS; k++) {
		if (file->kinds >> k & 1 && strcmp(mime_kind_name((enum mime_kind)k), kind) == 0)
			return true;
	}
	return false;
}

static bool has_file(const struct sample *s, const char *path, const char *kind, bool encrypted)
{
	for (size_t i = 0; i < s->facts.count; i++) {
		const struct archives_file *file = &s->facts.files[i];

		if (text_eq(file->path, text_of(path)) && is_kind(file, kind) &&
		    file->encrypted >= encrypted)
			return true;
	}
	return false;
}

static void expect_file(struct sample *s, const char *path, const char *kind, bool encrypted)
{
	s->wanted++;
	if (!has_file(s, path, kind, encrypted))
		complain(s, "no such file", path);
}

static void expect(struct sample *s, char *field[])
{
	const unsigned state =
	    field[0][0] == 's' || field[0][0] == 'n' ? bit_of(state_names, 5, field[1]) : 0;

	switch (field[0][0]) {
	case 'f':
		expect_file(s, field[1], NULL, false);
		break;
	case 'k':
		expect_file(s, field[2], field[1], false);
		break;
	case 'e':
		expect_file(s, field[1], NULL, true);
		break;
	case '-':
		if (has_file(s, field[1], NULL, false))
			complain(s, "there is", field[1]);
		break;
	case 's':
		if (!(s->facts.states & state))
			complain(s, "it is not", field[1]);
		break;
	case 'n':
		if (s->facts.states & state)
			complain(s, "it is", field[1]);
		break;
	case 'l':
		if (!(s->facts.limits & bit_of(limit_names, 8, field[1])))
			complain(s, "not exceeded:", field[1]);
		break;
	case 'c':
		if (s->facts.limits)
			complain(s, "exceeded", archives_limit_text(s->facts.limits));
		break;
	case 'o':
		if (s->facts.count != s->wanted)
			complain(s, "more files", "");
		break;
	default:
		ck_abort_msg("a line that is none: %s", field[0]);
	}
}

/* ---- The samples */

static void begin(struct sample *s, char *field[], size_t n)
{
	whole(s, field[1], UINT64_MAX);
	if (n == 6) {
		s->rq.bounds.depth = (unsigned)atoi(field[2]);
		s->rq.bounds.entries = (unsigned)atoi(field[3]);
		s->rq.bounds.bytes = strtoull(field[4], NULL, 10);
		s->rq.bounds.time_ms = (uint32_t)atoi(field[5]);
	}
	samples++;
}

static void add_part(struct sample *s, char *field[], bool first)
{
	const size_t i = first ? 0 : s->rq.count;

	ck_assert_uint_lt(i, PARTS_MAX);
	s->parts[i] = (struct archives_part){
	    .inside = atoi(field[1]),
	    .offset = strtoull(field[2], NULL, 10),
	    .length = strtoull(field[3], NULL, 10),
	    .encodings = (unsigned char)atoi(field[4]),
	    .asked = atoi(field[5]) == 1,
	};
	s->rq.count = i + 1;
}

static void ask_sample(struct sample *s)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", folder, s->name);
	const int fd = open(path, O_RDONLY);
	ck_assert_msg(fd >= 0, "%s", path);
	arena_reset(&f.arena);
	ask_about(s, fd);
	close(fd);
	if (s->result != INSPECT_ANSWERED || s->deaths > 0)
		complain(s, "the question", inspect_result_text(s->result));
#ifndef GATEPOST_SANITIZED
	if (s->took_us > SECOND_US)
		printf("%s: took %lld us\n", s->name, (long long)s->took_us);
#endif
}

static size_t split(char *line, char *field[FIELDS_MAX])
{
	char *rest = line, *one;
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (n < FIELDS_MAX && (one = strsep(&rest, "\t")))
		field[n++] = one;
	return n;
}

START_TEST(what_is_in_them)
{
	static char line[LINE_BYTES];
	static struct sample s;
	char command[160], *field[FIELDS_MAX];
	bool asked = true, parts = false;

	snprintf(command, sizeof(command), "/usr/bin/python3 tests/unit/archive_samples.py %s",
		 folder);
	FILE *list = popen(command, "r");
	ck_assert_ptr_nonnull(list);
	while (fgets(line, sizeof(line), list)) {
		const size_t n = split(line, field);

		if (field[0][0] == 'S') {
			begin(&s, field, n);
			asked = parts = false;
		} else if (field[0][0] == 'P') {
			add_part(&s, field, !parts);
			parts = true;
		} else {
			if (!asked)
				ask_sample(&s);
			asked = true;
			expect(&s, field);
		}
	}
	ck_assert_int_eq(pclose(list), 0);
	printf("%u archives, %u wrong\n", samples, wrong);
	ck_assert_uint_ge(samples, 80);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(atomic_load(&f.status->deaths), 0);
}
END_TEST

/* ---- Damage by chance: the answer may be anything, or none; asking goes on */

static uint64_t chance = 88172645463325252U;

static size_t draw(size_t n)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (size_t)(chance % n);
}

static void damage(unsigned char *p, size_t n)
{
	const size_t times = 1 + draw(12);

	for (size_t i = 0; i < times; i++)
		p[draw(n)] = (unsigned char)draw(256);
}

START_TEST(damaged_by_chance)
{
	static const char *const names[] = {"deflated.zip", "lzma2.7z",   "parts.7z", "old.rar",
					    "five.rar",     "level0.lzh", "one.cab",  "disc.iso",
					    "tar.xz",       "newc.cpio",  "three.zip"};
	static unsigned char kept[1 << 20], bytes[1 << 20];
	static struct sample s;
	const unsigned rounds = 40;
	unsigned unanswered = 0;
	char path[160];

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[k]);
		FILE *file = fopen(path, "r");
		ck_assert_ptr_nonnull(file);
		const size_t n = fread(kept, 1, sizeof(kept), file);
		fclose(file);
		for (unsigned i = 0; i < rounds; i++) {
			memcpy(bytes, kept, n);
			damage(bytes, n);
			const int fd = memfd_of(bytes, n - (i % 4 == 0 ? draw(n) : 0));
			whole(&s, names[k], UINT64_MAX);
			arena_reset(&f.arena);
			ask_about(&s, fd);
			close(fd);
			unanswered += s.result != INSPECT_ANSWERED;
			ck_assert(s.result == INSPECT_ANSWERED || s.result == INSPECT_DIED);
		}
	}
	/* Whatever happened, the next one is answered. */
	snprintf(s.name, sizeof(s.name), "stored.zip");
	ask_sample(&s);
	ck_assert(has_file(&s, "evil.exe", "pe", false));
	printf("damaged: %u not answered\n", unanswered);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* ---- Time and nonsense */

/* The time is that of the CPU: where the machine was slow, or stood still for a while, nothing is
 * held against the archive. */
START_TEST(a_slow_machine_is_no_limit)
{
	struct archive_findings found = {0};
	struct archive_walk w = {
	    .found = &found,
	    .deadline_cpu_us = clock_cpu_us() + SECOND_US,
	    .look_mono_us = clock_mono_us() - 100 * SECOND_US,
	};

	ck_assert(archive_in_time(&w));
	ck_assert_int_gt(w.look_mono_us, clock_mono_us());
	ck_assert(archive_in_time(&w));
	w.look_mono_us = 0;
	w.deadline_cpu_us = clock_cpu_us();
	ck_assert(!archive_in_time(&w));
	ck_assert_uint_eq(found.limits, ARCHIVES_LIMIT_TIME);
}
END_TEST

START_TEST(no_time_is_a_limit)
{
	static struct sample s;

	whole(&s, "stored.zip", UINT64_MAX);
	s.rq.bounds.time_ms = 0;
	/* Its own part of the clock has to pass. */
	snprintf(s.name, sizeof(s.name), "deflated.zip");
	ask_sample(&s);
	ck_assert_uint_eq(s.facts.limits, ARCHIVES_LIMIT_TIME);
	ck_assert_str_eq(archives_limit_text(s.facts.limits),
			 "reading the archives takes too long");
}
END_TEST

START_TEST(no_message_is_no_answer)
{
	static struct sample s;

	whole(&s, "none", 10);
	ask_about(&s, -1);
	ck_assert_int_eq(s.result, INSPECT_DIED);
}
END_TEST

START_TEST(bodies_are_checked)
{
	static struct sample s;
	static char room[256];
	struct archives_request rq;
	struct buf b = buf_over(room, sizeof(room));

	whole(&s, "x", 10);
	s.parts[1] = (struct archives_part){.inside = 0, .offset = 3, .length = 4, .encodings = 2};
	s.rq.count = 2;
	ck_assert(archives_question_put(&b, &s.rq));
	ck_assert(archives_question_get(buf_view(&b), &f.arena, &rq));
	ck_assert_uint_eq(rq.count, 2);
	ck_assert_int_eq(rq.parts[0].inside, -1);
	ck_assert_int_eq(rq.parts[1].inside, 0);
	ck_assert_uint_eq(rq.parts[1].length, 4);
	for (size_t n = 0; n < b.n; n++)
		ck_assert(!archives_question_get(text_make(b.p, n), &f.arena, &rq));
	/* A part in itself, or in a later one. */
	s.parts[1].inside = 1;
	b = buf_over(room, sizeof(room));
	ck_assert(archives_question_put(&b, &s.rq));
	ck_assert(!archives_question_get(buf_view(&b), &f.arena, &rq));
	/* An answer about other parts than were asked for. */
	struct archives_facts facts = {0};
	ck_assert(!archives_answer_get(LIT("\0\0\0\0\0\0\0\1\0"), &f.arena, &s.rq, &facts));
	ck_assert(archives_answer_get(LIT("\0\0\0\0\0\0\0\2\0\1"), &f.arena, &s.rq, &facts));
	ck_assert_uint_eq(facts.states, 1);
}
END_TEST

static void set_up(void)
{
	inspect_fixture_start(&f, 1);
	inspect_fixture_await(&f, 1);
}

static void tear_down(void)
{
	inspect_fixture_stop(&f);
}

int main(void)
{
	Suite *s = suite_create("archive");
	TCase *tc = tcase_create("archive");
	SRunner *sr = srunner_create(s);

#ifdef GATEPOST_SANITIZED
	puts("SKIP: sanitizer builds run without the filter of system calls");
#endif
	temp_dir_make(folder);
	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_is_in_them);
	tcase_add_test(tc, damaged_by_chance);
	tcase_add_test(tc, a_slow_machine_is_no_limit);
	tcase_add_test(tc, no_time_is_a_limit);
	tcase_add_test(tc, no_message_is_no_answer);
	tcase_add_test(tc, bodies_are_checked);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	temp_dir_remove(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
