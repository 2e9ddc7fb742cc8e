/* The session: greeting, then commands until somebody ends it. */
#include "worker/smtp/session.h"

#include "shm/base/clock.h"
#include "shm/slots.h"
#include "worker/auth/login.h"
#include "worker/smtp/auth_exchange.h"
#include "worker/smtp/command.h"
#include "worker/smtp/deadlines.h"
#include "worker/smtp/log_in.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/session_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void smtp_session_end(struct smtp_session *ss, const char *why)
{
	if (!ss->end)
		ss->end = why;
	ss->done = true;
}

void smtp_session_lost(struct smtp_session *ss, enum conn_result r)
{
	if (ss->done)
		return;
	switch (r) {
	case CONN_TIMEOUT:
		reply_catalog(ss, REPLY_TIME_OUT);
		break;
	case CONN_CANCELLED:
		reply_catalog(ss, REPLY_SHUTTING_DOWN);
		break;
	case CONN_NO_MEMORY:
		reply_catalog(ss, REPLY_LOCAL_ERROR);
		break;
	case CONN_FLOOD:
		reply_error(ss, REPLY_LINE_TOO_LONG);
		break;
	default:
		break;
	}
	smtp_session_end(ss, conn_result_text(&ss->conn, r));
}

/* Reasons of ours to leave between two commands: never inside a message. */
static bool must_leave(struct smtp_session *ss)
{
	if (ss->errors >= (unsigned)ss->server->config->global.max_errors) {
		reply_catalog(ss, REPLY_TOO_MANY_ERRORS);
		return true;
	}
	if (ss->server->draining && ss->state <= SMTP_READY) {
		reply_catalog(ss, REPLY_SHUTTING_DOWN);
		return true;
	}
	return false;
}

/* The first bytes of all: other protocols are told so instead of being read as commands. */
static bool speaks_smtp(struct smtp_session *ss)
{
	struct text start;

	ss->idle = true;
	const enum conn_result r =
	    conn_read_some(&ss->conn, &start, CONN_LINE_MAX, deadline_command(ss));
	ss->idle = false;
	if (r != CONN_OK) {
		smtp_session_lost(ss, r);
		return false;
	}
	if (!command_is_foreign(start))
		return true;
	reply_error(ss, REPLY_NOT_SMTP);
	smtp_session_end(ss, "not SMTP");
	return false;
}

/* AUTH may bring a response with it, where it is served (RFC 4954 4). */
static size_t line_max(const struct smtp_session *ss)
{
	return log_in_is_offered(ss) ? AUTH_LINE_MAX : SMTP_LINE_MAX;
}

static bool is_too_long(struct text line)
{
	return line.n > SMTP_LINE_MAX && !text_istarts(line, LIT("AUTH "));
}

static void serve_line(struct smtp_session *ss)
{
	struct text line;

	ss->idle = ss->state == SMTP_NEW || ss->state == SMTP_READY || ss->state == SMTP_REFUSED;
	enum conn_result r = conn_getline(&ss->conn, &line, line_max(ss), deadline_command(ss));
	ss->idle = false;
	/* A line that came together with the end of the worker: its waits would all fail. */
	if (task_is_cancelled(ss->task))
		r = CONN_CANCELLED;
	if (r == CONN_LINE_TOO_LONG || (r == CONN_OK && is_too_long(line)))
		reply_error(ss, REPLY_LINE_TOO_LONG);
	else if (r != CONN_OK)
		smtp_session_lost(ss, r);
	else
		command_run(ss, line);
}

static void converse(struct smtp_session *ss)
{
	if (!smtp_greet(ss) || must_leave(ss) || !speaks_smtp(ss))
		return;
	while (!ss->done && !must_leave(ss))
		serve_line(ss);
}

/* The arenas come here when there is no memory; no further arena is used. */
static void no_memory(void *arg)
{
	_longjmp(((struct smtp_session *)arg)->no_memory, 1);
}

