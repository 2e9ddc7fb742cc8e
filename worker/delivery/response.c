/* A reply of a next hop, line by line (worker/delivery/response.h). */
#include "worker/delivery/response.h"

void response_start(struct response *r)
{
	r->code = 0;
	r->enhanced[0] = '\0';
	r->lines = 0;
	r->text_n = 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "250", "250 text", "250-text": the code, or 0. */
static short line_code(struct text line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !is_digit(line.p[1]) ||
	    !is_digit(line.p[2]))
		return 0;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return 0;
	return (short)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
}

static size_t digits(struct text t, size_t at)
{
	size_t n = 0;

	while (at + n < t.n && n < 4 && is_digit(t.p[at + n]))
		n++;
	return n;
}

/* The length of "c.s.d" (RFC 3463: class, one to three digits twice) at the start of t, of the
 * class that the code has; 0 if there is none. */
static size_t enhanced_length(struct text t, short code)
{
	size_t subject, detail;

	if (t.n < 5 || t.p[0] != '0' + code / 100 || t.p[1] != '.')
		return 0;
	subject = digits(t, 2);
	if (subject < 1 || subject > 3 || 2 + subject >= t.n || t.p[2 + subject] != '.')
		return 0;
	detail = digits(t, 3 + subject);
	if (detail < 1 || detail > 3)
		return 0;
	detail += 3 + subject;
	return detail == t.n || t.p[detail] == ' ' ? detail : 0;
}

static void keep_text(struct response *r, struct text t)
{
	size_t n = enhanced_length(t, r->code);

	memcpy(r->enhanced, t.p, n);
	r->enhanced[n] = '\0';
	t = text_trim(text_make(t.p + n, t.n - n));
	r->text_n = t.n < RESPONSE_TEXT_MAX ? t.n : RESPONSE_TEXT_MAX;
	for (size_t i = 0; i < r->text_n; i++) {
		unsigned char c = (unsigned char)t.p[i];

		r->text[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
}

enum response_state response_add_line(struct response *r, struct text line, struct text *rest)
{
	short code = line_code(line);
	size_t head = line.n > 3 ? 4 : line.n;
	struct text behind = {line.p + head, line.n - head};

	if (!code || memchr(line.p, '\0', line.n) || ++r->lines > RESPONSE_LINES_MAX)
		return RESPONSE_NONSENSE;
	if (r->lines == 1) {
		r->code = code;
		keep_text(r, behind);
	} else if (code != r->code) {
		return RESPONSE_NONSENSE;
	}
	if (rest)
		*rest = behind;
	return line.n > 3 && line.p[3] == '-' ? RESPONSE_MORE : RESPONSE_COMPLETE;
}
