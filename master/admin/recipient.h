/* What the commands of `gatepost recipient` share. */
#ifndef MASTER_ADMIN_RECIPIENT_H
#define MASTER_ADMIN_RECIPIENT_H

#include "master/admin/tool.h"

/* A domain of ours; *name is it in the form in which lists hold it, good until the next call.
 * NULL: said. */
const struct domain *recipient_own_domain(const struct tool *t, const char *typed,
					  struct text *name);
/* Splits "local@domain", "@domain" or a bare local part.  False with the reason. */
bool recipient_split(struct text line, struct text domain, struct text *local, const char **why);

int recipient_import(struct tool *t, int argc, char **argv);
int recipient_undo(struct tool *t, int argc, char **argv);

#endif
