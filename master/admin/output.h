/* What commands print: tables for people or, with --json, the same facts as JSON. */
#ifndef MASTER_ADMIN_OUTPUT_H
#define MASTER_ADMIN_OUTPUT_H

#include "shm/base/text.h"

#define TABLE_COLUMNS 12

struct table_out {
	const char *columns[TABLE_COLUMNS]; /* "EXPIRES"; JSON keys are these in lower case */
	unsigned numbers;                   /* bit mask of columns that are numbers in JSON */
	size_t column_count, row_count;
	char ***rows;
	bool json;
};

/* `names` are separated by spaces. */
void table_begin(struct table_out *t, bool json, const char *names, unsigned numbers);
/* One row, as many strings as there are columns; NULL and "" show as "-" (null in JSON).  Copied.
 */
void table_row(struct table_out *t, ...);
/* Prints and frees it. */
void table_end(struct table_out *t);

/* Prints s as a JSON string, quotes included. */
void json_string(const char *s);
/* Prints s with controls and terminal escapes made visible. */
void print_clean(const char *s);

/* "2026-06-08 09:14:07 CEST", "-" for 0. */
const char *when(int64_t wall_us, char dst[40]);

#endif
