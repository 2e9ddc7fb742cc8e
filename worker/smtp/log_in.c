/* Whether a client may log in, and must. */
#include "worker/smtp/log_in.h"

#include "worker/auth/login.h"

static bool is_wanted(const struct smtp_session *ss)
{
	return ss->s.listener->set.auth != LISTENER_AUTH_OFF && ss->server->logins;
}

bool log_in_is_offered(const struct smtp_session *ss)
{
	return is_wanted(ss) && (ss->s.tls || ss->s.listener->set.auth_plaintext);
}

bool log_in_lacks_tls(const struct smtp_session *ss)
{
	return is_wanted(ss) && !log_in_is_offered(ss);
}

bool log_in_is_missing(const struct smtp_session *ss)
{
	return ss->s.listener->set.auth == LISTENER_AUTH_REQUIRED && !ss->s.own;
}

void log_in_put_offer(struct smtp_session *ss)
{
	const unsigned mechanisms =
	    log_in_is_offered(ss) ? logins_mechanisms(ss->server->logins) : 0;

	if (mechanisms == 0)
		return;
	conn_put(&ss->conn, "250-AUTH", 8);
	for (unsigned m = 0; m < MECHANISMS; m++) {
		if (mechanisms & 1U << m)
			conn_printf(&ss->conn, " %s", mechanism_name((enum mechanism)m));
	}
	conn_put(&ss->conn, "\r\n", 2);
}
