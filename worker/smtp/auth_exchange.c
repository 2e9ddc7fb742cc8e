/* The lines of an AUTH command. */
#include "worker/smtp/auth_exchange.h"

#include "shm/base/base64.h"
#include "worker/smtp/deadlines.h"
#include "worker/smtp/reply.h"

static bool decode(struct smtp_session *ss, struct text base64, struct arena *a, struct text *out)
{
	char *bytes = arena_alloc(a, base64_decoded_size(base64.n) + 1);

	if (!base64_decode(base64, bytes, &out->n)) {
		reply_error(ss, REPLY_AUTH_MALFORMED);
		return false;
	}
	out->p = bytes;
	return true;
}

bool auth_initial(struct smtp_session *ss, struct text base64, struct arena *a, struct text *out)
{
	if (text_eq(base64, LIT("="))) {
		*out = LIT("");
		return true;
	}
	return decode(ss, base64, a, out);
}

static void put_challenge(struct smtp_session *ss, struct text challenge, struct arena *a)
{
	const size_t size = base64_encoded_size(challenge.n) + 1;
	struct buf b = buf_over(arena_alloc(a, size), size);

	base64_put(&b, challenge);
	conn_put(&ss->conn, "334 ", 4);
	conn_put(&ss->conn, b.p, b.n);
	conn_put(&ss->conn, "\r\n", 2);
}

bool auth_challenge(struct smtp_session *ss, struct text challenge, struct arena *a,
		    struct text *out)
{
	struct text line;
	enum conn_result r;

	put_challenge(ss, challenge, a);
	ss->idle = true;
	r = conn_getline(&ss->conn, &line, AUTH_LINE_MAX, deadline_command(ss));
	ss->idle = false;
	if (r == CONN_LINE_TOO_LONG) {
		reply_error(ss, REPLY_AUTH_LINE_TOO_LONG);
		return false;
	}
	if (r != CONN_OK) {
		smtp_session_lost(ss, r);
		return false;
	}
	if (text_eq(line, LIT("*"))) {
		reply_error(ss, REPLY_AUTH_CANCELLED);
		return false;
	}
	return decode(ss, line, a, out);
}

bool auth_split_plain(struct text message, struct text *authzid, struct text *name,
		      struct text *password)
{
	return text_split(message, '\0', authzid, &message) &&
	       text_split(message, '\0', name, password) && name->n > 0 &&
	       text_find(*password, '\0') == password->n;
}
