/* Being the auth process (worker/auth/serve.h). */
#ifndef MASTER_AUTH_H
#define MASTER_AUTH_H

#include "policy/config.h"

/* Drops root, installs its filter, serves.  The exit status. */
int auth_main(const struct config *config, int page_fd, int request_fd, int lifeline_fd);

#endif
