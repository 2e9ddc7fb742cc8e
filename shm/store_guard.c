/* The guard of an environment that is written without sync. */
#include "shm/store_guard.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "shm/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { NOTE_MAX = 80 };

/* "d2f1...-... open  ": the boot, and whether a writer may have left something unsynced.  Words of
 * one length, so that a note is replaced by one write. */
static const char word_open[] = "open  ";
static const char word_closed[] = "closed";

static void note_make(char note[NOTE_MAX], const char *word)
{
	char boot[CLOCK_BOOT_ID_SIZE];

	clock_boot_id(boot);
	snprintf(note, NOTE_MAX, "%s %s\n", boot, word);
}

static bool note_write(int fd, const char *word)
{
	char note[NOTE_MAX];

	note_make(note, word);
	return pwrite(fd, note, strlen(note), 0) == (ssize_t)strlen(note) && fsync(fd) == 0;
}

/* True if the note is about an open environment; `mine`: of this boot. */
static bool note_is_open(int fd, bool *mine)
{
	char note[NOTE_MAX], own[NOTE_MAX];
	ssize_t n = pread(fd, note, sizeof(note), 0);
	struct text was = text_make(note, n > 0 ? (size_t)n : 0);

	note_make(own, word_open);
	*mine = text_eq(was, text_of(own));
	return text_iends(was, LIT(" open  \n"));
}

static void set_aside(const char *dir)
{
	char data[PATH_MAX], aside[PATH_MAX], lock[PATH_MAX];

	if (snprintf(data, sizeof(data), "%s/data.mdb", dir) >= PATH_MAX ||
	    snprintf(aside, sizeof(aside), "%s/data.mdb.unsynced", dir) >= PATH_MAX ||
	    snprintf(lock, sizeof(lock), "%s/lock.mdb", dir) >= PATH_MAX)
		return;
	if (rename(data, aside) == 0)
		log_warn(
		    "%s was not closed before the machine went down: begun anew, the old one is %s",
		    dir, aside);
	unlink(lock);
}

static int lock_shared(int fd)
{
	while (flock(fd, LOCK_SH) < 0) {
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

int store_guard_enter(const char *dir, int *fd)
{
	char path[PATH_MAX];
	bool mine;

	if (snprintf(path, sizeof(path), "%s/written", dir) >= PATH_MAX)
		return ENAMETOOLONG;
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return errno;
	/* whoever holds the lock has looked at the note already */
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0 && note_is_open(*fd, &mine) && !mine)
		set_aside(dir);
	int rc = lock_shared(*fd);

	if (rc != 0 || (note_is_open(*fd, &mine) && mine))
		return rc;
	return note_write(*fd, word_open) ? 0 : errno;
}

void store_guard_leave(int fd, bool synced)
{
	/* with other writers about, the last of them will say it */
	if (synced && flock(fd, LOCK_EX | LOCK_NB) == 0)
		note_write(fd, word_closed);
	close(fd);
}
