/* What stands in the directory of the anti-virus database, told cheaply enough to look twice a
 * second.
 */
#ifndef MASTER_DATABASE_WATCH_H
#define MASTER_DATABASE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct database_look {
	unsigned files;   /* of signatures; 0: there is no database */
	uint64_t print;   /* another one when a file was added, changed, renamed or removed */
	int64_t newest_s; /* when the newest was changed */
};

/* Names, sizes and times only: no file is opened. */
struct database_look database_look(const char *directory);

#endif
