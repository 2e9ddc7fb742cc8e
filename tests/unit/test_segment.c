/* The segment: made, sealed, shared by its descriptor, and refused when it isn't what it should be.
 */
#include "shm/segment.h"

#include "shm/event.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_BYTES (64 * 1024)

static const struct siphash_key KEY = {11, 22};

START_TEST(is_shared_by_its_descriptor)
{
	struct segment a, b;
	uint64_t position = 0;
	char got[8];
	int fd = segment_create(1000, RING_BYTES, &KEY, &a);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(segment_attach(fd, true, &b), 0);
	ck_assert_ptr_ne(a.header, b.header);
	ck_assert_uint_eq(b.table.bucket_count, 1024 / 4);
	uint64_t tag = table_tag(&a.table, TABLE_LIVE, LIT("x"), "k", 1);
	ck_assert_uint_eq(tag, table_tag(&b.table, TABLE_LIVE, LIT("x"), "k", 1));
	table_live_add(&a.table, tag, 1, 1);
	ck_assert_uint_eq(table_live_add(&b.table, tag, 1, 1), 2);
	ck_assert(ring_push(&a.rings[SEGMENT_PROCESSES - 1], "event", 5, RING_MATTERS));
	ck_assert_int_eq(ring_read(&b.rings[SEGMENT_PROCESSES - 1], &position, got, 8), 5);
	/* The last session slot of the last process is inside, and nobody else's. */
	a.sessions[(size_t)SEGMENT_PROCESSES * SEGMENT_SESSIONS_PER_PROCESS - 1].tags[1] = 7;
	ck_assert_uint_eq(ring_tail(&b.rings[0]), 0);
	segment_detach(&a);
	segment_detach(&b);
	ck_assert_ptr_null(b.header);
	close(fd);
}
END_TEST

