/* Tables, JSON, times and numbers. */
#include "master/admin/output.h"

#include "policy/message/utf8.h"
#include "shm/base/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

static void *check_memory(void *p)
{
	if (p)
		return p;
	fputs("gatepost: out of memory\n", stderr);
	exit(3);
}

/* ---- texts ---- */

/* Characters that a terminal obeys or that turn what stands beside them: C0, DEL, C1, and
 * Unicode's bidirectional and line marks. */
static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void print_clean_text(FILE *out, struct text t)
{
	while (t.n) {
		uint32_t c;
		size_t n = utf8_first(t, &c);
		size_t step = n ? n : 1;

		if (n && !is_harmful(c)) {
			fwrite(t.p, 1, n, out);
		} else {
			for (size_t i = 0; i < step; i++)
				fprintf(out, "\\x%02X", (unsigned char)t.p[i]);
		}
		t = text_make(t.p + step, t.n - step);
	}
}

void print_clean(FILE *out, const char *s)
{
	print_clean_text(out, text_of(s));
}

static void json_char(uint32_t c)
{
	if (c == '"' || c == '\\')
		printf("\\%c", (char)c);
	else if (c >= 0x20 && c < 0x7f)
		putchar((int)c);
	else if (c < 0x10000)
		printf("\\u%04" PRIx32, c);
	else
		printf("\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((c - 0x10000) >> 10),
		       0xdc00 + ((c - 0x10000) & 0x3ff));
}

void json_text(struct text t)
{
	putchar('"');
	while (t.n) {
		uint32_t c;
		size_t n = utf8_first(t, &c);

		if (n)
			json_char(c);
		else
			printf("\\\\x%02X", (unsigned char)t.p[0]);
		n = n ? n : 1;
		t = text_make(t.p + n, t.n - n);
	}
	putchar('"');
}

void json_string(const char *s)
{
	json_text(text_of(s));
}

/* ---- tables ---- */

void table_begin(struct table_out *t, bool json, const char *names, unsigned numbers)
{
	*t = (struct table_out){.json = json, .numbers = numbers};
	char *copy = check_memory(strdup(names)), *rest = NULL;
	for (char *c = strtok_r(copy, " ", &rest); c && t->column_count < TABLE_COLUMNS;
	     c = strtok_r(NULL, " ", &rest))
		t->columns[t->column_count++] = check_memory(strdup(c));
	free(copy);
}

/* One row as JSON, at once: a list may be long. */
static void json_row(struct table_out *t, va_list ap)
{
	fputs(t->row_count++ ? ",\n {" : "[{", stdout);
	for (size_t c = 0; c < t->column_count; c++) {
		const char *s = va_arg(ap, const char *);

		fputs(c ? ", \"" : "\"", stdout);
		for (const char *k = t->columns[c]; *k; k++)
			putchar(tolower((unsigned char)*k));
		fputs("\": ", stdout);
		if (!s || !*s)
			fputs("null", stdout);
		else if (t->numbers & 1U << c)
			fputs(s, stdout);
		else
			json_string(s);
	}
	putchar('}');
}

/* The cells one after the other, each with its NUL, as they will be printed. */
static char *kept_row(const struct table_out *t, va_list ap)
{
	char *row = NULL;
	size_t size;
	FILE *out = check_memory(open_memstream(&row, &size));

	for (size_t c = 0; c < t->column_count; c++) {
		const char *s = va_arg(ap, const char *);

		print_clean(out, s && *s ? s : "-");
		putc('\0', out);
	}
	fclose(out);
	return check_memory(row);
}

void table_row(struct table_out *t, ...)
{
	va_list ap;

	va_start(ap, t);
	if (t->json) {
		json_row(t, ap);
	} else {
		if (t->row_count == t->row_room) {
			t->row_room = t->row_room ? 2 * t->row_room : 16;
			t->rows = check_memory(realloc(t->rows, t->row_room * sizeof(*t->rows)));
		}
		t->rows[t->row_count++] = kept_row(t, ap);
	}
	va_end(ap);
}

/* Columns as wide as people see them: bytes of UTF-8 that continue a character take no room. */
static size_t shown_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

static void pad(size_t shown, size_t width, bool last)
{
	while (!last && shown++ < width + 2)
		putchar(' ');
}

static void print_heading(const char *column, size_t width, bool last)
{
	for (const char *c = column; *c; c++)
		putchar(*c == '_' ? ' ' : *c);
	pad(strlen(column), width, last);
}

static void print_table(const struct table_out *t)
{
	size_t width[TABLE_COLUMNS] = {0}, last = t->column_count - 1;

	for (size_t c = 0; c < t->column_count; c++)
		width[c] = strlen(t->columns[c]);
	for (size_t r = 0; r < t->row_count; r++) {
		const char *s = t->rows[r];

		for (size_t c = 0; c < t->column_count; c++, s += strlen(s) + 1) {
			size_t n = shown_width(s);
			width[c] = n > width[c] ? n : width[c];
		}
	}
	for (size_t c = 0; c < t->column_count; c++)
		print_heading(t->columns[c], width[c], c == last);
	putchar('\n');
	for (size_t r = 0; r < t->row_count; r++) {
		const char *s = t->rows[r];

		for (size_t c = 0; c < t->column_count; c++, s += strlen(s) + 1) {
			fputs(s, stdout);
			pad(shown_width(s), width[c], c == last);
		}
		putchar('\n');
	}
}

void table_end(struct table_out *t)
{
	if (t->json)
		puts(t->row_count ? "]" : "[]");
	else if (t->row_count)
		print_table(t);
	for (size_t r = 0; !t->json && r < t->row_count; r++)
		free(t->rows[r]);
	free(t->rows);
	for (size_t c = 0; c < t->column_count; c++)
		free((char *)t->columns[c]);
	*t = (struct table_out){0};
}

/* ---- numbers and times ---- */

char *count_format(bool json, uint64_t n, char dst[32])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *to = dst;

	for (int i = 0; i < length; i++) {
		if (!json && i > 0 && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return dst;
}

static char *local_format(int64_t wall_us, const char *format, char dst[40])
{
	const time_t t = (time_t)(wall_us / SECOND_US);
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(dst, 40, format, &tm) == 0)
		memcpy(dst, "?", 2);
	return dst;
}

char *when(bool json, int64_t wall_us, char dst[40])
{
	if (wall_us == 0)
		dst[0] = '\0';
	else if (json)
		wall_format_iso(wall_us, dst);
	else
		local_format(wall_us, "%Y-%m-%d %H:%M", dst);
	return dst;
}

char *minute_format(int64_t wall_us, char dst[40])
{
	return local_format(wall_us, "%Y-%m-%d %H:%M %Z", dst);
}

char *moment_format(int64_t wall_us, char dst[40])
{
	char date[40], zone[40];

	snprintf(dst, 40, "%.20s.%03d %.10s", local_format(wall_us, "%Y-%m-%d %H:%M:%S", date),
		 (int)(wall_us % SECOND_US / 1000), local_format(wall_us, "%Z", zone));
	return dst;
}

char *span_format(int64_t us, char dst[32])
{
	const int64_t s = (us + SECOND_US - 1) / SECOND_US;

	if (s < 120)
		snprintf(dst, 32, "%" PRId64 " s", s);
	else if (s < 7200)
		snprintf(dst, 32, "%" PRId64 " min", s / 60);
	else if (s < 2 * 86400)
		snprintf(dst, 32, "%" PRId64 " h", s / 3600);
	else
		snprintf(dst, 32, "%" PRId64 " d %" PRId64 " h", s / 86400, s % 86400 / 3600);
	return dst;
}
