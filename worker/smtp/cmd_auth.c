/* AUTH (RFC 4954): who the client is, by PLAIN (RFC 4616), LOGIN or SCRAM-SHA-256 (RFC 7677). */
#include "policy/auth.h"
#include "worker/auth/login.h"
#include "worker/smtp/auth_exchange.h"
#include "worker/smtp/command.h"
#include "worker/smtp/log_in.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/session_log.h"

/* An attempt, as far as it has come. */
struct attempt {
	enum mechanism mechanism;
	bool has_initial;
	struct text initial; /* decoded */
	struct text name;    /* as the client gave it; empty: only the backend has read it */
	struct text login;   /* in the form of a list's key; empty: no such name can be */
	struct text secret;  /* the password, where the mechanism shows it */
};

static bool may_begin(struct smtp_session *ss)
{
	if (log_in_lacks_tls(ss))
		reply_error(ss, REPLY_AUTH_NEEDS_TLS);
	else if (!log_in_is_offered(ss))
		reply_error(ss, REPLY_NOT_IMPLEMENTED);
	else if (ss->s.helo.n == 0)
		reply_error(ss, REPLY_NO_HELO);
	else if (ss->state != SMTP_READY && ss->state != SMTP_NEW)
		reply_error(ss, REPLY_BAD_SEQUENCE);
	else
		return true;
	return false;
}

/* Not blocked, and with an attempt left. */
static bool may_try(struct smtp_session *ss)
{
	const struct decision d = engine_auth(&ss->s);

	if (d.refused)
		reply_mistake(ss, &d);
	return !d.refused;
}

static bool find_mechanism(const struct smtp_session *ss, struct text name, enum mechanism *out)
{
	const unsigned offered = logins_mechanisms(ss->server->logins);

	for (unsigned m = 0; m < MECHANISMS; m++) {
		if ((offered & 1U << m) &&
		    text_ieq(name, text_of(mechanism_name((enum mechanism)m)))) {
			*out = (enum mechanism)m;
			return true;
		}
	}
	return false;
}

static bool parse(struct smtp_session *ss, struct text args, struct attempt *at)
{
	struct text name, initial;

	at->has_initial = text_split(args, ' ', &name, &initial);
	if (name.n == 0 || text_find(initial, ' ') < initial.n) {
		reply_error(ss, REPLY_BAD_SYNTAX);
		return false;
	}
	if (!find_mechanism(ss, name, &at->mechanism)) {
		reply_error(ss, REPLY_AUTH_MECHANISM);
		return false;
	}
	return !at->has_initial || auth_initial(ss, initial, login_arena(ss->login), &at->initial);
}

/* ---- What each mechanism has the client say */

static void set_login(struct smtp_session *ss, struct attempt *at, struct text name)
{
	char key[LIST_KEY_MAX + 1], unused[64];
	struct buf err = buf_over(unused, sizeof(unused));

	at->name = name;
	if (list_key_normalize(LIST_LOGIN, name, key, &err))
		at->login = arena_text(login_arena(ss->login), text_of(key));
}

static bool hear_plain(struct smtp_session *ss, struct attempt *at)
{
	struct text message = at->initial, authzid, name;

	if (!at->has_initial && !auth_challenge(ss, LIT(""), login_arena(ss->login), &message))
		return false;
	if (!auth_split_plain(message, &authzid, &name, &at->secret)) {
		reply_error(ss, REPLY_AUTH_MALFORMED);
		return false;
	}
	set_login(ss, at, name);
	/* One may act for oneself only: for others it is like a wrong name. */
	if (authzid.n && !text_ieq(authzid, name))
		at->login = LIT("");
	return true;
}

static bool hear_login(struct smtp_session *ss, struct attempt *at)
{
	struct arena *a = login_arena(ss->login);
	struct text name = at->initial;

	if (!at->has_initial && !auth_challenge(ss, LIT("Username:"), a, &name))
		return false;
	if (!auth_challenge(ss, LIT("Password:"), a, &at->secret))
		return false;
	if (memchr(name.p, '\0', name.n) || memchr(at->secret.p, '\0', at->secret.n)) {
		reply_error(ss, REPLY_AUTH_MALFORMED);
		return false;
	}
	set_login(ss, at, name);
	return true;
}

static int64_t backend_deadline(const struct smtp_session *ss)
{
	return loop_now_us(ss->server->loop) + ss->server->config->auth.timeout;
}

static struct login_answer ask(struct smtp_session *ss, enum mechanism mechanism, struct text login,
			       struct text secret)
{
	return login_begin(ss->login,
			   &(struct login_question){.mechanism = mechanism,
						    .login = login,
						    .secret = secret,
						    .session = &ss->s,
						    .deadline_us = backend_deadline(ss)});
}

