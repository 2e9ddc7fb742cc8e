/* The DNS lists and whether they are in use: for `gatepost status`. */
#ifndef MASTER_ADMIN_STATUS_LISTS_H
#define MASTER_ADMIN_STATUS_LISTS_H

#include "master/admin/tool.h"

/* Prints nothing where there are none; in JSON "[]". */
void lists_print(const struct tool *t);

#endif
