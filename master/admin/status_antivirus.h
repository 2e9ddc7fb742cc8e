/* The anti-virus engine: for `gatepost status`. */
#ifndef MASTER_ADMIN_STATUS_ANTIVIRUS_H
#define MASTER_ADMIN_STATUS_ANTIVIRUS_H

#include "master/admin/tool.h"

/* A line or two for people, of which alarms are in words; in JSON an object. */
void antivirus_print(const struct tool *t);

#endif
