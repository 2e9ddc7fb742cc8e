/* What the files of `gatepost user` share. */
#ifndef MASTER_ADMIN_USER_H
#define MASTER_ADMIN_USER_H

#include "master/admin/tool.h"
#include "shm/password.h"

/* A new password, prepared for hashing: asked for twice at a terminal, else the first line of
 * stdin. False: said on stderr. */
bool user_read_password(const char *login, char out[PASSWORD_MAX + 1]);

/* "ann@example.net" or "@example.net" as users.h holds senders, one line more.  False: said. */
bool user_add_sender(struct text typed, struct user *u);

#endif
