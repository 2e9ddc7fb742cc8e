/* What a handshake takes of a server's CPU in OpenSSL alone: both sides in one process, a pair of
 * memory BIOs between them, our context, and the greeting and good-bye that the other benchmarks
 * have.  No socket, no session, no policy: less than that no server on this library can take. */
#include "worker/io/tls.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 1500, PIPE_BYTES = 65536 };

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_tls: %s\n", what);
	exit(1);
}

static SSL_CTX *server_context(EVP_PKEY *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	X509 *x = X509_new();

	need(ctx && tls_context_init(ctx) && x && key, "no context");
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"mx1.test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	need(X509_sign(x, key, EVP_sha256()) > 0 && SSL_CTX_use_certificate(ctx, x) == 1 &&
		 SSL_CTX_use_PrivateKey(ctx, key) == 1,
	     "no certificate");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	X509_free(x);
	return ctx;
}

/* The newest ticket that the client was given. */
static SSL_SESSION *ticket;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1;
}

struct pair {
	SSL *client, *server;
	double server_us;
};

static void serve(struct pair *p, const char *greeting)
{
	const double begun = cpu_us();
	char bytes[512];

	if (!SSL_is_init_finished(p->server))
		SSL_do_handshake(p->server);
	else if (greeting)
		SSL_write(p->server, greeting, (int)strlen(greeting));
	else
		SSL_read(p->server, bytes, sizeof(bytes));
	p->server_us += cpu_us() - begun;
}

static void talk(struct pair *p)
{
	char bytes[512];

	for (int i = 0; i < 4 && !SSL_is_init_finished(p->server); i++) {
		SSL_do_handshake(p->client);
		serve(p, NULL);
	}
	need(SSL_is_init_finished(p->server) && SSL_is_init_finished(p->client), "no handshake");
	serve(p, "220 mx1.test ESMTP\r\n");
	need(SSL_read(p->client, bytes, sizeof(bytes)) > 0, "no greeting");
	SSL_write(p->client, "QUIT\r\n", 6);
	serve(p, NULL);
	serve(p, "221 2.0.0 mx1.test closing the connection\r\n");
	SSL_shutdown(p->client);
}

/* One session; returns what it took of the server, in microseconds. */
static double session(SSL_CTX *client, SSL_CTX *server, bool resume)
{
	struct pair p = {.client = SSL_new(client)};
	BIO *of_client, *of_server;
	double begun;

	need(p.client && BIO_new_bio_pair(&of_client, PIPE_BYTES, &of_server, PIPE_BYTES) == 1,
	     "no memory");
	SSL_set_bio(p.client, of_client, of_client);
	SSL_set_connect_state(p.client);
	if (resume && ticket)
		SSL_set_session(p.client, ticket);
	begun = cpu_us();
	p.server = SSL_new(server);
	need(p.server, "no memory");
	SSL_set_bio(p.server, of_server, of_server);
	SSL_set_accept_state(p.server);
	p.server_us = cpu_us() - begun;
	talk(&p);
	need(!resume || SSL_session_reused(p.server), "not resumed");
	begun = cpu_us();
	SSL_shutdown(p.server);
	SSL_free(p.server);
	p.server_us += cpu_us() - begun;
	SSL_free(p.client);
	return p.server_us;
}

static void measure(const char *what, EVP_PKEY *key)
{
	SSL_CTX *server = server_context(key), *client = SSL_CTX_new(TLS_client_method());
	double full = 0, resumed = 0;

	need(client, "no context");
	SSL_CTX_set_session_cache_mode(client,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(client, on_ticket);
	session(client, server, false);
	for (int i = 0; i < ROUNDS; i++) {
		full += session(client, server, false);
		resumed += session(client, server, true);
	}
	printf("%s: full %.1f us, resumed %.1f us\n", what, full / ROUNDS, resumed / ROUNDS);
	SSL_SESSION_free(ticket);
	ticket = NULL;
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	EVP_PKEY_free(key);
}

int main(void)
{
	measure("RSA 2048", EVP_RSA_gen(2048));
	measure("ECDSA P-256", EVP_EC_gen("P-256"));
	return 0;
}
