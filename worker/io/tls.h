/* TLS between a connection and its socket: the handshakes of both sides, and the transport.
 *
 * OpenSSL reads and writes the connection's socket through a BIO of ours, which knows what the
 * connection knows of its readiness: no system call is made to hear EAGAIN.  An idle connection
 * holds no record buffer. */
#ifndef WORKER_IO_TLS_H
#define WORKER_IO_TLS_H

#include "worker/io/conn.h"

#include <openssl/ssl.h>

/* What came of a handshake; the strings are OpenSSL's own and stay. */
struct tls_facts {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
	const char *failure; /* NULL, or why it failed: "no shared cipher" */
	bool resumed;
};

/* Takes the connection over to TLS; yields.  `ssl` is made from a context, as server or client, and
 * belongs to the connection from now on (NULL: there was no memory for it).  What is buffered must
 * have been sent and read before.  On anything but CONN_OK the connection can only be closed. */
enum conn_result tls_handshake(struct conn *c, SSL *ssl, int64_t deadline_us,
			       struct tls_facts *facts);

/* True for a connection that speaks TLS. */
bool tls_is_on(const struct conn *c);

/* What every context of ours has in common: versions, ciphers (the intermediate profile), memory.
 */
bool tls_context_init(SSL_CTX *ctx);

#endif
