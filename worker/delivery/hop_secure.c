/* TLS to a next hop (worker/delivery/hop_secure.h). */
#include "worker/delivery/hop_secure.h"

#include "shm/base/clock.h"
#include "worker/delivery/host.h"
#include "worker/io/tls_client.h"

#include <stdio.h>

/* So long a host whose TLS has failed is spoken to in plain, where the route allows that. */
#define PLAIN_US     (600 * SECOND_US)
#define LOG_EVERY_US (60 * SECOND_US)

/* ---- What a route wants */

static SSL_CTX *new_context(const struct route *route)
{
	const struct certificate_pair *ours = route->client;
	struct tls_client_options o = {.verify = route->set.tls == ROUTE_TLS_VERIFIED,
				       .authorities = route->authorities};
	struct pair pair = {0};
	const char *why;
	SSL_CTX *ctx;

	if (ours && !pair_parse(ours->chain, ours->key, &pair, &why))
		return NULL;
	o.pair = ours ? &pair : NULL;
	ctx = tls_client_new(&o);
	pair_free(&pair);
	return ctx;
}

/* What never leaves the machine. */
static bool is_here(const struct hop_address *a)
{
	static const struct ip v6_loopback = {.b[15] = 1};

	return !text_empty(a->path) || ip_eq(&a->ip, &v6_loopback) ||
	       (ip_is4(&a->ip) && a->ip.b[12] == 127);
}

static bool may_want_tls(const struct host *h)
{
	const int tls = h->route->set.tls;

	if (h->address->kind == HOP_MAILDIR || tls == ROUTE_TLS_OFF)
		return false;
	return h->address->tls_first || tls != ROUTE_TLS_AUTO || !is_here(h->address);
}

bool route_secure_open(struct route_state *rs, struct buf *err)
{
	const struct route *route = rs->route;

	for (size_t i = 0; i < rs->host_count; i++) {
		struct host *h = &rs->hosts[i];

		if (!may_want_tls(h))
			continue;
		if (!rs->tls)
			rs->tls = new_context(route);
		if (!rs->tls) {
			buf_printf(err, "route %.*s: cannot use its authorities or certificate",
				   TEXT(route->set.name));
			return false;
		}
		h->tls = rs->tls;
		text_cstr(route->set.tls_name.n ? route->set.tls_name : h->address->host,
			  h->peer.name, sizeof(h->peer.name));
	}
	return true;
}

void route_secure_close(struct route_state *rs)
{
	for (size_t i = 0; rs->hosts && i < rs->host_count; i++)
		tls_peer_forget(&rs->hosts[i].peer);
	SSL_CTX_free(rs->tls);
}

bool host_must_be_secure(const struct host *h)
{
	return h->address->tls_first || h->route->set.tls == ROUTE_TLS_REQUIRED ||
	       h->route->set.tls == ROUTE_TLS_VERIFIED;
}

static bool wants_tls(const struct host *h)
{
	return h->tls &&
	       (host_must_be_secure(h) || loop_now_us(h->routes->loop) >= h->plain_until_us);
}

void host_go_plain(struct host *h, const char *why)
{
	uint64_t held;

	h->plain_until_us = loop_now_us(h->routes->loop) + PLAIN_US;
	if (log_allowed(&h->tls_log, LOG_EVERY_US, &held))
		log_warn("next hop %.*s: TLS failed (%s): in plain for %d minutes, as the route "
			 "allows",
			 TEXT(h->address->name), why, (int)(PLAIN_US / SECOND_US / 60));
}

/* ---- The way there */

static enum hop_result insecure(struct hop *h, const char *why)
{
	host_count_metric(h->host, METRIC_hop_tls_failures);
	h->tls_failure = why;
	return HOP_INSECURE;
}

static enum hop_result handshake(struct hop *h)
{
	const struct routes *routes = h->host->routes;
	const int64_t deadline_us = loop_now_us(routes->loop) + routes->config->global.tls_timeout;
	struct tls_facts facts;
	const enum conn_result r =
	    tls_connect(h->host->tls, &h->host->peer, &h->conn, deadline_us, &facts);

	if (r == CONN_CANCELLED || r == CONN_NO_MEMORY)
		return hop_result_of(r);
	if (r != CONN_OK) {
		/* Perhaps it was the session that it does not like. */
		tls_peer_forget(&h->host->peer);
		return insecure(h, facts.failure);
	}
	host_count_metric(h->host, METRIC_hop_tls_handshakes);
	if (facts.resumed)
		host_count_metric(h->host, METRIC_hop_tls_resumed);
	snprintf(h->tls, sizeof(h->tls), "%s %s", facts.version, facts.cipher);
	return HOP_OK;
}

enum hop_result hop_secure_first(struct hop *h)
{
	const int64_t deadline_us =
	    loop_now_us(h->host->routes->loop) + h->host->route->set.reply_timeout;
	enum conn_result sent;

	if (!h->host->address->tls_first)
		return HOP_OK;
	sent = conn_flush(&h->conn, deadline_us); /* the PROXY header */
	return sent == CONN_OK ? handshake(h) : hop_result_of(sent);
}

/* A server has nothing to say before the client's first words in TLS: what comes in plain after its
 * reply was put in by somebody, to be taken for what it says after the handshake. */
static bool has_more(struct hop *h)
{
	return conn_buffered(&h->conn) > 0 || conn_await_input(&h->conn, 0) == CONN_OK;
}

enum hop_result hop_starttls(struct hop *h, struct response *r)
{
	enum hop_result got;

	if (h->tls[0] || !wants_tls(h->host))
		return HOP_OK;
	if (!hop_offers(h, HOP_STARTTLS))
		return host_must_be_secure(h->host) ? insecure(h, "it does not offer STARTTLS")
						    : HOP_OK;
	hop_put(h, LIT("STARTTLS\r\n"));
	got = hop_read(h, h->host->route->set.reply_timeout, r);
	if (got == HOP_CANCELLED || got == HOP_OURS)
		return got;
	if (got != HOP_OK)
		return insecure(h, hop_result_text(got));
	if (r->code != 220)
		return insecure(h, "it refuses STARTTLS");
	if (has_more(h))
		return insecure(h, "plain text after its reply to STARTTLS");
	return handshake(h);
}
