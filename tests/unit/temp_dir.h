/* A directory of a test's own, removed with all that is in it. */
#ifndef TESTS_UNIT_TEMP_DIR_H
#define TESTS_UNIT_TEMP_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int temp_dir_remove_one(const char *path, const struct stat *sb, int type,
				      struct FTW *f)
{
	(void)sb;
	(void)type;
	(void)f;
	return remove(path);
}

/* `path` has room for 64; aborts if it cannot be made.  In memory where that can be: thousands of
 * small commits wait for no disk. */
static inline char *temp_dir_make(char path[64])
{
	snprintf(path, 64, "%s/gatepost-test-XXXXXX",
		 access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(path))
		abort();
	return path;
}

static inline void temp_dir_remove(const char *path)
{
	nftw(path, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
