/* Asking a mail server that isn't ours (worker/delivery/callout.h). */
#include "worker/delivery/callout.h"

#include "shm/base/clock.h"
#include "worker/delivery/host.h"
#include "worker/delivery/response_read.h"
#include "worker/delivery/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct talk {
	struct routes *routes;
	struct callout *c;
	struct conn conn;
	int64_t deadline_us;
};

static void copy_reply(const struct response *r, struct callout_reply *out)
{
	*out = (struct callout_reply){.code = r->code};
	memcpy(out->enhanced, r->enhanced, sizeof(out->enhanced));
	text_cstr(text_make(r->text, r->text_n), out->text, sizeof(out->text));
}

/* ---- whom we never ask ---- */

static bool is_own_port(const struct config *config, uint16_t port)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		for (size_t k = 0; k < config->listeners[i].address_count; k++) {
			if (config->listeners[i].addresses[k].port == port)
				return true;
		}
	}
	return false;
}

/* An address is this machine's own if the kernel would speak to it from itself.  A datagram socket
 * is connected for the question alone: nothing is sent. */
static bool is_own_address(const struct sockaddr_storage *sa, socklen_t len)
{
	const int fd = socket(sa->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint16_t port;
	struct ip a, b;
	bool own = false;

	if (fd < 0)
		return true; /* not known: better not */
	if (connect(fd, (const struct sockaddr *)sa, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&from, &from_len) == 0)
		own = ip_from_sockaddr((const struct sockaddr *)sa, &a, &port) &&
		      ip_from_sockaddr((const struct sockaddr *)&from, &b, &port) && ip_eq(&a, &b);
	close(fd);
	return own;
}

static bool may_be_asked(const struct talk *t, const struct sockaddr_storage *sa, socklen_t len)
{
	if (t->c->private_targets && !is_own_port(t->routes->config, t->c->port))
		return true;
	return !is_own_address(sa, len);
}

/* ---- the conversation ---- */

/* False: there is no more to be said.  What the server has answered (or why it hasn't) stands in
 * `out` and c->why. */
static bool hear(struct talk *t, struct callout_reply *out)
{
	struct response r;
	bool nonsense;
	enum conn_result got = response_read(&t->conn, t->deadline_us, &r, NULL, NULL, &nonsense);

	copy_reply(&r, out);
	t->c->why = got != CONN_OK ? conn_result_text(&t->conn, got)
		    : nonsense     ? "its answer is no reply of SMTP"
				   : NULL;
	t->c->ours = got == CONN_CANCELLED || got == CONN_NO_MEMORY;
	if (got == CONN_OK && !nonsense && response_is(&r, 3)) {
		out->code = 0;
		t->c->why = "its answer makes no sense";
	}
	return out->code != 0 && out->code != 421;
}

static void put(struct talk *t, const char *verb, struct text what, const char *end)
{
	conn_put(&t->conn, verb, strlen(verb));
	conn_put(&t->conn, what.p, what.n);
	conn_put(&t->conn, end, strlen(end));
}

static bool is_yes(const struct callout_reply *r)
{
	return r->code / 100 == 2;
}

static bool say_hello(struct talk *t)
{
	const struct text hostname = text_of(t->routes->hostname);
	struct callout_reply *r = &t->c->first;

	put(t, "EHLO ", hostname, "\r\n");
	if (!hear(t, r))
		return false;
	if (r->code / 100 != 5)
		return is_yes(r);
	put(t, "HELO ", hostname, "\r\n");
	return hear(t, r) && is_yes(r);
}

/* The second question, in a transaction of its own: a bounce has one recipient. */
static void ask_second(struct talk *t, struct text address)
{
	struct callout_reply *r = &t->c->second;

	put(t, "RSET\r\n", LIT(""), "");
	if (!hear(t, r) || !is_yes(r))
		goto none;
	put(t, "MAIL FROM:<>\r\n", LIT(""), "");
	if (!hear(t, r) || !is_yes(r))
		goto none;
	put(t, "RCPT TO:<", address, ">\r\n");
	(void)hear(t, r);
	return;
none:
	*r = (struct callout_reply){0};
}

static void converse(struct talk *t)
{
	struct callout *c = t->c;
	struct text next;

	c->stage = CALLOUT_GREETING;
	if (!hear(t, &c->first) || !is_yes(&c->first))
		return;
	c->stage = CALLOUT_HELLO;
	if (!say_hello(t))
		return;
	c->stage = CALLOUT_MAIL;
	put(t, "MAIL FROM:<>\r\n", LIT(""), "");
	if (!hear(t, &c->first) || !is_yes(&c->first))
		return;
	c->stage = CALLOUT_RCPT;
	put(t, "RCPT TO:<", c->address, ">\r\n");
	if (!hear(t, &c->first))
		return;
	next = callout_next(c);
	if (!text_empty(next))
		ask_second(t, next);
}

/* Not by conn_put(): sending must not wait, and whether it arrives does not matter. */
static void part(struct talk *t)
{
	conn_try(&t->conn, "QUIT\r\n", 6);
	conn_close(&t->conn);
}

static void name_target(struct callout *c, const struct callout_target *target)
{
	char ip[IP_TEXT_MAX];

	snprintf(c->hop, sizeof(c->hop), "%.*s [%s]",
		 (int)(target->name.n < 70 ? target->name.n : 70), target->name.p,
		 ip_format(&target->ip, ip));
}

/* True: it has served us, well or badly; false: the next one may. */
static bool ask_one(struct talk *t, const struct callout_target *target, int64_t until_us)
{
	struct callout *c = t->c;
	struct sockaddr_storage sa;
	const socklen_t len = ip_to_sockaddr(&target->ip, c->port, &sa);
	int error = 0;

	name_target(c, target);
	c->stage = CALLOUT_UNREACHED;
	c->first = c->second = (struct callout_reply){0};
	c->ours = false;
	if (!may_be_asked(t, &sa, len)) {
		c->why = "that is this machine's own address";
		return false;
	}
	if (conn_connect(t->routes->loop, (struct sockaddr *)&sa, len, until_us, &t->conn,
			 &error) != CONN_OK) {
		c->why = strerrordesc_np(error);
		c->ours = error == ECANCELED || hop_error_is_ours(error);
		return c->ours;
	}
	conn_set_write_timeout(&t->conn, c->timeout_us);
	converse(t);
	part(t);
	/* A 4xx or 5xx before MAIL is about that server. */
	return c->ours || (c->stage >= CALLOUT_MAIL && c->first.code != 0);
}

static void ask_targets(struct routes *r, struct callout *c)
{
	struct talk t = {.routes = r, .c = c};
	const int64_t now_us = loop_now_us(r->loop);

	t.deadline_us = now_us + c->timeout_us;
	c->why = "no server";
	for (size_t i = 0; i < c->target_count; i++) {
		const int64_t left_us = t.deadline_us - loop_now_us(r->loop);

		if (left_us <= 0)
			return;
		/* One that swallows our packets leaves time for the others. */
		if (ask_one(&t, &c->targets[i],
			    loop_now_us(r->loop) + left_us / (int64_t)(c->target_count - i)))
			return;
	}
}

/* ---- hosts of a route of ours ---- */

static struct mailbox mailbox_of(struct text address)
{
	return (struct mailbox){.whole = address};
}

/* False: the null sender is refused. */
static bool ask_route(struct routes *r, const struct session *s, struct callout *c,
		      struct text address, struct callout_reply *out)
{
	struct recipient recipient = {.mailbox = mailbox_of(address), .route = c->route};
	struct delivery *d = delivery_open(r, s, c->route);
	struct hop_reply said = {0};

	recipient.mailbox.utf8 = s->rcpt && s->rcpt->mailbox.utf8;
	const bool asked = delivery_ask_anonymously(d, &recipient, &said);

	delivery_close(d);
	*out = (struct callout_reply){.code = said.code};
	memcpy(out->enhanced, said.enhanced, sizeof(out->enhanced));
	text_cstr(said.text, out->text, sizeof(out->text));
	text_cstr(text_empty(said.hop) ? c->route->set.name : said.hop, c->hop, sizeof(c->hop));
	return asked;
}

static void ask_hosts(struct routes *r, const struct session *s, struct callout *c)
{
	struct text next;

	c->why = "no answer";
	c->stage = ask_route(r, s, c, c->address, &c->first) ? CALLOUT_RCPT : CALLOUT_MAIL;
	next = callout_next(c);
	if (!text_empty(next))
		(void)ask_route(r, s, c, next, &c->second);
}

void callout_run(struct routes *r, const struct session *s, struct callout *c)
{
	if (c->route)
		ask_hosts(r, s, c);
	else
		ask_targets(r, c);
}
