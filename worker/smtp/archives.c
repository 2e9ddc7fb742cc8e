/* A session's question about archives. */
#include "worker/smtp/archives.h"

#include "shm/base/clock.h"
#include "worker/inspect/archive.h"
#include "worker/smtp/inspection.h"
#include "worker/smtp/session.h"

#include <errno.h>

/* Until it is this message's turn: each worker asks about one at a time. */
#define WAIT_US (60 * SECOND_US)

static struct inspect_outcome ask(struct smtp_session *ss, struct text body, int fd,
				  const struct archives_request *rq)
{
	struct smtp_server *sv = ss->server;
	const struct inspect_request request = {
	    .type = QUESTION_ARCHIVE,
	    .body = body,
	    .message_fd = fd,
	    .deadline_us = loop_now_us(sv->loop) + WAIT_US + 1000LL * rq->bounds.time_ms,
	};
	struct inspect_outcome out = {.result = INSPECT_EXHAUSTED};

	metric_add(sv->slot, METRIC_inspections, 1);
	if (sv->archives)
		out = inspect_ask(sv->archives, &request, &ss->tx.arena);
	if (out.result != INSPECT_ANSWERED)
		metric_add(sv->slot, METRIC_inspections_failed, 1);
	metric_add(sv->slot, METRIC_inspector_deaths, out.deaths);
	return out;
}

void smtp_ask_archives(struct smtp_session *ss, const struct archives_request *rq,
		       struct archives_facts *out)
{
	struct arena *a = &ss->tx.arena;
	const size_t room = archives_question_size(rq);
	struct buf body = buf_over(arena_alloc(a, room), room);
	struct inspect_outcome o;
	int fd;

	*out = (struct archives_facts){0};
	if (!archives_question_put(&body, rq)) {
		out->answered = true;
		out->limits = ARCHIVES_LIMIT_PARTS;
		return;
	}
	fd = smtp_message_fd(ss);
	if (fd < 0) {
		out->reason =
		    arena_printf(a, "the message can't be handed on: %s", strerrordesc_np(errno));
		return;
	}
	o = ask(ss, buf_view(&body), fd, rq);
	if (o.result != INSPECT_ANSWERED)
		out->reason = text_of(inspect_result_text(o.result));
	else if (!archives_answer_get(o.body, a, rq, out))
		out->reason = text_of(inspect_result_text(INSPECT_NONSENSE));
}
