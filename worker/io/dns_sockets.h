/* The sockets of c-ares, by its own calls but for one: a send that fails because of what was sent
 * before is repeated, so that the error is met by reading, and holds for all who wait there. */
#ifndef WORKER_IO_DNS_SOCKETS_H
#define WORKER_IO_DNS_SOCKETS_H

#include <ares.h>

extern const struct ares_socket_functions dns_sockets;

#endif
