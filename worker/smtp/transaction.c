/* The transaction of a session: from MAIL to its end. */
#include "worker/smtp/inspection.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/session_log.h"

#include "worker/delivery/delivery.h"

void smtp_transaction_begin(struct smtp_session *ss)
{
	ss->tx = (struct transaction){0};
	/* The session's hook: a lack of memory ends the session either way. */
	arena_init(&ss->tx.arena, ss->arena.no_memory, ss->arena.no_memory_arg);
	ss->log = (struct message_log){.check = -1, .start_us = loop_now_us(ss->server->loop)};
	ss->s.tx = &ss->tx;
}

void smtp_transaction_forget(struct smtp_session *ss)
{
	ss->s.tx = NULL;
	lookups_end_transaction(ss);
	arena_reset(&ss->tx.arena);
}

static void drop_delivery(struct smtp_session *ss)
{
	struct delivery *d = ss->delivery;

	/* Closing may yield: nobody may find it again meanwhile. */
	ss->delivery = NULL;
	ss->delivery_route = NULL;
	delivery_close(d);
}

void smtp_transaction_end(struct smtp_session *ss)
{
	struct spool *spool = ss->spool;

	if (!ss->s.tx)
		return;
	if (!ss->over) {
		ss->log.would = engine_would(&ss->s);
		ss->log.not_inspected = engine_not_inspected(&ss->s);
	}
	session_log_message(ss);
	smtp_message_fd_close(ss);
	ss->spool = NULL;
	spool_free(spool);
	drop_delivery(ss);
	ss->s.tx = NULL;
	ss->s.rcpt = NULL;
	engine_end_transaction(&ss->s);
	lookups_end_transaction(ss);
	arena_reset(&ss->tx.arena);
	if (ss->state != SMTP_NEW)
		ss->state = SMTP_READY;
}

struct delivery *smtp_transaction_delivery(struct smtp_session *ss, const struct route *route)
{
	if (ss->delivery && ss->delivery_route != route)
		drop_delivery(ss);
	if (!ss->delivery) {
		ss->delivery = delivery_open(ss->server->routes, &ss->s, route);
		ss->delivery_route = route;
	}
	return ss->delivery;
}
