/* SCRAM-SHA-256 by libgsasl. */
#include "worker/auth/scram.h"

#include "policy/message/utf8.h"
#include "shm/base/base64.h"
#include "shm/password.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

/* A name of LIST_KEY_MAX bytes, each of them escaped, a nonce, and what stands around them. */
enum { MESSAGE_MAX = 2048 };

struct scram {
	Gsasl *gsasl;
	unsigned char secret[USERS_SECRET_BYTES];
};

struct scram_exchange {
	struct scram *scram;
	Gsasl_session *session;
	char *said; /* libgsasl's: the last thing it wanted said */
	bool known;
	char login[LIST_KEY_MAX + 1];
	struct user user;
};

/* What reaches libgsasl is text of a reasonable length: no controls, no NUL, and UTF-8. */
static bool is_sane(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] < ' ' || t.p[i] == 0x7f)
			return false;
	}
	return t.n > 0 && t.n <= MESSAGE_MAX && utf8_is_valid(t);
}

static int give(Gsasl_session *session, Gsasl_property p, const void *bytes, size_t n)
{
	char shown[64];
	struct buf b = buf_over(shown, sizeof(shown));

	base64_put(&b, text_make(bytes, n));
	return gsasl_property_set_raw(session, p, b.p, b.n);
}

/* What libgsasl asks for.  Channel binding isn't offered. */
static int on_property(Gsasl *gsasl, Gsasl_session *session, Gsasl_property p)
{
	const struct scram_exchange *x = gsasl_session_hook_get(session);
	const struct scram_verifier *v = &x->user.scram;
	char number[16];
	struct buf b = buf_over(number, sizeof(number));

	(void)gsasl;
	switch (p) {
	case GSASL_SCRAM_ITER:
		buf_printf(&b, "%u", v->iterations);
		return gsasl_property_set_raw(session, p, b.p, b.n);
	case GSASL_SCRAM_SALT:
		return give(session, p, v->salt, sizeof(v->salt));
	case GSASL_SCRAM_SERVERKEY:
		return give(session, p, v->server_key, sizeof(v->server_key));
	case GSASL_SCRAM_STOREDKEY:
		return give(session, p, v->stored_key, sizeof(v->stored_key));
	default:
		return GSASL_NO_CALLBACK;
	}
}

struct scram *scram_open(const unsigned char secret[USERS_SECRET_BYTES])
{
	struct scram *s = calloc(1, sizeof(*s));

	if (!s || gsasl_init(&s->gsasl) != GSASL_OK) {
		free(s);
		return NULL;
	}
	memcpy(s->secret, secret, sizeof(s->secret));
	gsasl_callback_set(s->gsasl, on_property);
	if (gsasl_server_support_p(s->gsasl, "SCRAM-SHA-256"))
		return s;
	scram_close(s);
	return NULL;
}

