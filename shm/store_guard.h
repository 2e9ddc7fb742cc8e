/* The guard of an environment that is written without sync.
 *
 * Such an environment survives every death of a process, but not that of the machine: after a power
 * failure its pages may be of different ages, and LMDB would trust them.  So a note beside it says
 * in which boot it was written and whether its last writer closed it well; what was left open by
 * another boot is set aside (data.mdb.unsynced) and a new one begun.  The note's lock is shared by
 * writers. */
#ifndef SHM_STORE_GUARD_H
#define SHM_STORE_GUARD_H

#include <stdbool.h>

/* Before the environment in `dir` is opened for writing; *fd is the note, to be given to
 * store_guard_leave.  0 or an errno code. */
int store_guard_enter(const char *dir, int *fd);

/* After the last write; `synced`: everything has reached the disk.  Closes fd. */
void store_guard_leave(int fd, bool synced);

#endif
