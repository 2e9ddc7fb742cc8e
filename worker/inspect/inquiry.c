/* What a question's function asks of the DNS: what the question brought along, or one more need. */
#include "worker/inspect/question.h"

static struct text without_dot(struct text name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

static bool same(struct text a, struct text b)
{
	return text_ieq(without_dot(a), without_dot(b));
}

static const struct known_answer *find(const struct inquiry *i, struct text name, uint16_t type)
{
	for (size_t k = 0; k < i->q->answer_count; k++) {
		const struct known_answer *a = &i->q->answers[k];

		if (a->type == type && same(a->name, name))
			return a;
	}
	return NULL;
}

static void note(struct inquiry *i, struct text name, uint16_t type)
{
	for (size_t k = 0; k < i->need_count; k++) {
		if (i->needs[k].type == type && same(i->needs[k].name, name))
			return;
	}
	/* What finds no room is asked for in the next round. */
	if (i->need_count == QUESTION_NEEDS_MAX)
		return;
	i->needs[i->need_count++] =
	    (struct need){.name = arena_text(i->arena, without_dot(name)), .type = type};
}

const struct known_answer *inquiry_dns(struct inquiry *i, struct text name, uint16_t type)
{
	static const struct known_answer no_such_name = {.status = DNS_NXDOMAIN};
	const struct known_answer *a;

	if (!dns_name_ok(name) || without_dot(name).n == 0)
		return &no_such_name;
	a = find(i, name, type);
	if (!a) {
		note(i, name, type);
		i->blocked = true;
	}
	return a;
}

void inquiry_expect(struct inquiry *i, struct text name, uint16_t type)
{
	if (dns_name_ok(name) && without_dot(name).n > 0 && !find(i, name, type))
		note(i, name, type);
}