void scram_close(struct scram *s)
{
	gsasl_done(s->gsasl);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

static void digest(const struct scram *s, const char *what, const char *login,
		   unsigned char out[SCRAM_KEY_BYTES])
{
	char text[LIST_KEY_MAX + 16];
	struct buf b = buf_over(text, sizeof(text));

	buf_printf(&b, "%s:%s", what, login);
	HMAC(EVP_sha256(), s->secret, sizeof(s->secret), (const unsigned char *)b.p, b.n, out,
	     NULL);
}

/* The verifier of somebody who isn't there: no password fits it. */
static void invent(const struct scram *s, struct scram_exchange *x)
{
	struct scram_verifier *v = &x->user.scram;
	unsigned char salt[SCRAM_KEY_BYTES];

	digest(s, "salt", x->login, salt);
	memcpy(v->salt, salt, sizeof(v->salt));
	digest(s, "stored", x->login, v->stored_key);
	digest(s, "server", x->login, v->server_key);
	v->iterations = SCRAM_ITERATIONS;
}

static struct text said(const struct scram_exchange *x, size_t n)
{
	return n > 0 ? text_make(x->said, n) : LIT("");
}

/* The name is read without the store: which reads it only once it is in a form that may be there.
 */
static bool name_of(struct text first, struct scram_exchange *x)
{
	/* gs2-header: cbind-flag "," [authzid] "," and then "n=" name "," */
	struct text flag, authzid, rest, name, after;
	char plain[LIST_KEY_MAX + 1], unused[128];
	struct buf b = buf_over(plain, sizeof(plain)), err = buf_over(unused, sizeof(unused));

	if (!text_split(first, ',', &flag, &rest) || !text_split(rest, ',', &authzid, &rest) ||
	    !text_split(rest, ',', &name, &after) || !text_istarts(name, LIT("n=")))
		return false;
	/* Channel binding isn't offered, and who wants it must not log in without (RFC 5802 6);
	 * libgsasl would go on. */
	if (!text_eq(flag, LIT("n")) && !text_eq(flag, LIT("y")))
		return false;
	for (size_t i = 2; i < name.n; i++) {
		const struct text t = text_make(name.p + i, name.n - i);

		if (t.p[0] != '=') {
			buf_char(&b, t.p[0]);
			continue;
		}
		if (!text_istarts(t, LIT("=2C")) && !text_istarts(t, LIT("=3D")))
			return false;
		buf_char(&b, t.p[1] == '2' ? ',' : '=');
		i += 2;
	}
	if (b.cut || !list_key_normalize(LIST_LOGIN, buf_view(&b), x->login, &err))
		x->login[0] = '\0'; /* nobody's name */
	/* One may act for oneself only. */
	return authzid.n == 0 || (text_istarts(authzid, LIT("a=")) &&
				  text_ieq(text_make(authzid.p + 2, authzid.n - 2),
					   text_make(name.p + 2, name.n - 2)));
}

static struct auth_reply just(enum auth_verdict v, const struct scram_exchange *x)
{
	return (struct auth_reply){.verdict = v, .login = x ? text_of(x->login) : LIT("")};
}

static enum auth_verdict verdict_of(int rc)
{
	switch (rc) {
	case GSASL_OK:
		return AUTH_YES;
	case GSASL_NEEDS_MORE:
		return AUTH_CHALLENGE;
	case GSASL_AUTHENTICATION_ERROR:
		return AUTH_NO;
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
		return AUTH_CANT;
	default:
		return AUTH_MALFORMED;
	}
}

static int step(struct scram_exchange *x, struct text in, size_t *n)
{
	free(x->said);
	x->said = NULL;
	*n = 0;
	return gsasl_step(x->session, in.p, in.n, &x->said, n);
}

/* Finds the user and has libgsasl read the message and answer it. */
static struct auth_reply start(struct scram_exchange *x, struct text first, scram_find_fn *find,
			       void *self)
{
	size_t n;
	const int found = x->login[0] ? find(self, text_of(x->login), &x->user) : MDB_NOTFOUND;

	if (found != 0 && found != MDB_NOTFOUND)
		return just(AUTH_CANT, x);
	x->known = found == 0;
	if (!x->known)
		invent(x->scram, x);
	if (gsasl_server_start(x->scram->gsasl, "SCRAM-SHA-256", &x->session) != GSASL_OK)
		return just(AUTH_CANT, x);
	gsasl_session_hook_set(x->session, x);

	const enum auth_verdict v = verdict_of(step(x, first, &n));
	/* A first message shows nothing that could be judged. */
	struct auth_reply r = just(v == AUTH_CHALLENGE || v == AUTH_CANT ? v : AUTH_MALFORMED, x);

	r.data = said(x, n);
	return r;
}

struct auth_reply scram_begin(struct scram *s, struct text first, scram_find_fn *find, void *self,
			      struct scram_exchange **out)
{
	struct scram_exchange *x;
	struct auth_reply r;

	*out = NULL;
	if (!is_sane(first))
		return just(AUTH_MALFORMED, NULL);
	x = calloc(1, sizeof(*x));
	if (!x)
		return just(AUTH_CANT, NULL);
	x->scram = s;
	r = name_of(first, x) ? start(x, first, find, self) : just(AUTH_MALFORMED, NULL);
	if (r.verdict == AUTH_CHALLENGE) {
		*out = x;
		return r;
	}
	scram_end(x);
	return just(r.verdict, NULL);
}

struct auth_reply scram_finish(struct scram_exchange *x, struct text second)
{
	struct auth_reply r = just(AUTH_MALFORMED, x);
	size_t n;

	if (!is_sane(second))
		return r;
	r.verdict = verdict_of(step(x, second, &n));
	if (r.verdict == AUTH_CHALLENGE)
		r.verdict = AUTH_MALFORMED;
	if (r.verdict != AUTH_YES)
		return r;
	/* No password fits an invented verifier; were it otherwise, it would let nobody in. */
	if (!x->known)
		return just(AUTH_NO, x);
	r.senders = text_of(x->user.senders);
	r.data = said(x, n);
	return r;
}

void scram_end(struct scram_exchange *x)
{
	if (x->session)
		gsasl_finish(x->session);
	free(x->said);
	explicit_bzero(x, sizeof(*x));
	free(x);
}
