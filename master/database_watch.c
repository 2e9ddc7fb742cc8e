/* Looking at the directory of the anti-virus database. */
#include "master/database_watch.h"

#include "shm/base/siphash.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What libclamav loads; freshclam's own notes and what it is still downloading are nothing to us.
 */
static const char *const endings[] = {
    "cvd", "cld", "cud", "cdb", "cbc", "crb",  "db",   "fp",   "ftm", "gdb", "hdb",
    "hdu", "hsb", "hsu", "idb", "ign", "ign2", "imp",  "info", "ldb", "ldu", "mdb",
    "mdu", "msb", "msu", "ndb", "ndu", "pdb",  "pwdb", "sfp",  "wdb", "yar", "yara",
};

static bool is_database(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (!dot || name[0] == '.')
		return false;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (strcmp(dot + 1, endings[i]) == 0)
			return true;
	}
	return false;
}

/* The sum does not depend on the order. */
static void add(struct database_look *look, const char *name, const struct stat *st)
{
	static const struct siphash_key key = {0x67617465706f7374, 1};
	const int64_t facts[] = {st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
				 (int64_t)st->st_ino};

	look->files++;
	look->print += siphash(&key, facts, sizeof(facts)) ^ siphash(&key, name, strlen(name));
	if (st->st_mtim.tv_sec > look->newest_s)
		look->newest_s = st->st_mtim.tv_sec;
}

struct database_look database_look(const char *directory)
{
	struct database_look look = {0};
	DIR *d = opendir(directory);
	struct stat st;

	if (!d)
		return look;
	for (const struct dirent *e; (e = readdir(d));) {
		if (is_database(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode))
			add(&look, e->d_name, &st);
	}
	closedir(d);
	return look;
}
