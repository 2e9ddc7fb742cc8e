/* Certificates in gatepost status: how many, and which of them are in want of somebody. */
#ifndef MASTER_ADMIN_STATUS_CERTIFICATES_H
#define MASTER_ADMIN_STATUS_CERTIFICATES_H

#include "master/admin/tool.h"

void certificates_print(const struct tool *t);

#endif