static bool by_password(struct smtp_session *ss, struct attempt *at, struct login_answer *answer)
{
	if (!(at->mechanism == MECHANISM_LOGIN ? hear_login(ss, at) : hear_plain(ss, at)))
		return false;
	*answer = ask(ss, MECHANISM_PLAIN, at->login, at->secret);
	if (text_empty(answer->login))
		answer->login = at->login;
	return true;
}

static bool by_scram(struct smtp_session *ss, struct attempt *at, struct login_answer *answer)
{
	struct arena *a = login_arena(ss->login);
	struct text said = at->initial;

	if (!at->has_initial && !auth_challenge(ss, LIT(""), a, &said))
		return false;
	*answer = ask(ss, MECHANISM_SCRAM_SHA_256, LIT(""), said);
	while (answer->result == LOGIN_CHALLENGE) {
		if (!auth_challenge(ss, answer->data, a, &said))
			return false;
		*answer = login_go_on(ss->login, said, backend_deadline(ss));
	}
	return true;
}

/* ---- What comes of it */

/* Puts the answer off, which costs nobody else anything.  False: the session is over. */
static bool put_off(struct smtp_session *ss, int64_t us)
{
	enum wake w;

	if (us <= 0)
		return true;
	ss->idle = true;
	w = task_sleep_until(loop_now_us(ss->server->loop) + us);
	ss->idle = false;
	if (w != WAKE_CANCELLED)
		return true;
	smtp_session_lost(ss, CONN_CANCELLED);
	return false;
}

/* SCRAM's server proves itself, in a challenge that the client answers with nothing.  It tells that
 * the password was right, so it is put off like the reply. */
static bool have_last_word(struct smtp_session *ss, struct text word)
{
	struct text said;

	if (text_empty(word))
		return true;
	if (!auth_challenge(ss, word, login_arena(ss->login), &said))
		return false;
	if (said.n > 0)
		reply_error(ss, REPLY_AUTH_MALFORMED);
	return said.n == 0;
}

static void succeed(struct smtp_session *ss, const struct attempt *at,
		    const struct login_answer *answer)
{
	struct session *s = &ss->s;
	const struct auth_effect effect = auth_succeeded(s, answer->login);

	if (!put_off(ss, effect.delay_us) || !have_last_word(ss, answer->data))
		return;
	s->login_senders = arena_text(s->arena, answer->senders);
	s->login = arena_text(s->arena, answer->login);
	s->own = true;
	metric_add(ss->server->slot, METRIC_auth_successes, 1);
	session_log_auth(ss, at->mechanism, s->login, "accepted", effect.facts);
	reply_ok(ss, 235, "2.7.0", "Authentication successful");
}

static void fail(struct smtp_session *ss, const struct attempt *at,
		 const struct login_answer *answer)
{
	const struct text name = at->name.n ? at->name : answer->login;
	const struct auth_effect effect = auth_failed(&ss->s, name, at->secret);

	metric_add(ss->server->slot, METRIC_auth_failures, 1);
	session_log_auth(ss, at->mechanism, name, "refused", effect.facts);
	if (put_off(ss, effect.delay_us))
		reply_catalog(ss, REPLY_AUTH_FAILED);
}

/* While the backend was asked, others of the client's sessions may have got it blocked: then a
 * verdict would be one more guess. */
static void conclude(struct smtp_session *ss, const struct attempt *at,
		     const struct login_answer *answer)
{
	switch (answer->result) {
	case LOGIN_YES:
		if (may_try(ss))
			succeed(ss, at, answer);
		break;
	case LOGIN_NO:
		if (may_try(ss))
			fail(ss, at, answer);
		break;
	case LOGIN_AWAY:
		metric_add(ss->server->slot, METRIC_auth_away, 1);
		session_log_auth(ss, at->mechanism, answer->login, "deferred",
				 text_of(answer->why));
		reply_catalog(ss, REPLY_AUTH_AWAY);
		break;
	default:
		reply_error(ss, REPLY_AUTH_MALFORMED);
	}
}

void cmd_auth(struct smtp_session *ss, struct text args)
{
	struct attempt at = {0};
	struct login_answer answer = {0};

	smtp_hello_again(ss);
	if (!may_begin(ss) || !may_try(ss))
		return;
	ss->login = login_new(ss->server->logins, &ss->arena);
	if (!ss->login) {
		reply_catalog(ss, REPLY_LOCAL_ERROR);
		return;
	}
	if (parse(ss, args, &at) &&
	    (at.mechanism == MECHANISM_SCRAM_SHA_256 ? by_scram(ss, &at, &answer)
						     : by_password(ss, &at, &answer)))
		conclude(ss, &at, &answer);
	login_free(ss->login);
	ss->login = NULL;
}
