/* The certificates of the configuration, as a TLS server uses them. */
#ifndef WORKER_CERTIFICATES_H
#define WORKER_CERTIFICATES_H

#include "policy/config.h"
#include "shm/segment.h"
#include "worker/io/tls_server.h"

/* Reads what the master has sealed into `keys_fd` (which is closed) into the configuration; the one
 * who calls forgets it by config_keys_wipe().  False: err says why. */
bool certificates_read(struct config *c, int keys_fd, struct buf *err);

/* Makes *out of it; NULL where no certificate is configured.  False: err says why. */
bool certificates_open(const struct config *c, const struct segment *seg, struct tls_server **out,
		       struct buf *err);

#endif
