/* For the tests of the lists: a store of their own and entries in a line. */
#ifndef TESTS_UNIT_LISTS_HELP_H
#define TESTS_UNIT_LISTS_HELP_H

#include "shm/lists.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <sys/wait.h>

static char dir[64];
static struct store st;

static inline void lists_open(enum store_access access)
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	ck_assert_msg(store_open(&st, dir, STORE_LISTS, access, &err) == 0, "%s", message);
}

static inline void lists_setup(void)
{
	temp_dir_make(dir);
	lists_open(STORE_WRITE);
}

static inline void lists_teardown(void)
{
	store_close(&st);
	temp_dir_remove(dir);
}

static inline struct list_entry entry(enum list_key kind, const char *key, int64_t expires_wall_us)
{
	struct list_entry e = {
	    .kind = kind, .added_wall_us = 5, .expires_wall_us = expires_wall_us};

	snprintf(e.key, sizeof(e.key), "%s", key);
	snprintf(e.by, sizeof(e.by), "admin");
	snprintf(e.reason, sizeof(e.reason), "because of %s", key);
	return e;
}

static inline struct ip ip_of(const char *s)
{
	struct ip ip;

	ck_assert_msg(ip_parse(text_of(s), &ip), "%s", s);
	return ip;
}

#endif
