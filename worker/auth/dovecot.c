/* One login by Dovecot's auth protocol: AUTH, CONT, OK, FAIL, CANCEL. */
#include "worker/auth/dovecot.h"

#include "shm/base/base64.h"
#include "worker/auth/dovecot_private.h"
#include "worker/io/task.h"

#include <stdlib.h>

/* What a response may be, so that the line with it is no longer than Dovecot reads. */
enum { RESPONSE_MAX = 4096 };

static struct login_answer away(const char *why)
{
	return (struct login_answer){.result = LOGIN_AWAY, .why = why};
}

static void enlist(struct dovecot *d, struct dovecot_login *x)
{
	*x = (struct dovecot_login){.dovecot = d, .task = task_current(), .id = ++d->next_id};
	x->next = d->first;
	x->link = &d->first;
	if (x->next)
		x->next->link = &x->next;
	d->first = x;
}

static void leave(struct dovecot_login *x)
{
	if (!x->dovecot)
		return;
	*x->link = x->next;
	if (x->next)
		x->next->link = x->link;
	free(x->line);
	*x = (struct dovecot_login){0};
}

void dovecot_end(struct dovecot_login *x)
{
	char text[32];
	struct buf b = buf_over(text, sizeof(text));

	if (x->dovecot && x->sent && !x->lost && !x->line) {
		buf_printf(&b, "CANCEL\t%u\n", x->id);
		dovecot_send(x->dovecot, buf_view(&b));
	}
	leave(x);
}

/* Waits until `there`; else what the client is told. */
static struct login_answer wait_for(struct dovecot_login *x, bool (*there)(struct dovecot_login *x),
				    int64_t deadline_us)
{
	while (!there(x) && !x->lost) {
		switch (task_park(deadline_us)) {
		case WAKE_READY:
			break;
		case WAKE_TIMEOUT:
			return away("Dovecot did not answer in time");
		case WAKE_CANCELLED:
			return away("the session was ended");
		}
	}
	return x->lost ? away("the connection to Dovecot ended")
		       : (struct login_answer){.result = LOGIN_YES};
}

static bool connection_is_ready(struct dovecot_login *x)
{
	return x->dovecot->ready;
}

static bool reply_is_there(struct dovecot_login *x)
{
	return x->line != NULL;
}

static struct text key_of_login(struct text escaped, struct arena *a)
{
	char key[LIST_KEY_MAX + 1], unused[64];
	struct buf err = buf_over(unused, sizeof(unused));
	const struct text user = dovecot_unescape(escaped, a);

	if (!list_key_normalize(LIST_LOGIN, user, key, &err))
		return LIT("");
	return arena_text(a, text_of(key));
}

/* "a@example.net, @example.org" as lines. */
static struct text lines_of(struct text escaped, struct arena *a)
{
	const struct text list = dovecot_unescape(escaped, a);
	char *p = arena_alloc(a, list.n + 1);

	text_lower(list, p);
	for (size_t i = 0; i < list.n; i++) {
		if (p[i] == ',' || p[i] == ' ')
			p[i] = '\n';
	}
	return text_make(p, list.n);
}

static struct login_answer read_challenge(struct text text, struct arena *a)
{
	struct login_answer answer = {.result = LOGIN_CHALLENGE};
	char *bytes = arena_alloc(a, base64_decoded_size(text.n) + 1);

	if (!base64_decode(text, bytes, &answer.data.n))
		return away("Dovecot answered nonsense");
	answer.data.p = bytes;
	return answer;
}

static struct login_answer read_reply(const struct dovecot_line *l, struct arena *a)
{
	struct login_answer answer = {.login = key_of_login(l->user, a)};

	switch (l->verb) {
	case DOVECOT_CONT:
		return read_challenge(l->text, a);
	case DOVECOT_OK:
		if (text_empty(answer.login))
			return away("Dovecot names a user whose name is none");
		answer.result = LOGIN_YES;
		answer.senders = lines_of(l->senders, a);
		return answer;
	default:
		answer.result = LOGIN_NO;
		return l->temporary ? away("Dovecot can't tell at the moment") : answer;
	}
}

