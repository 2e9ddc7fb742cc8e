/* The certificates of the configuration, as a TLS server uses them. */
#ifndef WORKER_CERTIFICATES_H
#define WORKER_CERTIFICATES_H

#include "policy/config.h"
#include "shm/segment.h"
#include "worker/io/tls_server.h"

/* Reads what the master has sealed into `keys_fd` (which is closed), makes *out of it and forgets
 * it; *out is NULL where no certificate is configured.  False: err says why. */
bool certificates_open(struct config *c, int keys_fd, const struct segment *seg,
		       struct tls_server **out, struct buf *err);

#endif
