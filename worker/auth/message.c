/* The datagrams between workers and the auth process. */
#include "worker/auth/message.h"

#include "worker/inspect/wire.h"

bool auth_request_put(struct buf *b, const struct auth_request *rq)
{
	if (rq->login.n > LIST_KEY_MAX || rq->secret.n > AUTH_SECRET_MAX)
		return false;
	wire_put_u8(b, (uint8_t)rq->kind);
	wire_put_u64(b, (uint64_t)rq->deadline_mono_us);
	wire_put_text(b, rq->login);
	wire_put_text(b, rq->secret);
	return !b->cut;
}

bool auth_request_get(struct text t, struct auth_request *rq)
{
	struct reader r = reader_over(t);
	const unsigned kind = wire_get_u8(&r);

	rq->kind = (enum auth_kind)kind;
	rq->deadline_mono_us = (int64_t)wire_get_u64(&r);
	rq->login = wire_get_text(&r, LIST_KEY_MAX);
	rq->secret = wire_get_text(&r, AUTH_SECRET_MAX);
	return reader_done(&r) && (kind == AUTH_PASSWORD || kind == AUTH_SCRAM);
}

bool auth_reply_put(struct buf *b, const struct auth_reply *rp)
{
	if (rp->login.n > LIST_KEY_MAX || rp->senders.n > USER_SENDERS_MAX ||
	    rp->data.n > AUTH_DATA_MAX)
		return false;
	wire_put_u8(b, (uint8_t)rp->verdict);
	wire_put_text(b, rp->login);
	wire_put_text(b, rp->senders);
	wire_put_text(b, rp->data);
	return !b->cut;
}

bool auth_reply_get(struct text t, struct auth_reply *rp)
{
	struct reader r = reader_over(t);
	const unsigned verdict = wire_get_u8(&r);

	rp->verdict = (enum auth_verdict)verdict;
	rp->login = wire_get_text(&r, LIST_KEY_MAX);
	rp->senders = wire_get_text(&r, USER_SENDERS_MAX);
	rp->data = wire_get_text(&r, AUTH_DATA_MAX);
	return reader_done(&r) && verdict >= AUTH_NO && verdict <= AUTH_CANT;
}
