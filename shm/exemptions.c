/* Exemptions: entries whose scope is a check, "*" for all of them. */
#include "shm/entries.h"

enum answer exemptions_find(struct store *st, const char *check, enum list_key kind,
			    const struct ip *ip, struct text key, int64_t now_wall_us,
			    struct list_entry *out)
{
	const char *const scopes[] = {check, "*", NULL};

	return entries_find(st, DB_EXEMPTIONS, scopes, kind, ip, key, now_wall_us, out);
}

int exemptions_put(struct store *st, const char *check, const struct list_entry *e)
{
	return entries_put(st, DB_EXEMPTIONS, check, e);
}

int exemptions_del(struct store *st, const char *check, enum list_key kind, const char *key)
{
	return entries_del(st, DB_EXEMPTIONS, check, kind, key);
}

int exemptions_each(struct store *st,
		    int (*fn)(const char *check, const struct list_entry *e, void *arg), void *arg)
{
	return entries_each(st, DB_EXEMPTIONS, fn, arg);
}

bool exemptions_none(struct store *st)
{
	const struct entry_memo *memo = entries_memo(st, DB_EXEMPTIONS);

	if (!memo)
		return false;
	for (int i = 0; i < LIST_KEYS; i++) {
		if (entry_count(&memo->counts, (enum list_key)i) > 0)
			return false;
	}
	return true;
}
