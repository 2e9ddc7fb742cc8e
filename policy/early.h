/* What is asked of the DNS early, so that the answers are there when the first RCPT needs them.
 * None of these waits, and own clients cost no question. */
#ifndef POLICY_EARLY_H
#define POLICY_EARLY_H

#include "policy/check.h"

/* The client's name and the lists of addresses. */
void early_connect(const struct session *s);
/* Lists of domains, for the name of HELO ... */
void early_helo(const struct session *s);
/* ... and for the sender's domain; and where that receives its mail. */
void early_mail(const struct session *s);

#endif
