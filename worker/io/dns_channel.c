/* c-ares on the loop.
 *
 * Its descriptors are level-triggered: 1.18.1 reads a TCP answer in pieces and waits for the next
 * event in between.  Its clock is a tick while anything is in flight, since ares_timeout() walks
 * over all questions. */
#include "worker/io/dns_channel.h"

#include "worker/io/dns_message.h"
#include "worker/io/dns_sockets.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define TICK_US (50 * INT64_C(1000))

/* One socket of a channel. */
struct dns_socket {
	struct fd_event event;
	struct dns_channel *channel;
	struct dns_socket *next;
};

/* ---- Sockets */

static void on_socket(void *arg, uint32_t events)
{
	const struct dns_socket *s = arg;
	const int fd = s->event.fd;

	/* An error is met by reading.  `s` may be gone after this. */
	ares_process_fd(s->channel->ares, events & ~(uint32_t)EPOLLOUT ? fd : ARES_SOCKET_BAD,
			events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
}

static struct dns_socket **find_socket(struct dns_channel *c, int fd)
{
	struct dns_socket **link = &c->sockets;

	while (*link && (*link)->event.fd != fd)
		link = &(*link)->next;
	return link;
}

static void forget_socket(struct dns_socket **link)
{
	struct dns_socket *s = *link;

	*link = s->next;
	loop_fd_remove(&s->event);
	free(s);
}

static struct dns_socket *new_socket(struct dns_channel *c, int fd, uint32_t events)
{
	struct dns_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->channel = c;
	if (!loop_fd_add(c->loop, &s->event, fd, events, on_socket, s)) {
		free(s);
		return NULL;
	}
	return s;
}

/* c-ares opens, closes and changes sockets.  Where the kernel refuses to watch one, its questions
 * time out. */
static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *c = arg;
	struct dns_socket **link = find_socket(c, fd);
	const uint32_t events = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U);

	if (*link && events)
		loop_fd_modify(&(*link)->event, events);
	else if (*link)
		forget_socket(link);
	else if (events)
		*link = new_socket(c, fd, events);
}

/* ---- Servers */

static void take_server(const struct ares_addr_port_node *node, struct dns_servers *out)
{
	struct sockaddr_in six4 = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	const struct sockaddr *sa = (const struct sockaddr *)&six4;
	uint16_t port;

	six4.sin_addr = node->addr.addr4;
	if (node->family == AF_INET6) {
		memcpy(&six.sin6_addr, &node->addr.addr6, sizeof(six.sin6_addr));
		sa = (const struct sockaddr *)&six;
	}
	if (!ip_from_sockaddr(sa, &out->v[out->n].ip, &port))
		return;
	out->v[out->n++].port = node->udp_port > 0 ? (uint16_t)node->udp_port : 53;
}

bool dns_servers_of_system(struct dns_servers *out)
{
	struct ares_addr_port_node *nodes = NULL;
	ares_channel ares;

	out->n = 0;
	if (ares_init_options(&ares, NULL, 0) != ARES_SUCCESS)
		return false;
	const bool ok = ares_get_servers_ports(ares, &nodes) == ARES_SUCCESS;
	for (const struct ares_addr_port_node *k = nodes; k && out->n < DNS_SERVERS_MAX;
	     k = k->next)
		take_server(k, out);
	ares_free_data(nodes);
	ares_destroy(ares);
	return ok && out->n > 0;
}

static struct ares_addr_port_node server_node(const struct ip *ip, uint16_t port)
{
	struct ares_addr_port_node node = {.family = AF_INET6, .udp_port = port, .tcp_port = port};

	if (ip_is4(ip)) {
		node.family = AF_INET;
		memcpy(&node.addr.addr4, ip->b + 12, 4);
	} else {
		memcpy(&node.addr.addr6, ip->b, 16);
	}
	return node;
}

static bool set_servers(struct dns_channel *c, const struct dns_servers *servers, size_t first)
{
	struct ares_addr_port_node nodes[DNS_SERVERS_MAX];

	for (size_t i = 0; i < servers->n; i++) {
		const size_t k = (first + i) % servers->n;

		nodes[i] = server_node(&servers->v[k].ip, servers->v[k].port);
		nodes[i].next = i + 1 < servers->n ? &nodes[i + 1] : NULL;
	}
	if (ares_set_servers_ports(c->ares, nodes) != ARES_SUCCESS)
		return false;
	c->first = first;
	return true;
}

/* Where it can't be had, the order stays as it is: also right. */
void dns_channel_set_first(struct dns_channel *c, const struct dns_servers *servers, size_t first)
{
	(void)set_servers(c, servers, first);
}

/* ---- The channel */

static void on_tick(void *arg)
{
	struct dns_channel *c = arg;

	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (c->in_flight > 0)
		timer_set(c->loop, &c->tick, loop_now_us(c->loop) + TICK_US, on_tick, c);
}

/* A first try at a quarter of the time; the pauses double each time that all servers have been
 * asked, so that the last try still has a chance within it. */
static bool init_ares(struct dns_channel *c, size_t servers, int64_t timeout_us)
{
	char lookups[] = "b";
	struct ares_options o = {
	    /* A single resolver that says SERVFAIL isn't asked again. */
	    .flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		     (servers == 1 ? ARES_FLAG_NOCHECKRESP : 0),
	    .timeout = (int)(timeout_us / 4000),
	    .tries = servers == 1 ? 3 : 2,
	    .ednspsz = DNS_UDP_BYTES,
	    .sock_state_cb = on_state,
	    .sock_state_cb_data = c,
	    .lookups = lookups,
	};

	if (ares_init_options(&c->ares, &o,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
				  ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB | ARES_OPT_DOMAINS |
				  ARES_OPT_LOOKUPS | ARES_OPT_NOROTATE) != ARES_SUCCESS)
		return false;
	ares_set_socket_functions(c->ares, &dns_sockets, NULL);
	return true;
}

bool dns_channel_open(struct dns_channel *c, struct loop *l, const struct dns_servers *servers,
		      int64_t timeout_us)
{
	*c = (struct dns_channel){.loop = l};
	if (!init_ares(c, servers->n, timeout_us)) {
		c->ares = NULL;
		return false;
	}
	return set_servers(c, servers, 0);
}

void dns_channel_close(struct dns_channel *c)
{
	if (!c->ares)
		return;
	ares_destroy(c->ares);
	c->ares = NULL;
	timer_clear(c->loop, &c->tick);
	while (c->sockets)
		forget_socket(&c->sockets);
}

void dns_channel_send(struct dns_channel *c, const uint8_t *wire, size_t n, ares_callback done,
		      void *arg)
{
	c->taken++;
	c->in_flight++;
	if (!timer_is_set(&c->tick))
		timer_set(c->loop, &c->tick, loop_now_us(c->loop) + TICK_US, on_tick, c);
	ares_send(c->ares, wire, (int)n, done, arg);
}
