/* TLS towards a server: a context for all that are trusted alike, and what is kept of each server,
 * so that its next connection resumes the session of the last one. */
#ifndef WORKER_IO_TLS_CLIENT_H
#define WORKER_IO_TLS_CLIENT_H

#include "shm/base/pair.h"
#include "worker/io/tls.h"

struct tls_client_options {
	bool verify;             /* the server's certificate has to be good and to have its name */
	struct text authorities; /* PEM: whom we trust, then */
	const struct pair *pair; /* ours, for servers that ask; NULL: none.  Stays the caller's */
};

/* NULL: no memory, or OpenSSL refuses something.  Free it by SSL_CTX_free(). */
SSL_CTX *tls_client_new(const struct tls_client_options *o);

/* A server.  Must not move, and must outlive its connections. */
struct tls_peer {
	char name[256];       /* what it is asked for, and what its certificate must say */
	SSL_SESSION *session; /* the newest; NULL: none */
};
void tls_peer_forget(struct tls_peer *p);

/* The handshake of a client; yields.  As tls_handshake(). */
enum conn_result tls_connect(SSL_CTX *ctx, struct tls_peer *p, struct conn *c, int64_t deadline_us,
			     struct tls_facts *facts);

#endif
