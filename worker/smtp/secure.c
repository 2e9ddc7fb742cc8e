/* The handshake of a session, for STARTTLS and for listeners that speak TLS from the first byte. */
#include "worker/smtp/secure.h"

#include "worker/io/tls_server.h"
#include "worker/smtp/deadlines.h"

bool secure_is_offered(const struct smtp_session *ss)
{
	return ss->server->tls && !ss->s.tls && ss->s.listener->set.tls != LISTENER_TLS_OFF;
}

bool secure_is_missing(const struct smtp_session *ss)
{
	return ss->s.listener->set.tls == LISTENER_TLS_REQUIRED && !ss->s.tls;
}

/* What goes to the log is OpenSSL's, no word of the client's. */
static void failed(struct smtp_session *ss, const struct tls_facts *facts)
{
	metric_add(ss->server->slot, METRIC_tls_failures, 1);
	ss->tls_failure = facts->failure;
	smtp_session_end(ss, "TLS handshake failed");
}

bool secure_begin(struct smtp_session *ss)
{
	struct tls_facts facts;
	const enum conn_result r =
	    tls_accept(ss->server->tls, &ss->conn, deadline_handshake(ss), &facts);

	if (r != CONN_OK) {
		failed(ss, &facts);
		return false;
	}
	metric_add(ss->server->slot, METRIC_tls_handshakes, 1);
	if (facts.resumed)
		metric_add(ss->server->slot, METRIC_tls_resumed, 1);
	ss->s.tls = true;
	ss->s.tls_text = arena_printf(ss->s.arena, "%s %s", facts.version, facts.cipher);
	return true;
}
