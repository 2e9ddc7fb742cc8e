/* All routes of a worker: made at its start from the configuration, gone at its end. */
#include "worker/delivery/hop_secure.h"
#include "worker/delivery/host.h"
#include "worker/delivery/maildir.h"
#include "worker/delivery/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static bool host_open(struct host *h, struct routes *r, const struct route *route,
		      const struct hop_address *address, struct buf *err)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&h->sa;

	h->routes = r;
	h->route = route;
	h->address = address;
	if (text_empty(address->path)) {
		h->sa_len = ip_to_sockaddr(&address->ip, address->port, &h->sa);
		return true;
	}
	if (address->path.n >= sizeof(un->sun_path)) {
		buf_printf(err, "route %.*s: the path of a socket is too long: %.*s",
			   TEXT(route->set.name), TEXT(address->path));
		return false;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, address->path.p, address->path.n);
	h->sa_len = sizeof(*un);
	return true;
}

static bool state_open(struct route_state *rs, struct routes *r, const struct route *route,
		       struct buf *err)
{
	rs->route = route;
	rs->hosts = calloc(route->host_count, sizeof(*rs->hosts));
	if (!rs->hosts) {
		buf_printf(err, "route %.*s: out of memory", TEXT(route->set.name));
		return false;
	}
	rs->host_count = route->host_count;
	if (route->hosts[0].kind == HOP_MAILDIR) {
		rs->maildir = maildir_open(r, route, err);
		return rs->maildir != NULL;
	}
	for (size_t i = 0; i < route->host_count; i++)
		if (!host_open(&rs->hosts[i], r, route, &route->hosts[i], err))
			return false;
	return route_secure_open(rs, err);
}

static void find_hostname(struct routes *r)
{
	if (text_cstr(r->config->global.hostname, r->hostname, sizeof(r->hostname)) > 0)
		return;
	if (gethostname(r->hostname, sizeof(r->hostname)) != 0 || !r->hostname[0])
		text_cstr(LIT("localhost"), r->hostname, sizeof(r->hostname));
	r->hostname[sizeof(r->hostname) - 1] = '\0';
}

struct routes *routes_open(struct loop *loop, const struct config *config, struct offload *offload,
			   struct process_slot *metrics, struct buf *err)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (!r || !(r->states = calloc(config->route_count + 1, sizeof(*r->states)))) {
		buf_printf(err, "routes: out of memory");
		free(r);
		return NULL;
	}
	r->loop = loop;
	r->config = config;
	r->offload = offload;
	r->metrics = metrics;
	find_hostname(r);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *route = &config->routes[i];

		if (!state_open(&r->states[route->index], r, route, err)) {
			routes_close(r);
			return NULL;
		}
	}
	return r;
}

void routes_close(struct routes *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->config->route_count; i++) {
		struct route_state *rs = &r->states[i];

		for (size_t j = 0; rs->hosts && j < rs->host_count; j++)
			if (rs->hosts[j].routes)
				pool_forget_idle(&rs->hosts[j]);
		route_secure_close(rs);
		maildir_close(rs->maildir);
		free(rs->hosts);
	}
	free(r->states);
	free(r);
}

unsigned routes_hosts_up(const struct routes *r, const struct route *route)
{
	const struct route_state *rs = &r->states[route->index];
	unsigned up = 0;

	if (rs->maildir)
		return 1;
	for (size_t i = 0; i < rs->host_count; i++)
		up += host_is_up(&rs->hosts[i]) && !rs->hosts[i].failed;
	return up;
}
