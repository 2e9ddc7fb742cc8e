/* Giving up root, for good. */
#ifndef SHM_BASE_PRIVILEGES_H
#define SHM_BASE_PRIVILEGES_H

#include "shm/base/text.h"

/* If we are root: becomes `user` (uid, gid, no supplementary groups, no capabilities).  In any
 * case: no-new-privs, not dumpable and no core (they would hold keys and mail), and SIGTERM when
 * the parent dies.  False with a message in err: the caller must end. */
bool privileges_drop(struct text user, struct buf *err);

/* Only becomes `user` if we are root: for the admin tool, before it opens anything. */
bool privileges_become(struct text user, struct buf *err);

#endif
