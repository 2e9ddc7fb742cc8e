/* Session tickets under the keys in shared memory (shm/tickets.h).  tls_server.c's own. */
#ifndef WORKER_IO_TLS_TICKETS_H
#define WORKER_IO_TLS_TICKETS_H

#include "shm/tickets.h"

#include <openssl/ssl.h>

/* Must not move: contexts point to it. */
struct tls_tickets {
	const struct ticket_keys *keys;
	EVP_CIPHER *cipher; /* fetched once: looking it up takes longer than using it */
};

bool tls_tickets_init(struct tls_tickets *t, const struct ticket_keys *keys);
void tls_tickets_free(struct tls_tickets *t);
void tls_tickets_use(struct tls_tickets *t, SSL_CTX *ctx);

#endif
