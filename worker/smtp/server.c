/* What sessions share: prepared texts, arrivals, the count of sessions, draining. */
#include "worker/smtp/server.h"

#include "shm/base/clock.h"
#include "worker/smtp/reply.h"

#include <stdlib.h>
#include <unistd.h>

static struct text ehlo_rest(const struct global_settings *g, struct arena *a)
{
	return arena_printf(a,
			    "250-PIPELINING\r\n"
			    "250-SIZE %llu\r\n"
			    "250-8BITMIME\r\n"
			    "%s%s"
			    "250-CHUNKING\r\n"
			    "250-ENHANCEDSTATUSCODES\r\n"
			    "250-LIMITS MAILMAX=%lld RCPTMAX=%lld\r\n"
			    "250 HELP\r\n",
			    (unsigned long long)g->max_message_size,
			    g->smtputf8 ? "250-SMTPUTF8\r\n" : "", g->dsn ? "250-DSN\r\n" : "",
			    (long long)g->max_messages, (long long)g->max_recipients);
}

void smtp_server_init(struct smtp_server *sv, struct arena *a)
{
	const struct global_settings *g = &sv->config->global;

	sv->texts.greeting = arena_printf(a, "220 %.*s ESMTP Gatepost\r\n", TEXT(g->hostname));
	sv->texts.helo = arena_printf(a, "250 %.*s\r\n", TEXT(g->hostname));
	sv->texts.ehlo_first = arena_printf(a, "250-%.*s\r\n", TEXT(g->hostname));
	sv->texts.ehlo_rest = ehlo_rest(g, a);
	/* Worker and start make an id unique: 8 bits, and 32 that count on from the clock in ms. */
	sv->next_id = (uint64_t)(sv->process & 0xff) << 32 |
		      ((uint64_t)(clock_wall_us() / 1000) & 0xffffffff);
}

void smtp_server_turn_away(struct smtp_server *sv, int fd, enum reply_id why)
{
	char line[128];
	struct buf b = buf_over(line, sizeof(line));

	reply_bare_line(why, false, &b);
	metric_add(sv->slot, METRIC_sessions_refused, 1);
	/* A client that doesn't take one line from an empty buffer is gone. */
	(void)!send(fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool smtp_server_others_have_room(const struct smtp_server *sv)
{
	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++) {
		const struct process_slot *p = &sv->seg->processes[i];

		if (i != sv->process && p->role == ROLE_WORKER &&
		    atomic_load_explicit(&p->pid, memory_order_relaxed) != 0 &&
		    atomic_load_explicit(&p->draining, memory_order_relaxed) == 0 &&
		    atomic_load_explicit(&p->sessions, memory_order_relaxed) < sv->session_limit)
			return true;
	}
	return false;
}

bool smtp_server_has_room(const struct smtp_server *sv)
{
	uint64_t all = 0;

	if (sv->session_count >= sv->session_limit)
		return false;

	for (unsigned i = 0; i < SEGMENT_PROCESSES; i++) {
		const struct process_slot *p = &sv->seg->processes[i];

		if (p->role == ROLE_WORKER &&
		    atomic_load_explicit(&p->pid, memory_order_relaxed) != 0)
			all += atomic_load_explicit(&p->sessions, memory_order_relaxed);
	}
	return all < (uint64_t)sv->config->global.max_sessions;
}

void smtp_server_accept(struct smtp_server *sv, const struct listener *listener, int fd,
			const struct sockaddr *peer, socklen_t len)
{
	struct smtp_arrival *a = NULL;

	(void)len;
	metric_add(sv->slot, METRIC_connections, 1);
	if (!smtp_server_has_room(sv)) {
		smtp_server_turn_away(sv, fd, REPLY_TOO_MANY_SESSIONS);
		close(fd);
		return;
	}
	a = malloc(sizeof(*a));
	if (a) {
		*a = (struct smtp_arrival){.server = sv, .listener = listener, .fd = fd};
		if (ip_from_sockaddr(peer, &a->peer, &a->port) &&
		    task_spawn(sv->loop, smtp_session_main, a)) {
			sv->session_count++;
			atomic_store_explicit(&sv->slot->sessions, (uint32_t)sv->session_count,
					      memory_order_relaxed);
			return;
		}
		free(a);
	}
	smtp_server_turn_away(sv, fd, REPLY_LOCAL_ERROR);
	close(fd);
}

void smtp_server_drain(struct smtp_server *sv)
{
	sv->draining = true;
	for (struct smtp_session *ss = sv->sessions; ss; ss = ss->next) {
		if (ss->idle)
			task_cancel(ss->task);
	}
}

void smtp_server_cancel_all(struct smtp_server *sv)
{
	for (struct smtp_session *ss = sv->sessions; ss; ss = ss->next)
		task_cancel(ss->task);
}