/* What a session leaves behind, while a lack of memory can still be caught. */
static void wind_up(struct smtp_session *ss)
{
	smtp_transaction_end(ss);
	if (ss->asked == 0 && ss->s.runs)
		ss->would = engine_would(&ss->s);
}

static void say_no_memory(struct smtp_session *ss)
{
	char text[128];
	struct buf line = buf_over(text, sizeof(text));

	reply_bare_line(REPLY_LOCAL_ERROR, true, &line);
	conn_put(&ss->conn, line.p, line.n);
	ss->end = "no memory";
	ss->done = true;
}

/* Nothing here may stand in a local variable only: a jump forgets it. */
static void guarded(struct smtp_session *ss)
{
	if (_setjmp(ss->no_memory) == 0) {
		converse(ss);
		wind_up(ss);
	} else {
		say_no_memory(ss);
	}
	ss->over = true;
}

/* There was no memory for the reply that was due. */
static void last_words(struct smtp_session *ss)
{
	char text[128];
	struct buf line = buf_over(text, sizeof(text));

	reply_bare_line(REPLY_LOCAL_ERROR, ss->s.esmtp, &line);
	conn_put_last(&ss->conn, line.p, line.n);
}

static void closing_words(struct smtp_session *ss)
{
	if (ss->conn.put_result == CONN_NO_MEMORY)
		last_words(ss);
	if (ss->quit)
		conn_part(&ss->conn, deadline_goodbye(ss));
	else
		conn_finish(&ss->conn, deadline_goodbye(ss));
}

static void session_open(struct smtp_session *ss, const struct smtp_arrival *a)
{
	struct smtp_server *sv = a->server;

	*ss = (struct smtp_session){
	    .server = sv, .slot = -1, .message_fd = -1, .task = task_current()};
	arena_init(&ss->arena, no_memory, ss);
	ss->s = (struct session){.arena = &ss->arena,
				 .world = sv->world,
				 .config = sv->config,
				 .listener = a->listener,
				 .client = a->peer,
				 .client_port = a->port};
	snprintf(ss->s.id, sizeof(ss->s.id), "%010llx",
		 (unsigned long long)sv->next_id++ & 0xffffffffffULL);
	ss->start_us = loop_now_us(sv->loop);
	ss->deadline_us = ss->start_us + sv->config->global.session_timeout;
	ss->next = sv->sessions;
	ss->link = &sv->sessions;
	if (ss->next)
		ss->next->link = &ss->next;
	sv->sessions = ss;
}

static void session_close(struct smtp_session *ss)
{
	struct smtp_server *sv = ss->server;

	verification_abandon(ss);
	smtp_transaction_end(ss);
	session_log_end(ss);
	/* Before the last words, which a client may take its time to hear: it may come again. */
	if (ss->slot >= 0)
		slots_give(sv->seg, sv->process, ss->slot, clock_boot_us());
	closing_words(ss);
	conn_close(&ss->conn);
	lookups_end(ss);
	login_free(ss->login);
	arena_reset(&ss->arena);
	*ss->link = ss->next;
	if (ss->next)
		ss->next->link = ss->link;
	sv->session_count--;
	atomic_store_explicit(&sv->slot->sessions, (uint32_t)sv->session_count,
			      memory_order_relaxed);
	sv->on_end(sv->on_end_arg);
}

void smtp_session_main(void *arg)
{
	struct smtp_arrival *a = arg;
	struct smtp_session ss;

	session_open(&ss, a);
	if (!conn_init(&ss.conn, a->server->loop, a->fd)) {
		smtp_server_turn_away(a->server, a->fd, REPLY_LOCAL_ERROR);
		close(a->fd);
		ss.end = "no descriptor for the loop";
	}
	free(a);
	if (conn_is_open(&ss.conn))
		guarded(&ss);
	session_close(&ss);
}
