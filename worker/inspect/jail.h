/* Where the inspectors live: no network, no files, no privileges, bounded memory, and a list of
 * system calls whose breach is the end of the process. */
#ifndef WORKER_INSPECT_JAIL_H
#define WORKER_INSPECT_JAIL_H

#include "shm/base/text.h"

/* In the zygote, once.  As root: namespaces of its own where the kernel allows it (mounts, network,
 * IPC), an empty read-only tmpfs as the root directory (else one that does not exist any more), and
 * then the user `user`; started as anybody else, only what needs no root.  False
 * with a message. */
bool jail_enter(struct text user, struct buf *err);

/* In each inspector: at most `memory_bytes` of address space, no file may grow beyond `file_bytes`
 * (0: at all), no core; does nothing in sanitizer builds. */
bool jail_limit(uint64_t memory_bytes, uint64_t file_bytes, struct buf *err);

/* In each inspector, as the last step: any system call but those that a pure function needs kills
 * the process (SIGSYS).  With `files`, also what it takes to write, read and remove temporary files
 * in a room of its own (worker/inspect/scratch.h).  Does nothing in sanitizer builds. */
bool jail_seccomp(bool files, struct buf *err);

#endif
