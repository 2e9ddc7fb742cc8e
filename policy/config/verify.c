/* What a server has said of an address: a no is never remembered longer than a yes, so that an
 * address that comes into being is not refused for long. */
#include "policy/config/internal.h"
#include "shm/base/clock.h"

void config_check_lives(struct loading *l, const struct group_row *g, const struct raw_section *s,
			const struct settings *set)
{
	char negative[24], positive[24];
	int64_t no = 0, yes = 0;

	if (settings_name_is(LIT("recipient-verify"), g->name)) {
		no = set->recipient_verify.negative;
		yes = set->recipient_verify.positive;
	} else if (settings_name_is(LIT("sender-callout"), g->name)) {
		no = set->sender_callout.negative;
		yes = set->sender_callout.positive;
	}
	if (!s || no <= yes)
		return;
	struct text label = config_label(l, s, settings_find(g, LIT("negative")));

	config_mistake(l, raw_line(s, "negative"), "%.*s: %s is longer than positive, %s",
		       TEXT(label), duration_format(no, negative), duration_format(yes, positive));
}
