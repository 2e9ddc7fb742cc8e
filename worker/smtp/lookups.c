/* The questions of a session, and the time that it may wait for them. */
#include "worker/smtp/lookups.h"

#include "worker/io/dns.h"
#include "worker/smtp/session.h"

/* More than any honest mail needs: SPF asks for some hundred at the very most.  A message with
 * thousands of signatures gets no further. */
enum { LOOKUPS_MAX = 256 };

struct lookup {
	struct lookup *next;
	struct dns_query *query; /* NULL: it couldn't be asked */
	bool judged;             /* its failure has been counted */
};

static struct lookup *find_in(struct lookup *first, struct text name, uint16_t type)
{
	struct lookup *k = first;

	while (k && !dns_query_is(k->query, name, type))
		k = k->next;
	return k;
}

static struct lookup *find(struct smtp_session *ss, struct text name, uint16_t type)
{
	struct lookup *k = find_in(ss->lookups.of_session, name, type);

	return k ? k : find_in(ss->lookups.of_transaction, name, type);
}

/* NULL: there are too many. */
static struct lookup *begin(struct smtp_session *ss, struct text name, uint16_t type)
{
	const bool in_transaction = ss->s.tx != NULL;
	struct lookups *ls = &ss->lookups;
	unsigned *count = in_transaction ? &ls->transaction_count : &ls->session_count;
	struct lookup **first = in_transaction ? &ls->of_transaction : &ls->of_session;
	struct lookup *k;

	if (*count >= LOOKUPS_MAX)
		return NULL;
	/* First of all: it may jump out for want of memory, and a query would be lost then. */
	k = arena_new(in_transaction ? &ss->tx.arena : &ss->arena, struct lookup);
	k->query = dns_start(ss->server->resolver, name, type);
	k->next = *first;
	*first = k;
	(*count)++;
	metric_add(ss->server->slot, METRIC_dns_queries, 1);
	return k;
}

void lookups_start(struct smtp_session *ss, struct text name, uint16_t type)
{
	if (!find(ss, name, type))
		(void)begin(ss, name, type);
}

static int64_t budget_left(struct smtp_session *ss)
{
	struct lookups *ls = &ss->lookups;

	if (ls->command != ss->commands) {
		ls->command = ss->commands;
		ls->waited_us = 0;
	}
	return ss->server->config->global.dns_budget - ls->waited_us;
}

const struct dns_answer *lookups_await(struct smtp_session *ss, struct text name, uint16_t type)
{
	const int64_t start = loop_now_us(ss->server->loop);
	const int64_t left = budget_left(ss);
	struct lookup *k = find(ss, name, type);
	const struct dns_answer *a;

	if (!k)
		k = begin(ss, name, type);
	a = dns_await(k ? k->query : NULL, start + (left > 0 ? left : 0));
	ss->lookups.waited_us += loop_now_us(ss->server->loop) - start;
	if (!dns_known(a->status) && !(k && k->judged)) {
		metric_add(ss->server->slot, METRIC_dns_failures, 1);
		if (k)
			k->judged = true;
	}
	return a;
}

static void drop(struct lookup **first, unsigned *count)
{
	for (struct lookup *k = *first; k; k = k->next)
		dns_free(k->query);
	*first = NULL;
	*count = 0;
}

void lookups_end_transaction(struct smtp_session *ss)
{
	drop(&ss->lookups.of_transaction, &ss->lookups.transaction_count);
}

void lookups_end(struct smtp_session *ss)
{
	drop(&ss->lookups.of_transaction, &ss->lookups.transaction_count);
	drop(&ss->lookups.of_session, &ss->lookups.session_count);
}
