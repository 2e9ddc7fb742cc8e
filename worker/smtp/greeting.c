/* From the connection to the 220: who is it, may it come in, does it wait for its turn. */
#include "shm/base/clock.h"
#include "shm/slots.h"
#include "worker/smtp/deadlines.h"
#include "worker/smtp/proxy.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/secure.h"

/* A header comes in the proxy's first packet; whoever is slower or sends something else is cut off.
 */
#define PROXY_TIMEOUT_US SECOND_US

/* Reads the PROXY header of a trusted peer. */
static bool read_proxy_header(struct smtp_session *ss)
{
	const int64_t deadline = loop_now_us(ss->server->loop) + PROXY_TIMEOUT_US;
	struct proxy_header h;
	struct text block;
	enum conn_result r = conn_read_some(&ss->conn, &block, CONN_LINE_MAX, deadline);
	enum proxy_result p = PROXY_MORE;

	while (r == CONN_OK && (p = proxy_parse(block, &h)) == PROXY_MORE)
		r = conn_read_more(&ss->conn, &block, deadline);
	if (r != CONN_OK || p == PROXY_BAD) {
		/* Nobody is there who would read a reply as SMTP. */
		smtp_session_end(ss, "bad PROXY header");
		conn_close(&ss->conn);
		return false;
	}
	conn_consume(&ss->conn, h.length);
	if (h.local) {
		ss->s.own = true; /* the proxy's own health check */
		return true;
	}
	ss->s.proxy = ss->s.client;
	ss->s.client = h.client;
	ss->s.client_port = h.client_port;
	return true;
}

/* Whom concurrent sessions are counted by: the IPv4 address, or the IPv6 /64. */
static uint64_t concurrency_tag(const struct smtp_session *ss)
{
	const struct ip *client = &ss->s.client;
	const struct ip key = ip_mask(client, ip_is4(client) ? 128 : 64);

	return table_tag(&ss->server->seg->table, TABLE_LIVE, LIT("sessions"), key.b,
			 sizeof(key.b));
}

/* Own clients, and proxies whose own address it is, don't count by address. */
static bool take_slot(struct smtp_session *ss)
{
	struct smtp_server *sv = ss->server;
	const bool by_client =
	    !ss->s.own && !nets_contain(&ss->s.listener->set.proxy_from, &ss->s.client);
	const uint64_t tags[2] = {by_client ? concurrency_tag(ss) : 0, 0};
	uint64_t counts[2] = {0, 0};
	const struct global_settings *g = &sv->config->global;

	ss->slot = slots_take(sv->seg, sv->process, SEGMENT_SESSIONS_PER_PROCESS, tags, counts,
			      clock_boot_us());
	if (ss->slot >= 0 && counts[0] <= (uint64_t)g->max_client_sessions)
		return true;
	metric_add(sv->slot, METRIC_sessions_refused, 1);
	const struct decision d = engine_reply(&ss->s, ss->slot < 0 ? REPLY_TOO_MANY_SESSIONS
								    : REPLY_TOO_MANY_FROM_CLIENT);
	reply_decision_plain(ss, &d);
	return false;
}

/* At the highest stress strangers wait outside, so that those who are known get through. */
static bool has_room_for(struct smtp_session *ss)
{
	if (ss->s.own || ss->server->stress < 3)
		return true;
	metric_add(ss->server->slot, METRIC_sessions_refused, 1);
	const struct decision d = engine_reply(&ss->s, REPLY_TOO_MANY_SESSIONS);
	reply_decision_plain(ss, &d);
	return false;
}

/* Whether it speaks before its turn; false: it is gone. */
static bool listen_early(struct smtp_session *ss)
{
	const int64_t delay = ss->s.own ? 0 : ss->server->config->global.greeting_delay;
	const enum conn_result r =
	    conn_await_input(&ss->conn, delay ? loop_now_us(ss->server->loop) + delay : 0);

	ss->s.early_talker = r == CONN_OK;
	if (r == CONN_OK || r == CONN_TIMEOUT)
		return true;
	smtp_session_lost(ss, r);
	return false;
}

/* On a listener where TLS comes first. */
static bool speak_tls(struct smtp_session *ss)
{
	return ss->s.listener->set.tls != LISTENER_TLS_IMPLICIT || secure_begin(ss);
}

static bool may_enter(struct smtp_session *ss)
{
	struct session *s = &ss->s;
	char text[IP_TEXT_MAX];

	if (nets_contain(&s->listener->set.proxy_from, &s->client) && !read_proxy_header(ss))
		return false;
	s->client_text = arena_text(s->arena, text_of(ip_format(&s->client, text)));
	s->own = s->own || config_trusted(s->config, &s->client);
	s->under_stress = ss->server->stress > 0;
	return has_room_for(ss) && take_slot(ss) && speak_tls(ss) && listen_early(ss);
}

bool smtp_greet(struct smtp_session *ss)
{
	if (!may_enter(ss))
		return false;
	const struct decision d = engine_connect(&ss->s);

	if (!d.refused) {
		conn_put(&ss->conn, ss->server->texts.greeting.p, ss->server->texts.greeting.n);
		return true;
	}
	ss->state = SMTP_REFUSED;
	reply_decision_plain(ss, &d);
	return !ss->done;
}
