/* The keeper: a real one, forked, that drains a real segment; killed, starved of its store, its log
 * unread, its master gone. */
#include "shm/keeper.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/journal.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { RINGS = 4, RING_BYTES = 1 << 20, KEEPER_SLOT = SEGMENT_PROCESSES - 1, PATIENCE_S = 30 };

static char dir[64], log_path[128];
static struct segment seg;
static int seg_fd, lifeline[2];

static void setup(void)
{
	static const struct siphash_key key = {1, 2};

	temp_dir_make(dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	seg_fd = segment_create(1024, RING_BYTES, &key, &seg);
	ck_assert_int_ge(seg_fd, 0);
	ck_assert_int_eq(pipe(lifeline), 0);
}

static void teardown(void)
{
	segment_detach(&seg);
	close(seg_fd);
	close(lifeline[0]);
	close(lifeline[1]);
	temp_dir_remove(dir);
}

static volatile sig_atomic_t told_to_stop;

static void on_term(int signal_number)
{
	(void)signal_number;
	told_to_stop = 1;
}

static bool stop(void)
{
	return told_to_stop;
}

struct start {
	const char *state_dir;
	int log_fd; /* -1: log_path */
	bool json;
	size_t events_max;
	unsigned die_after_us; /* by a signal that it does not catch, wherever it is then */
};

static pid_t start_keeper(const struct start *s)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	struct keeper_options o = {.state_dir = s->state_dir ? s->state_dir : dir,
				   .log_json = s->json,
				   .events_max_bytes = s->events_max,
				   .process = KEEPER_SLOT,
				   .lifeline_fd = lifeline[0],
				   .stop = stop};
	int fd = s->log_fd > 0 ? s->log_fd : open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	close(lifeline[1]);
	signal(SIGTERM, on_term);
	signal(SIGALRM, SIG_DFL); /* the test runner's would end the test */
	dup2(fd, STDERR_FILENO);
	log_open(LOG_TO_STDERR, "keeper");
	setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = s->die_after_us}, NULL);
	_exit(keeper_run(&seg, &o));
}

static int end_keeper(pid_t pid, int signal_number)
{
	int status;

	kill(pid, signal_number);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void moment(void)
{
	static const struct timespec time = {.tv_nsec = 1000000};

	nanosleep(&time, NULL);
}

static void push(unsigned p, const struct event *e)
{
	int64_t deadline = clock_mono_us() + PATIENCE_S * SECOND_US;

	while (!ring_push(&seg.rings[p], e->bytes, e->n, RING_MATTERS)) {
		ck_assert_int_lt(clock_mono_us(), deadline);
		moment();
	}
	keeper_wake(&seg);
}

static void push_incident(unsigned p, uint64_t id)
{
	struct event e;

	event_begin(&e, EVENT_INCIDENT, clock_wall_us());
	event_int(&e, FIELD_incident, (int64_t)id);
	event_text(&e, FIELD_check, LIT("banned-client"));
	event_text(&e, FIELD_ran, LIT("banned-client refused 3 192.0.2.0/24"));
	push(p, &e);
}

static void push_hit(unsigned p, uint64_t entry)
{
	struct event e;

	event_begin(&e, EVENT_HIT, clock_wall_us());
	event_int(&e, FIELD_tag, (int64_t)entry);
	push(p, &e);
}

static void wait_drained(void)
{
	int64_t deadline = clock_mono_us() + PATIENCE_S * SECOND_US;

	for (unsigned p = 0; p < RINGS; p++) {
		while (!ring_drained(&seg.rings[p])) {
			ck_assert_int_lt(clock_mono_us(), deadline);
			moment();
		}
	}
}

static void open_events(struct store *st, enum store_access access)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	ck_assert_msg(store_open(st, dir, STORE_EVENTS, access, &err) == 0, "%s", message);
}

static void check_incidents(uint64_t first, uint64_t last)
{
	struct incident i;
	struct store st;

	open_events(&st, STORE_READ);
	for (uint64_t id = first; id <= last; id++)
		ck_assert_msg(incident_find(&st, id, &i) == ANSWER_YES, "%d", (int)id);
	store_close(&st);
}

static unsigned count_lines(const char *word)
{
	FILE *f = fopen(log_path, "r");
	char line[4096];
	unsigned n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, word) != NULL;
	fclose(f);
	return n;
}

