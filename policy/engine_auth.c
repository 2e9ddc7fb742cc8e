/* AUTH: may the client try at all?  And what it hears that should have and did not. */
#include "policy/decide.h"
#include "policy/walk.h"
#include "shm/segment.h"

struct decision engine_auth(struct session *s)
{
	static const enum check_id checks[] = {CHECK_auth_block, CHECK_auth_once};
	const struct settings *set = &s->config->base;
	struct decision d = decide_pass();

	if (!text_empty(s->login)) {
		s->world.ops->count(s->world.self, METRIC_auth_refused, 1);
		return engine_reply(s, REPLY_AUTH_ONCE);
	}
	s->rcpt = NULL;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !d.refused; i++) {
		if (walk_refuses_now(s, checks[i], set))
			d = decide_refusal(s, checks[i], s->runs[checks[i]].verdict, PHASE_AUTH);
	}
	d.close = d.check == CHECK_auth_once;
	d.closing = REPLY_AUTH_CLOSING;
	return d;
}

struct decision engine_login_missing(struct session *s)
{
	s->rcpt = NULL;
	if (walk_refuses_now(s, CHECK_auth_block, &s->config->base))
		return decide_refusal(s, CHECK_auth_block, s->runs[CHECK_auth_block].verdict,
				      PHASE_MAIL);
	return engine_reply(s, REPLY_AUTH_REQUIRED);
}
