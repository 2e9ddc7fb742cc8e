/* The client's side of TLS. */
#include "worker/io/tls_client.h"

#include "shm/base/ip.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* Where nobody is to be verified, no chain is built. */
static int anybody(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

/* With TLS 1.3 it comes with the first bytes after the handshake, in any number.  1: we keep it. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_peer *p = SSL_get_app_data(ssl);

	tls_peer_forget(p);
	p->session = session;
	return 1;
}

static bool set_up(SSL_CTX *ctx, const struct tls_client_options *o)
{
	if (!tls_context_init(ctx) || (o->pair && !pair_use(o->pair, ctx)))
		return false;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if (!o->verify) {
		SSL_CTX_set_cert_verify_callback(ctx, anybody, NULL);
		return true;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return pair_trust(o->authorities, SSL_CTX_get_cert_store(ctx));
}

SSL_CTX *tls_client_new(const struct tls_client_options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx && set_up(ctx, o))
		return ctx;
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return NULL;
}

void tls_peer_forget(struct tls_peer *p)
{
	SSL_SESSION_free(p->session);
	p->session = NULL;
}

/* A name is also told to the server, which may have several certificates; an address is not (RFC
 * 6066 3). */
static bool set_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);

	/* Without a name anybody whom an authority knows would do. */
	if (!name[0])
		return SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE;
	if (ip_parse(text_of(name), NULL))
		return X509_VERIFY_PARAM_set1_ip_asc(wanted, name) == 1;
	X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(wanted, name, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

enum conn_result tls_connect(SSL_CTX *ctx, struct tls_peer *p, struct conn *c, int64_t deadline_us,
			     struct tls_facts *facts)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl && !set_name(ssl, p->name)) {
		SSL_free(ssl);
		ssl = NULL;
	}
	if (ssl) {
		SSL_set_app_data(ssl, p);
		SSL_set_connect_state(ssl);
		if (p->session)
			SSL_set_session(ssl, p->session);
	}
	return tls_handshake(c, ssl, deadline_us, facts);
}
