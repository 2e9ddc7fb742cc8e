/* The listening sockets: the master's own, handed to every generation.  An address that is in the
 * old and the new configuration keeps its socket, so that a reload resets no connection that waits
 * to be accepted. */
#ifndef MASTER_LISTENERS_H
#define MASTER_LISTENERS_H

#include "policy/config.h"

struct listening {
	struct ip ip;
	uint16_t port;
	int fd;
};

struct listeners {
	struct listening *v;
	size_t n;
};

/* Sockets that systemd passed (LISTEN_FDS): they are used for the addresses that they are bound to.
 */
void listeners_adopt(struct listeners *l);

/* Binds what `config` names and isn't open yet and writes one descriptor for each address of each
 * listener, in order, to *fds (malloc'd, the caller's; the descriptors stay ours).  False: logged
 * ("cannot bind 127.0.0.1:25: Permission denied; ..."), and nothing has changed. */
bool listeners_open(struct listeners *l, const struct config *config, int **fds, size_t *n);

/* Closes the sockets that `config` doesn't name: after the old generation has been told to drain.
 */
void listeners_close_others(struct listeners *l, const struct config *config);
void listeners_close(struct listeners *l);

#endif
