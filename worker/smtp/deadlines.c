/* Deadlines of sessions. */
#include "worker/smtp/deadlines.h"

#include "shm/base/clock.h"

/* A polite goodbye waits no longer than this for the peer's own close. */
#define GOODBYE_US (5 * SECOND_US)
/* Nobody is cut shorter than this by stress. */
#define SHORTEST_US (5 * SECOND_US)

int64_t deadline_shortened(int64_t us, unsigned stress)
{
	static const int divisors[] = {1, 4, 16, 16};
	const int64_t shorter = us / divisors[stress > 3 ? 3 : stress];

	if (shorter >= SHORTEST_US)
		return shorter;
	return us < SHORTEST_US ? us : SHORTEST_US;
}

static int64_t allowed(const struct smtp_session *ss, int64_t us)
{
	return ss->s.own ? us : deadline_shortened(us, ss->server->stress);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t deadline_command(const struct smtp_session *ss)
{
	const int64_t now = loop_now_us(ss->server->loop);
	int64_t at =
	    earlier(now + allowed(ss, ss->server->config->global.command_timeout), ss->deadline_us);

	/* Between the chunks of a message its own deadline runs on. */
	if (ss->state == SMTP_BDAT)
		at = earlier(at, conn_rate_deadline(&ss->intake.rate, ss->intake.received));
	return at;
}

int64_t deadline_handshake(const struct smtp_session *ss)
{
	return earlier(loop_now_us(ss->server->loop) +
			   allowed(ss, ss->server->config->global.tls_timeout),
		       ss->deadline_us);
}

void deadline_message(const struct smtp_session *ss, struct conn_rate *out)
{
	const struct global_settings *g = &ss->server->config->global;

	*out = (struct conn_rate){
	    .start_us = loop_now_us(ss->server->loop),
	    .grace_us = allowed(ss, g->data_timeout),
	    .limit_us = ss->deadline_us,
	    .bytes_per_second = g->min_rate,
	};
}

int64_t deadline_goodbye(const struct smtp_session *ss)
{
	return loop_now_us(ss->server->loop) +
	       (ss->s.own ? GOODBYE_US : GOODBYE_US >> ss->server->stress);
}
