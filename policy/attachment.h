/* Which files are refused: the list of extensions of the configuration, and what administrators
 * change live (bans and exemptions of the kind LIST_EXTENSION, `gatepost extension`). */
#ifndef POLICY_ATTACHMENT_H
#define POLICY_ATTACHMENT_H

#include "policy/check.h"
#include "policy/message/extension.h"
#include "policy/message/mime.h"

enum name_answer {
	NAME_PASSES,
	NAME_ALLOWED, /* an administrator has said so, for all recipients */
	NAME_UNSURE,  /* it is on the list of the configuration, but exemptions can't be read */
	NAME_REFUSED,
};

/* May a file of that name (UTF-8, as decoded) go to the message's recipients?  The worst of all its
 * readings, and of all recipients.  Of the entries the closest counts: extension and domain, then
 * extension, bans before exemptions; then the list of the configuration.  *which is the extension
 * that decided. */
enum name_answer attachment_name(const struct session *s, const struct settings *set,
				 struct text name, struct extension *which);

/* What the archives of the message say (policy/attachment_archives.c); asks an inspector if there
 * are any, and yields. */
struct verdict attachment_archives(const struct session *s, const struct settings *set);

/* Refuses, and not only by a note. */
bool attachment_refuses(const struct verdict *v);
/* Of two verdicts the worse, in *worst: a refusal, then 451, then what is noted. */
void attachment_keep_worst(struct verdict *worst, struct verdict v);

/* A name for facts: what is long is cut.  (Log and tool escape what isn't printable.) */
struct text attachment_shown(const struct session *s, struct text name);

/* Does a check need the parts of the message that now comes, and with which bounds? */
bool attachment_wants_parts(const struct session *s, struct mime_bounds *bounds);

#endif
