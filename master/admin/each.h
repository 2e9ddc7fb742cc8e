/* Commands that do one thing to each of their arguments. */
#ifndef MASTER_ADMIN_EACH_H
#define MASTER_ADMIN_EACH_H

#include "master/admin/output.h"
#include "master/admin/tool.h"

struct each {
	struct tool *tool;
	struct table_out rows; /* what --json prints */
	const void *arg;       /* the command's own */
};

/* one() does it to an argument as it was typed, and prints what it did or, with --json, adds a row
 * of these columns (`numbers` as for table_begin()).  It returns an exit status; EXIT_NO (it isn't
 * there) lets the rest go on, anything worse ends it.  Returns the worst. */
int each_argument(struct tool *t, int argc, char **argv, const char *columns, unsigned numbers,
		  int (*one)(struct each *e, const char *typed), const void *arg);

#endif
