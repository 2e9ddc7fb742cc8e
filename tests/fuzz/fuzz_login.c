/* What comes of a login: base64 and the fields of PLAIN, SCRAM's two messages (with libgsasl), the
 * datagrams of the auth process, Dovecot's lines.  The first byte says which. */
#include "shm/base/base64.h"
#include "worker/auth/dovecot_line.h"
#include "worker/auth/message.h"
#include "worker/auth/scram.h"
#include "worker/smtp/auth_exchange.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static bool is_within(struct text part, struct text whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* What is base64 can be written in one way only. */
static void base64(struct text t)
{
	char *bytes = malloc(base64_decoded_size(t.n) + 1), *again = malloc(t.n + 1);
	struct text message, authzid, name, password;
	struct buf b = buf_over(again, t.n + 1);

	if (base64_decode(t, bytes, &message.n)) {
		message.p = bytes;
		base64_put(&b, message);
		require(text_eq(buf_view(&b), t));
		if (auth_split_plain(message, &authzid, &name, &password))
			require(authzid.n + name.n + password.n + 2 == message.n);
	}
	free(bytes);
	free(again);
}

static int find(void *self, struct text login, struct user *out)
{
	const struct user *u = self;

	if (!text_eq(login, LIT("ann@x")))
		return MDB_NOTFOUND;
	*out = *u;
	return 0;
}

/* Two messages, divided by the first line end.  Nobody gets in who doesn't know the password. */
static void scram_messages(struct text t)
{
	static struct scram *scram;
	static struct user user = {.scram = {.iterations = 4096, .stored_key = "not a digest"}};
	static const unsigned char secret[USERS_SECRET_BYTES] = "secret";
	struct text first, second;
	struct scram_exchange *x;

	if (!scram)
		scram = scram_open(secret);
	text_split(t, '\n', &first, &second);
	const struct auth_reply r = scram_begin(scram, first, find, &user, &x);

	require((r.verdict == AUTH_CHALLENGE) == (x != NULL));
	if (!x)
		return;
	require(scram_finish(x, second).verdict != AUTH_YES);
	scram_end(x);
}

static void datagrams(struct text t)
{
	struct auth_request rq;
	struct auth_reply rp;

	if (auth_request_get(t, &rq))
		require(is_within(rq.login, t) && is_within(rq.secret, t));
	if (auth_reply_get(t, &rp))
		require(is_within(rp.login, t) && is_within(rp.senders, t) &&
			is_within(rp.data, t));
}

static void dovecot(struct text t)
{
	struct dovecot_line l;
	struct arena a;

	arena_init(&a, NULL, NULL);
	if (dovecot_line_parse(t, &l)) {
		require(is_within(l.text, t) && is_within(l.user, t) && is_within(l.senders, t));
		require(dovecot_unescape(l.user, &a).n <= l.user.n);
	}
	arena_reset(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const parts[])(struct text t) = {base64, scram_messages, datagrams, dovecot};

	if (n > 0)
		parts[data[0] % 4](text_make((const char *)data + 1, n - 1));
	return 0;
}
