/* Counting a canonical body (worker/inspect/dkim_length.h). */
#include "worker/inspect/dkim_length.h"

static void end_line(struct dkim_length *l)
{
	if (l->line == 0) {
		l->blank_lines++;
	} else {
		l->counted += 2 * l->blank_lines + l->line + 2;
		l->blank_lines = l->line = 0;
	}
	l->blank = false;
}

static void add(struct dkim_length *l, char c)
{
	if (l->relaxed && (c == ' ' || c == '\t')) {
		l->blank = true;
		return;
	}
	l->line += 1 + l->blank;
	l->blank = false;
}

void dkim_length_feed(struct dkim_length *l, struct text piece)
{
	for (size_t i = 0; i < piece.n; i++) {
		const char c = piece.p[i];

		if (l->cr && c == '\n') {
			l->cr = false;
			end_line(l);
			continue;
		}
		if (l->cr)
			add(l, '\r');
		l->cr = c == '\r';
		if (!l->cr)
			add(l, c);
	}
}

uint64_t dkim_length_end(struct dkim_length *l)
{
	if (l->cr)
		add(l, '\r');
	/* A last line without an end gets one. */
	if (l->line > 0)
		end_line(l);
	if (l->counted == 0 && !l->relaxed)
		return 2;
	return l->counted;
}
