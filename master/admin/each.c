/* One argument after the other. */
#include "master/admin/each.h"

int each_argument(struct tool *t, int argc, char **argv, const char *columns, unsigned numbers,
		  int (*one)(struct each *e, const char *typed), const void *arg)
{
	struct each e = {.tool = t, .arg = arg};
	int worst = EXIT_YES;

	table_begin(&e.rows, t->options.json, columns, numbers);
	for (int i = 0; i < argc && worst <= EXIT_NO; i++) {
		const int status = one(&e, argv[i]);

		if (status > worst)
			worst = status;
	}
	table_end(&e.rows);
	return worst;
}
