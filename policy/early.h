/* What is asked of the DNS early, so that the answers are there when the first RCPT needs them.
 * None but early_rcpt() waits, and own clients cost no question. */
#ifndef POLICY_EARLY_H
#define POLICY_EARLY_H

#include "policy/check.h"

/* The client's name and the lists of addresses. */
void early_connect(const struct session *s);
/* Lists of domains, for the name of HELO ... */
void early_helo(const struct session *s);
/* ... and for the sender's domain; and where that receives its mail. */
void early_mail(const struct session *s);
/* At the first RCPT, before anything else is awaited there: awaits what the next questions depend
 * on (PTR and MX records) and begins those, so that their waits are one.  Yields. */
void early_rcpt(const struct session *s, const struct settings *set);
/* At the end of data, before anything else is awaited there: the DMARC records of the author's
 * domain, while SPF and DKIM are judged. */
void early_message(const struct session *s, const struct settings *set);

#endif
