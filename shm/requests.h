/* What the tool asks of the keeper.  The tool sees the segment read-only, so that no mistake of its
 * own can cost a count; to have keys of the counter table forgotten (`limits reset`, `blocks del`)
 * it leaves a request in the `events` environment, the keeper does it in its next round and removes
 * the request, and the tool sees that it is done. */
#ifndef SHM_REQUESTS_H
#define SHM_REQUESTS_H

#include "shm/lists.h"
#include "shm/table.h"

#define REQUEST_TAGS_MAX 128
#define REQUEST_NOTE_MAX 200

/* Leaves a request; `note` says who wants what, for the log.  Its number is in *id.  0, EINVAL (too
 * many tags) or an LMDB code. */
int requests_put(struct store *events, const uint64_t *tags, size_t n, const char *note,
		 uint64_t *id);
/* Is it still waiting?  NO: it was done. */
enum answer requests_waiting(struct store *events, uint64_t id);
/* Takes back what nobody does. */
int requests_withdraw(struct store *events, uint64_t id);

/* The keeper, once a round: forgets the tags of all requests, logs their notes, removes them.  A
 * keeper that is killed in the middle does it again, which changes nothing.  How many requests were
 * done, or -1. */
int requests_apply(struct store *events, struct table *table);

#endif
