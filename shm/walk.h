/* A walk over a database that holds no read transaction while the caller looks at what was found:
 * he may take his time (a pager, a slow client), and may write.  Records that come or go meanwhile
 * may be seen or not; those that stay are seen once. */
#ifndef SHM_WALK_H
#define SHM_WALK_H

#include "shm/store.h"

struct walk {
	enum store_db db;
	struct text prefix; /* only keys that begin so */
	bool backwards;     /* from the last key to the first; without a prefix */
};

/* Until fn returns non-zero, which is then returned; 0 at the end; an LMDB code. */
int store_walk(struct store *st, const struct walk *w,
	       int (*fn)(struct text key, struct text value, void *arg), void *arg);

#endif
