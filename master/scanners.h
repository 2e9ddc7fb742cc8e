/* The zygotes of the anti-virus inspectors: one serves, and when the database or an option changes
 * another one loads beside it, proves itself and takes over.  Both serve the same queue of
 * questions, so that none waits for the change; a database that is no good leaves the one in force.
 */
#ifndef MASTER_SCANNERS_H
#define MASTER_SCANNERS_H

#include "master/child.h"
#include "master/database_watch.h"

struct master;
struct zygote_status;

enum { SCANNERS_MAX = 3 /* one serves, one loads, one still ends what it is at */ };

struct scanner {
	struct child child;
	struct zygote_status *page; /* shared with it, and its descriptor */
	int page_fd;
};

struct scanners {
	/* Questions: workers ask on [0], inspectors serve [1]. */
	int pair[2];
	struct scanner all[SCANNERS_MAX];
	struct scanner *serving, *coming; /* NULL: none */
	struct database_look seen, loaded, failed;
	char options[1024]; /* that the newest was started with */
	int64_t next_look_mono_us;
	int64_t retry_mono_us; /* when what failed is tried again; 0: not before it changes */
	unsigned failures;     /* in a row */
	bool looked;
	bool announced; /* that the one that serves is in force */
	int64_t took_over_mono_us;
};

bool scanners_open(struct scanners *s);
/* Whenever the master wakes: what has loaded takes over; twice a second, and a moment after a
 * change, looks at the database and starts what is due. */
void scanners_tick(struct master *m);
/* When it wants to be called next. */
int64_t scanners_next_mono_us(const struct scanners *s);
/* The child of a scanner with that pid; NULL. */
struct child *scanners_find(struct scanners *s, int pid);
/* It has ended and was buried. */
void scanners_ended(struct master *m, struct child *c, int status);
/* Tells all of them to end. */
void scanners_stop(struct scanners *s);
bool scanners_gone(const struct scanners *s);

#endif
