/* Tables and JSON. */
#include "master/admin/output.h"

#include "shm/base/clock.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *check_memory(void *p)
{
	if (p)
		return p;
	fputs("gatepost: out of memory\n", stderr);
	exit(3);
}

void table_begin(struct table_out *t, bool json, const char *names, unsigned numbers)
{
	*t = (struct table_out){.json = json, .numbers = numbers};
	char *copy = check_memory(strdup(names)), *rest = NULL;
	for (char *c = strtok_r(copy, " ", &rest); c && t->column_count < TABLE_COLUMNS;
	     c = strtok_r(NULL, " ", &rest))
		t->columns[t->column_count++] = check_memory(strdup(c));
	free(copy);
}

void table_row(struct table_out *t, ...)
{
	va_list ap;
	char **row = check_memory(calloc(t->column_count, sizeof(*row)));
	va_start(ap, t);
	for (size_t i = 0; i < t->column_count; i++) {
		const char *s = va_arg(ap, const char *);
		row[i] = check_memory(strdup(s ? s : ""));
	}
	va_end(ap);
	t->rows = check_memory(realloc(t->rows, (t->row_count + 1) * sizeof(*t->rows)));
	t->rows[t->row_count++] = row;
}

void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void print_clean(const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < 0x20 || c == 0x7f)
			printf("\\x%02X", c);
		else
			putchar(c);
	}
}

static void print_json(const struct table_out *t)
{
	putchar('[');
	for (size_t r = 0; r < t->row_count; r++) {
		fputs(r ? ",\n {" : "{", stdout);
		for (size_t c = 0; c < t->column_count; c++) {
			const char *s = t->rows[r][c];
			fputs(c ? ", \"" : "\"", stdout);
			for (const char *k = t->columns[c]; *k; k++)
				putchar(tolower((unsigned char)*k));
			fputs("\": ", stdout);
			if (!*s)
				fputs("null", stdout);
			else if (t->numbers & 1U << c)
				fputs(s, stdout);
			else
				json_string(s);
		}
		putchar('}');
	}
	puts("]");
}

/* Columns as wide as people see them: bytes of UTF-8 that continue a character take no room. */
static size_t shown_width(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

static void print_padded(const char *s, size_t width, bool last)
{
	print_clean(*s ? s : "-");
	for (size_t n = *s ? shown_width(s) : 1; !last && n < width + 2; n++)
		putchar(' ');
}

static void print_table(const struct table_out *t)
{
	size_t width[TABLE_COLUMNS] = {0};
	for (size_t c = 0; c < t->column_count; c++) {
		width[c] = strlen(t->columns[c]);
		for (size_t r = 0; r < t->row_count; r++) {
			size_t n = shown_width(t->rows[r][c]);
			width[c] = n > width[c] ? n : width[c];
		}
	}
	for (size_t c = 0; c < t->column_count; c++)
		print_padded(t->columns[c], width[c], c + 1 == t->column_count);
	putchar('\n');
	for (size_t r = 0; r < t->row_count; r++) {
		for (size_t c = 0; c < t->column_count; c++)
			print_padded(t->rows[r][c], width[c], c + 1 == t->column_count);
		putchar('\n');
	}
}

void table_end(struct table_out *t)
{
	if (t->json)
		print_json(t);
	else if (t->row_count)
		print_table(t);
	for (size_t r = 0; r < t->row_count; r++) {
		for (size_t c = 0; c < t->column_count; c++)
			free(t->rows[r][c]);
		free(t->rows[r]);
	}
	free(t->rows);
	for (size_t c = 0; c < t->column_count; c++)
		free((char *)t->columns[c]);
	*t = (struct table_out){0};
}

const char *when(int64_t wall_us, char dst[40])
{
	if (wall_us == 0)
		return "";
	return wall_format(wall_us, dst);
}
