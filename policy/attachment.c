/* Names of files against the list of the configuration and the live ones. */
#include "policy/attachment.h"

#include "policy/extensions.h"
#include "policy/listed.h"

/* What an administrator says of an extension, for one domain or for all. */
struct live {
	enum answer ban, exemption;
};

static struct live look_up(const struct session *s, const char *key)
{
	const struct text t = text_of(key);
	struct list_entry entry;
	struct live live;

	live.ban = ban_find(s, LIST_EXTENSION, t, &entry);
	live.exemption = ANSWER_NO;
	if (live.ban != ANSWER_YES)
		live.exemption = exemption_find_key(s, CHECK_attachment, LIST_EXTENSION, t, &entry);
	return live;
}

/* True: *out is the answer. */
static bool decides(struct live live, enum name_answer *out)
{
	if (live.ban == ANSWER_YES)
		*out = NAME_REFUSED;
	else if (live.exemption == ANSWER_YES)
		*out = NAME_ALLOWED;
	else
		return false;
	return true;
}

static enum name_answer for_domain(const struct session *s, const struct settings *set,
				   const char *extension, struct text domain)
{
	char key[EXTENSION_MAX + LIST_KEY_MAX + 2];
	struct buf b = buf_over(key, sizeof(key));
	struct live one = {0}, all;
	enum name_answer answer;

	if (!text_empty(domain)) {
		buf_printf(&b, "%s@%.*s", extension, TEXT(domain));
		one = look_up(s, key);
		if (decides(one, &answer))
			return answer;
	}
	all = look_up(s, extension);
	if (decides(all, &answer))
		return answer;
	if (!extensions_have(set->extensions, extension))
		return NAME_PASSES;
	return one.exemption == ANSWER_UNKNOWN || all.exemption == ANSWER_UNKNOWN ? NAME_UNSURE
										  : NAME_REFUSED;
}

/* Of two domains: allowed is what both allow. */
static enum name_answer worse(enum name_answer a, enum name_answer b)
{
	if (a == NAME_PASSES || b == NAME_PASSES)
		return a > NAME_ALLOWED ? a : b > NAME_ALLOWED ? b : NAME_PASSES;
	return a > b ? a : b;
}

/* The worst of the recipients' domains; each is asked about once where they stand together. */
static enum name_answer judge(const struct session *s, const struct settings *set,
			      const char *extension)
{
	const struct transaction *tx = s->tx;
	enum name_answer worst = NAME_PASSES;
	bool first = true;

	for (size_t i = 0; i < tx->recipient_count; i++) {
		const struct text domain = tx->recipients[i].mailbox.domain;
		enum name_answer one;

		if (i > 0 && text_ieq(domain, tx->recipients[i - 1].mailbox.domain))
			continue;
		one = for_domain(s, set, extension, domain);
		worst = first ? one : worse(worst, one);
		first = false;
	}
	return first ? for_domain(s, set, extension, LIT("")) : worst;
}

enum name_answer attachment_name(const struct session *s, const struct settings *set,
				 struct text name, struct extension *which)
{
	struct extension readings[EXTENSION_READINGS];
	const size_t n = extensions_of(name, readings);
	enum name_answer worst = NAME_PASSES;

	for (size_t i = 0; i < n; i++) {
		const enum name_answer one = judge(s, set, readings[i].s);

		if (i > 0 && one <= worst)
			continue;
		worst = one;
		*which = readings[i];
	}
	return worst;
}

bool attachment_refuses(const struct verdict *v)
{
	return v->outcome == OUTCOME_REFUSE && !v->noted;
}

void attachment_keep_worst(struct verdict *worst, struct verdict v)
{
	if (attachment_refuses(worst))
		return;
	if (attachment_refuses(&v) || worst->outcome == OUTCOME_PASS ||
	    (v.deferral != DEFERRAL_NONE && worst->deferral == DEFERRAL_NONE))
		*worst = v;
}

struct text attachment_shown(const struct session *s, struct text name)
{
	enum { SHOWN_MAX = 120 };

	/* Its end tells more than its beginning. */
	if (name.n <= SHOWN_MAX)
		return name;
	return fact(s, "...%.*s", SHOWN_MAX, name.p + name.n - SHOWN_MAX);
}

bool attachment_wants_parts(const struct session *s, struct mime_bounds *bounds)
{
	enum { NAME_BYTES = 4096 };
	const struct transaction *tx = s->tx;
	const struct settings *set =
	    tx->recipient_count ? tx->recipients[0].settings : &s->config->base;
	const struct attachment_settings *mine = &set->attachment;

	*bounds = (struct mime_bounds){.depth = (unsigned)mine->max_depth,
				       .parts = (unsigned)mine->max_parts,
				       .names = (unsigned)mine->max_names,
				       .name_bytes = NAME_BYTES};
	return check_mode(CHECK_attachment, set) != MODE_OFF;
}
