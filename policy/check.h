/* What a file in policy/checks/ includes: the session's facts, the verdicts, the world. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy/session.h"

/* A check sees the session and the settings that hold for the recipient (or the base's), and
 * answers. It knows nothing of modes, exemptions, incidents or logs: those are the engine's. */
typedef struct verdict check_fn(const struct session *s, const struct settings *set);

#define CHECK(name, phase, mode, who, help) check_fn check_##name;
#include "policy/checks.def"
#undef CHECK

enum check_who { WHO_STRANGER, WHO_SENDER, WHO_ALL, WHO_PROTOCOL };

struct check_row {
	const char *name; /* with dashes */
	enum phase phase;
	enum check_mode default_mode;
	enum check_who who;
	check_fn *run;
	const char *help;
	/* Where its group stands in struct settings. */
	size_t settings_offset, settings_size;
};
const struct check_row *check_row(enum check_id id);
/* By name, with dashes; NULL if there is none. */
const struct check_row *check_find(struct text name);
const char *phase_name(enum phase p);
const char *check_mode_name(enum check_mode m);

/* The mode that the settings give it. */
enum check_mode check_mode(enum check_id id, const struct settings *set);
/* Whether the check has the same options (whatever its mode) in both. */
bool check_same_options(enum check_id id, const struct settings *a, const struct settings *b);

/* The arena for a verdict's texts: the transaction's if there is one, else the session's. */
struct arena *check_arena(const struct session *s);
/* A fact, printed into it. */
struct text fact(const struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A check has no answer: it passes, or answers 451, as its option `unknown` says. */
static inline struct verdict no_answer(int unknown, struct text facts)
{
	return unknown == NO_ANSWER_DEFER ? deferred(DEFERRAL_DNS, facts) : undecided(facts);
}

/* The client is a proxy that we trust (its health check): never banned or limited, or all that come
 * through it would be. */
bool client_is_proxy(const struct session *s);

#endif