START_TEST(drains_and_logs)
{
	pid_t pid = start_keeper(&(struct start){0});

	for (uint64_t id = 1; id <= 2000; id++)
		push_incident((unsigned)id % RINGS, id);
	push_hit(0, 9);
	wait_drained();
	push_incident(1, 2001);
	/* what stands in the rings at the end is still taken */
	ck_assert_int_eq(end_keeper(pid, SIGTERM), 0);
	ck_assert(ring_drained(&seg.rings[1]));
	check_incidents(1, 2001);
	ck_assert_uint_eq(count_lines("incident"), 2001);
	ck_assert_uint_eq(count_lines("hit"), 0);
	/* what only explain needs is not in the log */
	ck_assert_uint_eq(count_lines("refused 3"), 0);
	ck_assert_int_gt(seg.processes[KEEPER_SLOT].heartbeat_boot_us, 0);
}
END_TEST

static bool is_dead(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG) == pid;
}

/* As fast as the rings take them, until the keeper dies; how many there are then. */
static uint64_t push_until_dead(pid_t pid, uint64_t id)
{
	while (!is_dead(pid)) {
		unsigned p = (unsigned)(id % RINGS);

		/* one more of each at most: with room for both */
		if (ring_head(&seg.rings[p]) - ring_tail(&seg.rings[p]) > RING_BYTES / 2) {
			moment();
			continue;
		}
		push_incident(p, ++id);
		push_hit(p, 77);
	}
	return id;
}

START_TEST(killed_and_started_again)
{
	struct hits h;
	struct store st;
	uint64_t id = 0;

	for (unsigned round = 0; round < 40; round++) {
		struct start s = {.die_after_us = 3000 + 613 * round};

		id = push_until_dead(start_keeper(&s), id);
	}
	pid_t pid = start_keeper(&(struct start){0});

	wait_drained();
	ck_assert_int_eq(end_keeper(pid, SIGTERM), 0);
	check_incidents(1, id);
	ck_assert_uint_ge(count_lines("incident"), id);
	/* each exactly once, whatever was read again */
	open_events(&st, STORE_READ);
	ck_assert_int_eq(hits_find(&st, 77, &h), ANSWER_YES);
	ck_assert_uint_eq(h.count, id);
	store_close(&st);
}
END_TEST

static int count_block(const struct noted *n, void *arg)
{
	(void)n;
	++*(int *)arg;
	return 0;
}

START_TEST(what_was_lifted_stays_lifted)
{
	uint64_t tail = ring_tail(&seg.rings[2]);
	struct store st;
	struct event e;
	int blocks = 0;
	pid_t pid = start_keeper(&(struct start){0});

	event_begin(&e, EVENT_BLOCK, clock_wall_us());
	event_text(&e, FIELD_check, LIT("auth-block"));
	event_text(&e, FIELD_key, LIT("192.0.2.1"));
	event_int(&e, FIELD_until, clock_wall_us() + 3600 * SECOND_US);
	push(2, &e);
	wait_drained();
	end_keeper(pid, SIGKILL);
	open_events(&st, STORE_WRITE);
	ck_assert_int_eq(blocks_del(&st, LIT("auth-block"), LIT("192.0.2.1")), 0);
	store_close(&st);
	/* as if it had been killed between the commit and the release */
	ring_release(&seg.rings[2], tail);
	pid = start_keeper(&(struct start){0});
	push_incident(2, 1);
	wait_drained();
	end_keeper(pid, SIGTERM);
	check_incidents(1, 1);
	open_events(&st, STORE_READ);
	ck_assert_int_eq(blocks_each(&st, clock_wall_us(), count_block, &blocks), 0);
	ck_assert_int_eq(blocks, 0);
	store_close(&st);
}
END_TEST

/* A segment without any counters, as after a kill of all processes before the counters were saved.
 */
static void new_segment(void)
{
	static const struct siphash_key key = {1, 2};

	segment_detach(&seg);
	close(seg_fd);
	moment();
	seg_fd = segment_create(1024, RING_BYTES, &key, &seg);
	ck_assert_int_ge(seg_fd, 0);
}

