/* The table of checks, and what the checks share. */
#include "policy/check.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>

enum { NAME_MAX_ = 32 };

/* The table's names are C's, with underscores; everybody else's have dashes.  Once, before main. */
static char names[CHECK_COUNT][NAME_MAX_] = {
#define CHECK(check, phase_, mode, who_, help_) [CHECK_##check] = #check,
#include "policy/checks.def"
#undef CHECK
};

static void __attribute__((constructor)) give_dashes(void)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		for (char *p = names[id]; (p = strchr(p, '_'));)
			*p = '-';
	}
}

#define CHECK(check, phase_, mode, who_, help_)                                                    \
	[CHECK_##check] = {                                                                        \
	    .name = names[CHECK_##check],                                                          \
	    .phase = PHASE_##phase_,                                                               \
	    .default_mode = MODE_##mode,                                                           \
	    .who = WHO_##who_,                                                                     \
	    .run = check_##check,                                                                  \
	    .help = help_,                                                                         \
	    .settings_offset = offsetof(struct settings, check),                                   \
	    .settings_size = sizeof(struct check##_settings),                                      \
	},
static const struct check_row rows[CHECK_COUNT] = {
#include "policy/checks.def"
};
#undef CHECK

/* How every group of a check begins (GROUP_FIELDS_CHECK). */
struct group_head {
	GROUP_FIELDS_CHECK
};

const struct check_row *check_row(enum check_id id)
{
	assert((unsigned)id < CHECK_COUNT);
	return &rows[id];
}

const struct check_row *check_find(struct text name)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (text_eq(name, text_of(names[id])))
			return &rows[id];
	}
	return NULL;
}

const char *phase_name(enum phase p)
{
	static const char *const phases[] = {
	    [PHASE_CONNECT] = "connect",   [PHASE_HELO] = "helo", [PHASE_MAIL] = "mail",
	    [PHASE_ENVELOPE] = "envelope", [PHASE_RCPT] = "rcpt", [PHASE_DATA] = "data",
	    [PHASE_MESSAGE] = "message",   [PHASE_AUTH] = "auth",
	};

	return phases[p];
}

const char *check_mode_name(enum check_mode m)
{
	static const char *const modes[] = {
	    [MODE_OFF] = "off",
	    [MODE_MONITOR] = "monitor",
	    [MODE_ENFORCE] = "enforce",
	};

	return modes[m];
}

static const char *group_of(enum check_id id, const struct settings *set)
{
	return (const char *)set + rows[id].settings_offset;
}

enum check_mode check_mode(enum check_id id, const struct settings *set)
{
	struct group_head head;

	memcpy(&head, group_of(id, set), sizeof(head));
	return head.mode;
}

bool check_same_options(enum check_id id, const struct settings *a, const struct settings *b)
{
	size_t skip = offsetof(struct group_head, mode) + sizeof(enum check_mode);

	if (a == b)
		return true;
	/* Byte by byte: texts and lists that weren't overridden are the very same pointers. Padding
	 * that differs by chance costs one more run, no more. */
	if (rows[id].settings_size > skip && memcmp(group_of(id, a) + skip, group_of(id, b) + skip,
						    rows[id].settings_size - skip) != 0)
		return false;
	if (id == CHECK_attachment)
		return a->extensions == b->extensions;
	return id != CHECK_subject || a->subject_patterns == b->subject_patterns;
}

struct arena *check_arena(const struct session *s)
{
	return s->tx ? &s->tx->arena : s->arena;
}

struct text fact(const struct session *s, const char *fmt, ...)
{
	struct text t;
	va_list ap;

	va_start(ap, fmt);
	t = arena_vprintf(check_arena(s), fmt, ap);
	va_end(ap);
	return t;
}

bool client_is_proxy(const struct session *s)
{
	return s->listener && s->listener->set.proxy_from.n > 0 &&
	       nets_contain(&s->listener->set.proxy_from, &s->client);
}
