/* What commands print: tables for people or, with --json, the same facts as JSON.
 *
 * Nothing that came from the network reaches the terminal as it is: for people, controls, terminal
 * escapes and marks that turn the direction of writing are shown as \xHH; JSON is pure ASCII. */
#ifndef MASTER_ADMIN_OUTPUT_H
#define MASTER_ADMIN_OUTPUT_H

#include "shm/base/text.h"

#include <stdio.h>

#define TABLE_COLUMNS 12

struct table_out {
	const char
	    *columns[TABLE_COLUMNS]; /* "FREE_AT": a heading "FREE AT", a JSON key "free_at" */
	unsigned numbers;            /* bit mask of columns that are numbers in JSON */
	size_t column_count, row_count, row_room;
	char **rows; /* of a table for people; JSON is printed row by row */
	bool json;
};

/* `names` are separated by spaces. */
void table_begin(struct table_out *t, bool json, const char *names, unsigned numbers);
/* One row, as many strings as there are columns; NULL and "" show as "-" (null in JSON).  JSON is
 * printed at once, a table with table_end. */
void table_row(struct table_out *t, ...);
/* Prints and frees it.  Without rows nothing is printed, in JSON "[]". */
void table_end(struct table_out *t);

/* Prints s as a JSON string, quotes included.  Bytes that are not UTF-8 become the four characters
 * \xHH. */
void json_string(const char *s);
void json_text(struct text t);
/* Prints s for people. */
void print_clean(FILE *out, const char *s);
void print_clean_text(FILE *out, struct text t);

/* What follows writes into dst and returns it. */

/* "1,204"; in JSON "1204". */
char *count_format(bool json, uint64_t n, char dst[32]);
/* For a table: "2026-06-08 09:14", in JSON ISO 8601 UTC; "" for 0. */
char *when(bool json, int64_t wall_us, char dst[40]);
/* In a sentence: "2026-06-08 09:14 CEST". */
char *minute_format(int64_t wall_us, char dst[40]);
/* "2026-06-08 09:14:07.310 CEST". */
char *moment_format(int64_t wall_us, char dst[40]);
/* A stretch of time as people say it: "41 s", "3 h", "12 d 4 h". */
char *span_format(int64_t us, char dst[32]);

#endif