static void push_block(const char *who, uint64_t tag, uint64_t mark, int64_t until)
{
	struct event e;

	event_begin(&e, EVENT_BLOCK, clock_wall_us());
	event_text(&e, FIELD_check, LIT("auth-block"));
	event_text(&e, FIELD_key, text_of(who));
	event_int(&e, FIELD_tag, (int64_t)tag);
	event_int(&e, FIELD_mark, (int64_t)mark);
	event_int(&e, FIELD_until, until);
	push(0, &e);
}

START_TEST(listed_blocks_are_in_force_after_a_restart)
{
	const int64_t now = clock_wall_us();
	uint64_t tags[4];
	pid_t pid = start_keeper(&(struct start){0});

	for (unsigned i = 0; i < 4; i++)
		tags[i] = table_tag(&seg.table, i == 3 ? TABLE_GCRA : TABLE_MARK, LIT("x"), &i,
				    sizeof(i));
	push_block("192.0.2.1", tags[0], 77, now + 3600 * SECOND_US);
	push_block("192.0.2.2", tags[1], 78, now - 1);
	push_block("192.0.2.3", tags[2], 0, now + 3600 * SECOND_US);
	push_block("192.0.2.4", tags[3], 79, now + 3600 * SECOND_US);
	wait_drained();
	end_keeper(pid, SIGKILL);
	new_segment();
	pid = start_keeper(&(struct start){0});
	push_incident(0, 1);
	wait_drained();
	ck_assert_uint_eq(table_mark_read(&seg.table, tags[0], clock_boot_us()), 77);
	ck_assert_uint_eq(table_mark_read(&seg.table, tags[0], clock_boot_us() + 3700 * SECOND_US),
			  0);
	ck_assert_uint_eq(table_read(&seg.table, tags[1]), 0);
	ck_assert_uint_eq(table_read(&seg.table, tags[2]), 0);
	ck_assert_uint_eq(table_read(&seg.table, tags[3]), 0);
	/* What is lifted then stays so, though its keeper be killed. */
	table_forget(&seg.table, tags[0]);
	end_keeper(pid, SIGKILL);
	pid = start_keeper(&(struct start){0});
	push_incident(0, 2);
	wait_drained();
	ck_assert_uint_eq(table_read(&seg.table, tags[0]), 0);
	end_keeper(pid, SIGTERM);
}
END_TEST

START_TEST(another_segment_has_other_positions)
{
	pid_t pid = start_keeper(&(struct start){0});

	for (uint64_t id = 1; id <= 100; id++)
		push_incident(0, id);
	wait_drained();
	end_keeper(pid, SIGTERM);
	new_segment();
	pid = start_keeper(&(struct start){0});
	for (uint64_t id = 101; id <= 300; id++)
		push_incident(0, id);
	wait_drained();
	end_keeper(pid, SIGTERM);
	check_incidents(1, 300);
}
END_TEST

START_TEST(goes_on_without_a_store)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "%s/file", dir);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	pid_t pid = start_keeper(&(struct start){.state_dir = file, .json = true});

	for (uint64_t id = 1; id <= 3000; id++)
		push_incident(0, id);
	wait_drained();
	ck_assert_int_eq(end_keeper(pid, SIGTERM), 0);
	ck_assert_uint_eq(count_lines("banned-client"), 3000);
	/* said, but not for each batch */
	ck_assert_uint_ge(count_lines("cannot open"), 1);
	ck_assert_uint_le(count_lines("cannot open"), 2);
}
END_TEST

