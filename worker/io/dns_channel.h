/* A channel of c-ares on the loop: its sockets, its clock.  What is private to the resolver. */
#ifndef WORKER_IO_DNS_CHANNEL_H
#define WORKER_IO_DNS_CHANNEL_H

#include "shm/base/ip.h"
#include "worker/io/loop.h"

#include <ares.h>

enum { DNS_SERVERS_MAX = 8 };

struct dns_servers {
	struct {
		struct ip ip;
		uint16_t port;
	} v[DNS_SERVERS_MAX];
	size_t n;
};

struct dns_channel {
	struct loop *loop;
	ares_channel ares;
	struct dns_socket *sockets;
	struct timer tick;
	size_t in_flight;
	unsigned taken; /* questions since its sockets were new */
	size_t first;   /* the server that it asks first */
};

/* Those of /etc/resolv.conf (without one: of this machine). */
bool dns_servers_of_system(struct dns_servers *out);

/* False: no memory.  Opens no socket. */
bool dns_channel_open(struct dns_channel *c, struct loop *l, const struct dns_servers *servers,
		      int64_t timeout_us);
/* All callbacks are made that haven't been.  Harmless on a zeroed one. */
void dns_channel_close(struct dns_channel *c);

/* Asks server number `first` first from now on; only while nothing is in flight. */
void dns_channel_set_first(struct dns_channel *c, const struct dns_servers *servers, size_t first);

/* Never waits.  `done` is called once, maybe at once; it must not call back into the channel. */
void dns_channel_send(struct dns_channel *c, const uint8_t *wire, size_t n, ares_callback done,
		      void *arg);

#endif
