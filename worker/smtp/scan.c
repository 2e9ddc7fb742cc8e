/* Having a message scanned for viruses. */
#include "worker/smtp/scan.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/inspect/antivirus.h"
#include "worker/inspect/clamd.h"
#include "worker/smtp/inspection.h"
#include "worker/smtp/killers.h"
#include "worker/smtp/session.h"

#include <errno.h>
#include <sys/un.h>

static void absent(const char *why, struct scan_result *out)
{
	*out = (struct scan_result){.code = SCAN_ABSENT, .reason = text_of(why)};
}

static void failed(struct text why, struct scan_result *out)
{
	*out = (struct scan_result){.code = SCAN_FAILED, .reason = why};
}

/* An inspector has died of it: the message may have its share in that. */
static void note_death(struct smtp_session *ss, struct scan_result *out)
{
	const unsigned deaths = killers_note(ss);

	metric_add(ss->server->slot, METRIC_scans_killed, 1);
	out->code = deaths >= KILLER_DEATHS ? SCAN_KILLER : SCAN_FAILED;
	out->reason = arena_printf(&ss->tx.arena, "an inspector died of it, %u in all", deaths);
}

static void ask_inspector(struct smtp_session *ss, struct scan_result *out)
{
	struct smtp_server *sv = ss->server;
	char *bytes = arena_alloc(&ss->tx.arena, 64);
	struct buf body = buf_over(bytes, 64);
	const int fd = smtp_message_fd(ss);
	struct inspect_outcome o;

	if (fd < 0) {
		failed(arena_printf(&ss->tx.arena, "the message can't be handed on: %s",
				    strerrordesc_np(errno)),
		       out);
		return;
	}
	antivirus_question_put(&body, spool_size(ss->spool));
	const struct inspect_request rq = {
	    .type = QUESTION_ANTIVIRUS,
	    .body = buf_view(&body),
	    .message_fd = fd,
	    .deadline_us = loop_now_us(sv->loop) + sv->config->clamav.wait,
	    .deaths_max = 1,
	};
	o = inspect_ask(sv->scanners, &rq, &ss->tx.arena);
	if (o.result == INSPECT_DIED)
		note_death(ss, out);
	else if (o.result != INSPECT_ANSWERED)
		failed(text_of(inspect_result_text(o.result)), out);
	else if (!antivirus_answer_get(o.body, out))
		failed(text_of(inspect_result_text(INSPECT_NONSENSE)), out);
}

static void ask_engine(struct smtp_session *ss, struct scan_result *out)
{
	const struct antivirus_note *note = &ss->server->seg->header->antivirus;

	switch ((enum antivirus_state)atomic_load(&note->state)) {
	case ANTIVIRUS_UNUSED:
		/* A generation that drains, or a reload that is about to make one. */
		absent("the anti-virus engine is not in use", out);
		return;
	case ANTIVIRUS_NO_DATABASE:
		absent("there is no anti-virus database", out);
		return;
	case ANTIVIRUS_BROKEN:
		absent("the anti-virus database can't be used", out);
		return;
	case ANTIVIRUS_LOADING:
	case ANTIVIRUS_READY:
		break;
	}
	if (!ss->server->scanners)
		return;
	if (killers_knows(ss)) {
		out->code = SCAN_KILLER;
		out->reason = LIT("inspectors have died of it");
		return;
	}
	ask_inspector(ss, out);
}

/* ---- clamd */

struct reading {
	struct spool *spool;
	uint64_t offset;
};

static bool next_pieces(void *self, struct iovec *iov, int *n)
{
	struct reading *r = self;

	return spool_pieces(r->spool, &r->offset, iov, n) == SPOOL_OK;
}

static socklen_t address_of(const struct clamd_address *a, struct sockaddr_storage *out)
{
	struct sockaddr_un *local = (struct sockaddr_un *)out;

	if (text_empty(a->path))
		return ip_to_sockaddr(&a->ip, a->port, out);
	*local = (struct sockaddr_un){.sun_family = AF_UNIX};
	text_cstr(a->path, local->sun_path, sizeof(local->sun_path));
	return sizeof(*local);
}

static void say_absent(struct text why)
{
	static struct log_limit limit;
	uint64_t held;

	if (log_allowed(&limit, 60 * SECOND_US, &held))
		log_error("%.*s: %llu messages more since the last line", TEXT(why),
			  (unsigned long long)held);
}

static void ask_clamd(struct smtp_session *ss, struct scan_result *out)
{
	struct smtp_server *sv = ss->server;
	struct sockaddr_storage address;
	struct reading reading = {.spool = ss->spool};
	const struct clamd_request rq = {
	    .loop = sv->loop,
	    .address = (const struct sockaddr *)&address,
	    .address_length = address_of(&sv->config->clamd, &address),
	    .deadline_us = loop_now_us(sv->loop) + sv->config->clamav.wait,
	    .next = next_pieces,
	    .self = &reading,
	};

	clamd_scan(&rq, &ss->tx.arena, out);
	if (out->code == SCAN_ABSENT)
		say_absent(out->reason);
}

void smtp_scan(struct smtp_session *ss, struct scan_result *out)
{
	struct process_slot *slot = ss->server->slot;

	failed(LIT("nobody can be asked"), out);
	if (text_empty(ss->server->config->clamav.clamd))
		ask_engine(ss, out);
	else
		ask_clamd(ss, out);
	if (out->code == SCAN_DONE)
		metric_add(slot, METRIC_scans, 1);
	else
		metric_add(slot, METRIC_scans_failed, 1);
	if (out->match_count > 0)
		metric_add(slot, METRIC_scans_found, 1);
}
