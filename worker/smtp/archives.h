/* Having the files in a message's archives listed. */
#ifndef WORKER_SMTP_ARCHIVES_H
#define WORKER_SMTP_ARCHIVES_H

#include "policy/archives.h"

struct smtp_session;

/* world_ops.archives. */
void smtp_ask_archives(struct smtp_session *ss, const struct archives_request *rq,
		       struct archives_facts *out);

#endif
