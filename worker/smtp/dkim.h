/* Having a message's signatures judged. */
#ifndef WORKER_SMTP_DKIM_H
#define WORKER_SMTP_DKIM_H

#include "policy/dkim.h"

struct smtp_session;

/* world_ops.dkim. */
void smtp_ask_dkim(struct smtp_session *ss, struct dkim_result *out);

#endif