/* A reader of old pages, which then cannot be used again. */
static pid_t start_reader(void)
{
	int ready[2];
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct store st;

		open_events(&st, STORE_READ);
		if (store_read_begin(&st) && write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq((int)read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

START_TEST(full_behind_a_stuck_reader)
{
	pid_t pid = start_keeper(&(struct start){.events_max = 16 << 20});

	push_incident(0, 1);
	wait_drained();
	pid_t reader = start_reader();

	for (uint64_t id = 2; id <= 60000; id++)
		push_incident(0, id);
	wait_drained();
	ck_assert_uint_ge(count_lines("cannot keep incidents"), 1);
	ck_assert_uint_eq(count_lines("banned-client"), 60000);
	end_keeper(reader, SIGKILL);
	for (uint64_t id = 70001; id <= 70010; id++)
		push_incident(0, id);
	wait_drained();
	ck_assert_int_eq(end_keeper(pid, SIGTERM), 0);
	check_incidents(70001, 70010);
}
END_TEST

START_TEST(a_log_that_nobody_reads)
{
	int unread[2];

	ck_assert_int_eq(pipe(unread), 0);
	pid_t pid = start_keeper(&(struct start){.log_fd = unread[1]});

	/* many times what the pipe holds */
	for (uint64_t id = 1; id <= 5000; id++)
		push_incident(0, id);
	wait_drained();
	ck_assert_int_eq(end_keeper(pid, SIGTERM), 0);
	check_incidents(1, 5000);
	close(unread[0]);
	close(unread[1]);
}
END_TEST

START_TEST(wakes_and_sleeps)
{
	int64_t deadline = clock_mono_us() + PATIENCE_S * SECOND_US;
	pid_t pid = start_keeper(&(struct start){0});

	for (uint64_t id = 1; id <= 20; id++) {
		while (atomic_load(&seg.header->keeper_asleep) == 0) {
			ck_assert_int_lt(clock_mono_us(), deadline);
			moment();
		}
		push_incident(3, id);
		wait_drained();
	}
	end_keeper(pid, SIGTERM);
	check_incidents(1, 20);
}
END_TEST

START_TEST(one_producer_wakes_it)
{
	keeper_wake(&seg);
	ck_assert_uint_eq(seg.header->keeper_futex, 0);
	atomic_store(&seg.header->keeper_asleep, 1);
	keeper_wake(&seg);
	ck_assert_uint_eq(seg.header->keeper_futex, 1);
	ck_assert_uint_eq(seg.header->keeper_asleep, 0);
	keeper_wake(&seg);
	ck_assert_uint_eq(seg.header->keeper_futex, 1);
}
END_TEST

START_TEST(removes_what_has_expired)
{
	struct list_entry e = {.kind = LIST_LOGIN, .key = "user", .expires_wall_us = 5};
	char message[256];
	struct buf err = buf_over(message, sizeof(message));
	struct store st;

	ck_assert_int_eq(store_open(&st, dir, STORE_LISTS, STORE_WRITE, &err), 0);
	ck_assert_int_eq(bans_put(&st, &e), 0);
	store_close(&st);
	pid_t pid = start_keeper(&(struct start){0});

	push_incident(0, 1);
	wait_drained();
	end_keeper(pid, SIGTERM);
	ck_assert_int_eq(store_open(&st, dir, STORE_LISTS, STORE_WRITE, &err), 0);
	ck_assert_int_eq(bans_del(&st, LIST_LOGIN, "user"), MDB_NOTFOUND);
	store_close(&st);
}
END_TEST

START_TEST(ends_when_master_and_workers_have)
{
	struct process_slot *slot = segment_take_process(&seg, ROLE_WORKER, 0, 1);
	int status;
	pid_t worker = fork();

	ck_assert_ptr_nonnull(slot);
	if (worker == 0) {
		pause();
		_exit(0);
	}
	atomic_store(&slot->pid, worker);
	pid_t pid = start_keeper(&(struct start){0});

	close(lifeline[1]);
	lifeline[1] = -1;
	push_incident(0, 1);
	wait_drained();
	/* the worker may still have something to tell */
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	push_incident(0, 2);
	kill(worker, SIGKILL);
	waitpid(worker, &status, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	check_incidents(1, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("keeper");
	TCase *tc = tcase_create("keeper");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 90);
	tcase_add_test(tc, drains_and_logs);
	tcase_add_test(tc, killed_and_started_again);
	tcase_add_test(tc, what_was_lifted_stays_lifted);
	tcase_add_test(tc, listed_blocks_are_in_force_after_a_restart);
	tcase_add_test(tc, another_segment_has_other_positions);
	tcase_add_test(tc, goes_on_without_a_store);
	tcase_add_test(tc, full_behind_a_stuck_reader);
	tcase_add_test(tc, a_log_that_nobody_reads);
	tcase_add_test(tc, wakes_and_sleeps);
	tcase_add_test(tc, one_producer_wakes_it);
	tcase_add_test(tc, removes_what_has_expired);
	tcase_add_test(tc, ends_when_master_and_workers_have);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
