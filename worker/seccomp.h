/* The system calls of a worker. */
#ifndef WORKER_SECCOMP_H
#define WORKER_SECCOMP_H

#include "shm/base/text.h"

/* From now on all threads of this process may only do what a worker needs: talk on sockets that it
 * has accepted or connected, spool, and read LMDB.  Anything else fails with EPERM and leaves a
 * line in the kernel's audit log.  False with a message in err.  Does nothing in sanitizer builds,
 * whose runtime needs more. */
bool worker_seccomp(struct buf *err);

#endif