static struct login_answer ask(struct dovecot *d, struct dovecot_login *x, struct text line,
			       int64_t deadline_us, struct arena *a)
{
	struct login_answer answer;
	struct dovecot_line l;

	x->sent = true;
	if (!dovecot_send(d, line))
		return away("Dovecot reads too slowly, or is gone");
	answer = wait_for(x, reply_is_there, deadline_us);
	if (answer.result == LOGIN_AWAY)
		return answer;
	const struct text copy = arena_text(a, text_of(x->line));

	free(x->line);
	x->line = NULL;
	if (!dovecot_line_parse(copy, &l))
		return away("Dovecot answered nonsense");
	/* It waits for nothing any more. */
	if (l.verb != DOVECOT_CONT)
		leave(x);
	return read_reply(&l, a);
}

/* The facts first, the response last, as the protocol wants it.  No value can hold a tab:
 * addresses, numbers, base64.  Who guesses is slowed down by us, who see all workers and all
 * logins: Dovecot's own delay for the address would hold up the right ones, too. */
static struct text auth_line(const struct dovecot_login *x, const struct login_question *q,
			     struct text response, struct arena *a)
{
	const struct session *s = q->session;
	struct buf b = buf_over(arena_alloc(a, DOVECOT_LINE_MAX), DOVECOT_LINE_MAX);

	buf_printf(&b,
		   "AUTH\t%u\t%s\tservice=smtp\tnologin\tno-penalty%s\trip=%.*s\trport=%u\tresp=",
		   x->id, mechanism_name(q->mechanism), s->tls ? "\tsecured" : "",
		   TEXT(s->client_text), s->client_port);
	base64_put(&b, response);
	buf_char(&b, '\n');
	return buf_view(&b);
}

static struct text first_response(const struct login_question *q, struct arena *a)
{
	if (q->mechanism == MECHANISM_SCRAM_SHA_256)
		return q->secret;
	char *p = arena_alloc(a, q->login.n + q->secret.n + 2);

	memcpy(p + 1, q->login.p, q->login.n);
	memcpy(p + q->login.n + 2, q->secret.p, q->secret.n);
	return text_make(p, q->login.n + q->secret.n + 2);
}

struct login_answer dovecot_begin(struct dovecot *d, struct dovecot_login *x,
				  const struct login_question *q, struct arena *a)
{
	const struct text response = first_response(q, a);
	struct login_answer answer;

	if (response.n > RESPONSE_MAX)
		return (struct login_answer){
		    .result = q->mechanism == MECHANISM_PLAIN ? LOGIN_NO : LOGIN_MALFORMED,
		    .login = q->login};
	dovecot_connect(d);
	if (d->fd < 0)
		return away("Dovecot's auth socket can't be reached");
	enlist(d, x);
	answer = wait_for(x, connection_is_ready, q->deadline_us);
	if (answer.result == LOGIN_AWAY)
		return answer;
	return ask(d, x, auth_line(x, q, response, a), q->deadline_us, a);
}

struct login_answer dovecot_go_on(struct dovecot *d, struct dovecot_login *x, struct text response,
				  int64_t deadline_us, struct arena *a)
{
	struct buf b = buf_over(arena_alloc(a, DOVECOT_LINE_MAX), DOVECOT_LINE_MAX);

	if (response.n > RESPONSE_MAX)
		return (struct login_answer){.result = LOGIN_MALFORMED};
	if (x->lost)
		return away("the connection to Dovecot ended");
	buf_printf(&b, "CONT\t%u\t", x->id);
	base64_put(&b, response);
	buf_char(&b, '\n');
	return ask(d, x, buf_view(&b), deadline_us, a);
}
