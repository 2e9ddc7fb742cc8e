/* Edit distance (optimal string alignment: insert, delete, change, swap neighbours). */
#include "policy/suggest.h"

enum { NAME_MAX_LENGTH = 63, FAR_AWAY = 1000 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned suggest_distance(struct text a, struct text b)
{
	unsigned rows[3][NAME_MAX_LENGTH + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	if (a.n > NAME_MAX_LENGTH || b.n > NAME_MAX_LENGTH)
		return FAR_AWAY;
	for (unsigned k = 0; k <= b.n; k++)
		last[k] = k;
	for (unsigned i = 1; i <= a.n; i++) {
		now[0] = i;
		for (unsigned k = 1; k <= b.n; k++) {
			unsigned change = a.p[i - 1] != b.p[k - 1];

			now[k] = least(least(last[k] + 1, now[k - 1] + 1), last[k - 1] + change);
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1])
				now[k] = least(now[k], before[k - 2] + 1);
		}
		unsigned *free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[b.n];
}

void suggest_begin(struct suggestion *s, struct text wanted)
{
	*s = (struct suggestion){.wanted = wanted};
	/* a third of the letters may be wrong, two always: beyond that a name is another name */
	s->distance = least((unsigned)(wanted.n < 6 ? 2 : wanted.n / 3), FAR_AWAY - 1) + 1;
}

void suggest_offer(struct suggestion *s, struct text known)
{
	unsigned distance = suggest_distance(s->wanted, known);

	/* a name of two letters is not like another of two */
	if (distance >= s->distance || distance >= known.n || distance >= s->wanted.n)
		return;
	s->distance = distance;
	text_cstr(known, s->best, sizeof(s->best));
}
