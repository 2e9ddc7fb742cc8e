/* What the commands of `gatepost ban` share. */
#ifndef MASTER_ADMIN_BAN_H
#define MASTER_ADMIN_BAN_H

#include "master/admin/tool.h"

/* EXIT_YES if nothing speaks against this ban: it covers no proxy and no next hop, and, without
 * --force, no trusted network, and is not very wide.  Else said on stderr. */
int ban_guard(const struct tool *t, const struct list_entry *e);

int ban_check(struct tool *t, int argc, char **argv);
int ban_import(struct tool *t, int argc, char **argv);
int ban_export(struct tool *t, int argc, char **argv);

#endif
