/* The live lists as checks and engine ask them: bans and exemptions, each use of an entry noted. */
#ifndef POLICY_LISTED_H
#define POLICY_LISTED_H

#include "policy/check.h"

/* Is `key` (or, for LIST_CLIENT, the client's address) banned?  Says so to the keeper as a hit of
 * that entry.  UNKNOWN: the lists can't be read. */
enum answer ban_find(const struct session *s, enum list_key kind, struct text key,
		     struct list_entry *out);

/* "banned by 203.0.113.0/24, added by admin: phishing run", in the check's arena. */
struct text ban_fact(const struct session *s, const struct list_entry *e);

/* What a ban that can't be looked up is: undecided, and it passes (a store that is away must not
 * stop the mail, and the ban comes back with the store). */
static inline struct verdict ban_unknown(void)
{
	return undecided(LIT("the lists can't be read"));
}

/* Does the administrator ignore what the anti-virus engine calls so?  YES notes the hit, *out is
 * the entry.  UNKNOWN: the lists can't be read. */
enum answer signature_ignored(const struct session *s, struct text name, struct list_entry *out);

/* Is the session exempt from the check: by client, host name, sender, sender's domain, login or
 * recipient (at the end of data: all recipients)?  YES notes the hit, *out is the entry.  UNKNOWN:
 * the lists can't be read. */
enum answer exemption_find(const struct session *s, enum check_id id, struct list_entry *out);

/* Is that key exempt from the check (or from all)?  For what isn't who sends or receives: the
 * extension of a file.  YES notes the hit. */
enum answer exemption_find_key(const struct session *s, enum check_id id, enum list_key kind,
			       struct text key, struct list_entry *out);

#endif
