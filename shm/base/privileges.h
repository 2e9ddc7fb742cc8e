/* Giving up root, for good. */
#ifndef SHM_BASE_PRIVILEGES_H
#define SHM_BASE_PRIVILEGES_H

#include "shm/base/text.h"

#include <sys/types.h>

/* If we are root: becomes `user` (uid, gid, no supplementary groups, no capabilities).  In any
 * case: no-new-privs, not dumpable and no core (they would hold keys and mail), and SIGTERM when
 * the parent dies.  False with a message in err: the caller must end. */
bool privileges_drop(struct text user, struct buf *err);

/* The same in two steps, for a process that can't look users up any more when it drops root. */
struct privileges_user {
	struct text name; /* the caller's */
	uid_t uid;
	gid_t gid;
};
bool privileges_find(struct text user, struct privileges_user *out, struct buf *err);
bool privileges_drop_to(const struct privileges_user *u, struct buf *err);

/* The two steps of privileges_drop_to(), for who keeps a capability between them: the change of
 * user alone (PR_SET_KEEPCAPS holds through it), and what comes after it. */
bool privileges_change(const struct privileges_user *u, struct buf *err);
bool privileges_seal(struct buf *err);

/* Only becomes `user` if we are root: for the admin tool, before it opens anything. */
bool privileges_become(struct text user, struct buf *err);

#endif
