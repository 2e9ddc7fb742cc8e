/* Reading a line of Dovecot's. */
#include "worker/auth/dovecot_line.h"

static const struct {
	struct text word;
	enum dovecot_verb verb;
} verbs[] = {
    {LIT("VERSION"), DOVECOT_VERSION}, {LIT("MECH"), DOVECOT_MECH}, {LIT("DONE"), DOVECOT_DONE},
    {LIT("OK"), DOVECOT_OK},           {LIT("FAIL"), DOVECOT_FAIL}, {LIT("CONT"), DOVECOT_CONT},
};

static enum dovecot_verb verb_of(struct text word)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (text_eq(word, verbs[i].word))
			return verbs[i].verb;
	}
	return DOVECOT_OTHER;
}

static bool take_id(struct text *rest, uint32_t *id)
{
	struct text word;
	uint64_t n;

	text_split(*rest, '\t', &word, rest);
	if (!text_u64(word, &n) || n > UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}

static bool value_of(struct text field, struct text key, struct text *value)
{
	struct text name;

	if (!text_split(field, '=', &name, &field) || !text_eq(name, key))
		return false;
	*value = field;
	return true;
}

static void take_fields(struct text rest, struct dovecot_line *out)
{
	while (rest.n) {
		struct text field, code = {0};

		text_split(rest, '\t', &field, &rest);
		if (text_eq(field, LIT("temp")) ||
		    (value_of(field, LIT("code"), &code) && text_eq(code, LIT("temp_fail"))))
			out->temporary = true;
		(void)value_of(field, LIT("user"), &out->user);
		(void)value_of(field, LIT("sender"), &out->senders);
	}
}

bool dovecot_line_parse(struct text line, struct dovecot_line *out)
{
	struct text word, rest;

	text_split(line, '\t', &word, &rest);
	*out = (struct dovecot_line){.verb = verb_of(word)};
	switch (out->verb) {
	case DOVECOT_VERSION:
		return take_id(&rest, &out->id);
	case DOVECOT_MECH:
		text_split(rest, '\t', &out->text, &rest);
		return out->text.n > 0;
	case DOVECOT_OK:
	case DOVECOT_FAIL:
		if (!take_id(&rest, &out->id))
			return false;
		take_fields(rest, out);
		return true;
	case DOVECOT_CONT:
		if (!take_id(&rest, &out->id))
			return false;
		text_split(rest, '\t', &out->text, &rest);
		return true;
	default:
		return word.n > 0;
	}
}

struct text dovecot_unescape(struct text t, struct arena *a)
{
	char *p = arena_alloc(a, t.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] != '\001' || i + 1 == t.n) {
			p[n++] = t.p[i];
			continue;
		}
		switch (t.p[++i]) {
		case '0':
			p[n++] = '\0';
			break;
		case '1':
			p[n++] = '\001';
			break;
		case 't':
			p[n++] = '\t';
			break;
		case 'n':
			p[n++] = '\n';
			break;
		case 'r':
			p[n++] = '\r';
			break;
		default:
			p[n++] = t.p[i];
		}
	}
	return text_make(p, n);
}
