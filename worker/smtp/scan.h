/* Having a message scanned for viruses: by our own inspectors or by a clamd. */
#ifndef WORKER_SMTP_SCAN_H
#define WORKER_SMTP_SCAN_H

#include "policy/antivirus.h"

struct smtp_session;

/* world_ops.scan. */
void smtp_scan(struct smtp_session *ss, struct scan_result *out);

#endif
