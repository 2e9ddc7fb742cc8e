/* Strings from the network: (pointer, length), never trusted to end.
 *
 * A struct text owns nothing; whoever made it says where its bytes live and for how long. */
#ifndef SHM_BASE_TEXT_H
#define SHM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *p;
	size_t n;
};

/* For "%.*s" in a format. */
#define TEXT(t) (int)(t).n, (t).p
/* A literal. */
#define LIT(s) ((struct text){"" s, sizeof(s) - 1})

static inline struct text text_of(const char *s)
{
	return (struct text){s, s ? strlen(s) : 0};
}

static inline struct text text_make(const char *p, size_t n)
{
	return (struct text){p, n};
}

static inline bool text_empty(struct text t)
{
	return t.n == 0;
}

static inline bool text_eq(struct text a, struct text b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Without regard to ASCII case (and no other). */
bool text_ieq(struct text a, struct text b);
bool text_istarts(struct text t, struct text prefix);
bool text_iends(struct text t, struct text suffix);

/* Without spaces, tabs, CR and LF at either end. */
struct text text_trim(struct text t);

/* Splits at the first `c`: true if there was one; without one, head is all of t and tail is empty.
 */
bool text_split(struct text t, char c, struct text *head, struct text *tail);

/* The offset of the first `c`, or t.n. */
size_t text_find(struct text t, char c);

/* A decimal number, digits only, all of t: false if it is none or does not fit. */
bool text_u64(struct text t, uint64_t *out);

/* Copies at most size-1 bytes and a NUL; the length that stands in dst. */
size_t text_cstr(struct text t, char *dst, size_t size);

/* ASCII lower case into dst, which has room for t.n bytes and may be t.p itself. */
void text_lower(struct text t, char *dst);

/* An appender over a buffer of the caller's: never writes past cap, always NUL-terminates (cap >=
 * 1), and notes in `cut` that something did not fit. */
struct buf {
	char *p;
	size_t n, cap;
	bool cut;
};

static inline struct buf buf_over(char *p, size_t cap)
{
	struct buf b = {p, 0, cap, false};
	p[0] = '\0';
	return b;
}

void buf_put(struct buf *b, const void *p, size_t n);
void buf_text(struct buf *b, struct text t);
void buf_char(struct buf *b, char c);
/* In decimal, at a tenth of what printf takes for it. */
void buf_u64(struct buf *b, uint64_t n);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends t for a log or a header: controls, DEL, bytes >= 0x80, '\\' and '"' as \xHH. */
void buf_escaped(struct buf *b, struct text t);

static inline struct text buf_view(const struct buf *b)
{
	return text_make(b->p, b->n);
}

#endif
