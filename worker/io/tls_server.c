/* The contexts of a server, and what its handshakes decide: which certificate, which protocol. */
#include "worker/io/tls_server.h"

#include "worker/io/tls_tickets.h"

#include <openssl/err.h>
#include <stdlib.h>

struct name {
	struct text text; /* in lower case; "*.example.net" as it stands */
	SSL_CTX *ctx;
};

struct tls_server {
	struct tls_tickets tickets;
	int64_t ticket_life_s;
	SSL_CTX **contexts;
	size_t context_count;
	struct name *names; /* sorted */
	size_t name_count;
	bool failed; /* a name found no memory */
};

/* ---- Names */

static int compare(struct text a, struct text b)
{
	const int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

/* Where the name stands, or would. */
static size_t place_of(const struct tls_server *t, struct text name)
{
	size_t low = 0, high = t->name_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare(t->names[middle].text, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static SSL_CTX *find_exactly(const struct tls_server *t, struct text name)
{
	const size_t i = place_of(t, name);

	return i < t->name_count && text_eq(t->names[i].text, name) ? t->names[i].ctx : NULL;
}

/* The name itself, or "*." and what stands behind its first label. */
static SSL_CTX *find(const struct tls_server *t, struct text name)
{
	char pattern[258] = "*";
	const size_t dot = text_find(name, '.');
	SSL_CTX *ctx = find_exactly(t, name);

	if (ctx || dot == 0 || dot == name.n || name.n - dot > sizeof(pattern) - 1)
		return ctx;
	memcpy(pattern + 1, name.p + dot, name.n - dot);
	return find_exactly(t, text_make(pattern, name.n - dot + 1));
}

/* What a client asks for; it may have any byte but NUL in it, and any case. */
static SSL_CTX *find_asked(const struct tls_server *t, const char *asked)
{
	char lower[256];
	struct text name = text_of(asked);

	if (name.n == 0 || name.n > sizeof(lower))
		return NULL;
	text_lower(name, lower);
	name.p = lower;
	return name.p[0] == '*' ? NULL : find(t, name);
}

struct adding {
	struct tls_server *server;
	SSL_CTX *ctx;
};

static void add_name(void *arg, struct text name)
{
	const struct adding *a = arg;
	struct tls_server *t = a->server;
	const size_t at = place_of(t, name);
	struct name *v;
	char *copy;

	if (at < t->name_count && text_eq(t->names[at].text, name))
		return;
	v = reallocarray(t->names, t->name_count + 1, sizeof(*v));
	if (v)
		t->names = v;
	copy = v ? malloc(name.n + 1) : NULL;
	if (!copy) {
		t->failed = true;
		return;
	}
	memcpy(copy, name.p, name.n);
	memmove(&v[at + 1], &v[at], (t->name_count - at) * sizeof(*v));
	v[at] = (struct name){{copy, name.n}, a->ctx};
	t->name_count++;
}

/* ---- What OpenSSL asks during a handshake */

/* A name that is nobody's gets the default, whoever that is: never another customer's. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *t = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = asked ? find_asked(t, asked) : NULL;

	(void)alert;
	if (!ctx)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* A client that means another protocol is not to be answered in this one (ALPACA). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
		   const unsigned char *offered, unsigned int n, void *arg)
{
	static const unsigned char smtp[] = {4, 's', 'm', 't', 'p'};
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_length, smtp, sizeof(smtp), offered, n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- Contexts */

static SSL_CTX *new_context(struct tls_server *t, const struct pair *pairs, size_t n)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	bool good = ctx && tls_context_init(ctx);

	for (size_t i = 0; good && i < n; i++)
		good = pair_use(&pairs[i], ctx);
	if (!good) {
		SSL_CTX_free(ctx);
		ERR_clear_error();
		return NULL;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, (long)t->ticket_life_s);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"gatepost", 8);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, t);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	tls_tickets_use(&t->tickets, ctx);
	return ctx;
}

struct tls_server *tls_server_new(const struct ticket_keys *keys, int64_t ticket_life_s)
{
	struct tls_server *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ticket_life_s = ticket_life_s;
	if (tls_tickets_init(&t->tickets, keys))
		return t;
	free(t);
	return NULL;
}

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->context_count; i++)
		SSL_CTX_free(t->contexts[i]);
	for (size_t i = 0; i < t->name_count; i++)
		free((char *)t->names[i].text.p);
	tls_tickets_free(&t->tickets);
	free(t->contexts);
	free(t->names);
	free(t);
}

bool tls_server_add(struct tls_server *t, struct text name, const struct pair *pairs, size_t n)
{
	SSL_CTX **v = reallocarray(t->contexts, t->context_count + 1, sizeof(SSL_CTX *));
	char lower[256];

	if (!v)
		return false;
	t->contexts = v;
	struct adding a = {t, new_context(t, pairs, n)};

	if (!a.ctx)
		return false;
	t->contexts[t->context_count++] = a.ctx;
	if (name.n > 0 && name.n <= sizeof(lower)) {
		text_lower(name, lower);
		add_name(&a, text_make(lower, name.n));
	}
	for (size_t i = 0; i < n; i++)
		pair_names(&pairs[i], add_name, &a);
	return !t->failed;
}

enum conn_result tls_accept(struct tls_server *t, struct conn *c, int64_t deadline_us,
			    struct tls_facts *facts)
{
	SSL *ssl = SSL_new(t->contexts[0]);

	if (ssl)
		SSL_set_accept_state(ssl);
	return tls_handshake(c, ssl, deadline_us, facts);
}
