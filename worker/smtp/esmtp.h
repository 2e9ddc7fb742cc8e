/* The parameters of MAIL and RCPT that we offer: checked, kept, and put together for the next hop.
 */
#ifndef WORKER_SMTP_ESMTP_H
#define WORKER_SMTP_ESMTP_H

#include "policy/session.h"

enum esmtp_result {
	ESMTP_OK,
	ESMTP_BAD,     /* malformed, or given twice */
	ESMTP_UNKNOWN, /* not offered */
	ESMTP_TOO_BIG, /* SIZE= over the limit */
};

/* What follows the path of MAIL: SIZE, BODY, SMTPUTF8, RET, ENVID, and AUTH where that is offered.
 * Fills in tx. */
enum esmtp_result esmtp_mail(struct text params, const struct global_settings *g, bool auth,
			     struct transaction *tx);
/* What follows the path of RCPT: NOTIFY, ORCPT.  Fills in r->esmtp, in the transaction's arena. */
enum esmtp_result esmtp_rcpt(struct text params, const struct global_settings *g,
			     struct transaction *tx, struct recipient *r);

#endif
