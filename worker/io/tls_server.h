/* What a server shows of itself in TLS: a context for each name, with one pair of certificate and
 * key or several of different types (ECDSA beside RSA), chosen by SNI. */
#ifndef WORKER_IO_TLS_SERVER_H
#define WORKER_IO_TLS_SERVER_H

#include "shm/base/pair.h"
#include "shm/tickets.h"
#include "worker/io/tls.h"

struct tls_server;

/* Sessions resume by tickets under these keys (shared memory; they outlive the server) for
 * `ticket_life_s`.  NULL: no memory. */
struct tls_server *tls_server_new(const struct ticket_keys *keys, int64_t ticket_life_s);
void tls_server_free(struct tls_server *t);

/* Adds a name with its pairs (which stay the caller's); it answers to the DNS names of its
 * certificates too, where no other has them already.  The first that is added is the default, for
 * who names nothing or nobody.  False: no memory, or OpenSSL refuses a pair. */
bool tls_server_add(struct tls_server *t, struct text name, const struct pair *pairs, size_t n);

/* The handshake of a server; yields.  As tls_handshake(). */
enum conn_result tls_accept(struct tls_server *t, struct conn *c, int64_t deadline_us,
			    struct tls_facts *facts);

#endif