START_TEST(can_be_read_without_the_right_to_write)
{
	struct segment a, b;
	char path[64];
	int fd = segment_create(1000, RING_BYTES, &KEY, &a);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int readable = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(readable, 0);
	ck_assert_int_eq(segment_attach(readable, true, &b), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(segment_attach(readable, false, &b), 0);
	uint64_t tag = table_tag(&a.table, TABLE_LIVE, LIT("x"), "k", 1);
	table_live_add(&a.table, tag, 1, 1);
	ck_assert_uint_eq(table_read(&b.table, tag), 1);
	ck_assert_uint_eq(metric_sum(&b, METRIC_connections), 0);
	close(readable);
	close(fd);
	segment_detach(&a);
	segment_detach(&b);
}
END_TEST

START_TEST(nobody_changes_its_size)
{
	struct segment a;
	int fd = segment_create(8, RING_BYTES, &KEY, &a);

	ck_assert_int_eq(ftruncate(fd, 4096), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(fd, (off_t)a.size + 4096), -1);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	segment_detach(&a);
	close(fd);
}
END_TEST

static void refused(int fd)
{
	struct segment s;

	ck_assert_int_eq(segment_attach(fd, false, &s), -1);
	ck_assert_int_eq(errno, EPROTO);
}

START_TEST(refuses_what_is_no_segment)
{
	struct segment a;
	int fd = segment_create(1000, RING_BYTES, &KEY, &a);
	struct segment_header good = *a.header;

	a.header->magic[0] = 'G';
	refused(fd);
	*a.header = good;
	a.header->layout++;
	refused(fd);
	*a.header = good;
	a.header->table_entries *= 2;
	refused(fd);
	a.header->table_entries = UINT64_MAX;
	refused(fd);
	*a.header = good;
	a.header->ring_bytes = 3;
	refused(fd);
	*a.header = good;
	a.header->size -= 4096;
	refused(fd);
	segment_detach(&a);
	close(fd);

	fd = memfd_create("small", MFD_ALLOW_SEALING);
	refused(fd); /* not sealed */
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	refused(fd); /* empty */
	close(fd);
	int pipes[2];
	ck_assert_int_eq(pipe(pipes), 0);
	refused(pipes[0]);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

START_TEST(refuses_a_geometry_that_can_not_work)
{
	struct segment a;
	uint32_t bad_rings[] = {0, 4096, EVENT_MAX * 4, 100000, UINT32_C(1) << 31};

	for (unsigned i = 0; i < sizeof(bad_rings) / sizeof(bad_rings[0]); i++) {
		ck_assert_int_eq(segment_create(1000, bad_rings[i], &KEY, &a), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(segment_create(UINT64_MAX, RING_BYTES, &KEY, &a), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(untouched_parts_cost_nothing)
{
	struct segment a;
	struct stat st;
	int fd = segment_create(UINT64_C(1) << 22, 1 << 20, &KEY, &a);

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_gt(st.st_size, 200 << 20);
	ck_assert_int_lt(st.st_blocks * 512, 2 << 20);
	segment_detach(&a);
	close(fd);
}
END_TEST

START_TEST(process_slots_come_and_go)
{
	struct segment a;
	uint64_t position = 0;
	char got[8];
	int fd = segment_create(8, RING_BYTES, &KEY, &a);
	struct process_slot *w = segment_take_process(&a, ROLE_WORKER, 3, 1);

	ck_assert_ptr_eq(w, a.processes);
	ck_assert_uint_eq(w->index, 3);
	ck_assert_ptr_eq(segment_take_process(&a, ROLE_KEEPER, 0, 1), a.processes + 1);
	metric_add(w, METRIC_connections, 5);
	metric_add(&a.processes[1], METRIC_connections, 2);
	ck_assert_uint_eq(metric_sum(&a, METRIC_connections), 7);
	ck_assert(ring_push(&a.rings[0], "last", 4, RING_AUDIT));
	segment_release_process(&a, w);
	ck_assert_uint_eq(metric_sum(&a, METRIC_connections), 7);

	/* Its events aren't read yet: the slot waits. */
	ck_assert_ptr_eq(segment_take_process(&a, ROLE_WORKER, 3, 2), a.processes + 2);
	ring_read(&a.rings[0], &position, got, sizeof(got));
	ring_release(&a.rings[0], position);
	w = segment_take_process(&a, ROLE_WORKER, 4, 2);
	ck_assert_ptr_eq(w, a.processes);
	ck_assert_uint_eq(w->metrics[METRIC_connections], 0);
	ck_assert_uint_eq(metric_sum(&a, METRIC_connections), 7);
	for (int i = 3; i < SEGMENT_PROCESSES; i++)
		ck_assert_ptr_nonnull(segment_take_process(&a, ROLE_WORKER, 0, 2));
	ck_assert_ptr_null(segment_take_process(&a, ROLE_WORKER, 0, 2));
	segment_detach(&a);
	close(fd);
}
END_TEST

START_TEST(names_come_from_the_tables)
{
	ck_assert_str_eq(role_name(ROLE_KEEPER), "keeper");
	ck_assert_str_eq(role_name((enum role)99), "none");
	ck_assert_str_eq(metric_name(METRIC_events_dropped), "events_dropped");
	for (int m = 0; m < METRIC_COUNT; m++)
		ck_assert_uint_gt(strlen(metric_help((enum metric)m)), 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segment");
	TCase *tc = tcase_create("segment");

	tcase_add_test(tc, is_shared_by_its_descriptor);
	tcase_add_test(tc, can_be_read_without_the_right_to_write);
	tcase_add_test(tc, nobody_changes_its_size);
	tcase_add_test(tc, refuses_what_is_no_segment);
	tcase_add_test(tc, refuses_a_geometry_that_can_not_work);
	tcase_add_test(tc, untouched_parts_cost_nothing);
	tcase_add_test(tc, process_slots_come_and_go);
	tcase_add_test(tc, names_come_from_the_tables);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
