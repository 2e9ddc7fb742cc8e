/* A certificate with its chain and its key, from PEM: read, matched, dated.
 *
 * The master reads and checks pairs, so that a broken one never comes into force; workers use them.
 */
#ifndef SHM_BASE_PAIR_H
#define SHM_BASE_PAIR_H

#include "shm/base/text.h"

#include <openssl/ssl.h>

struct pair {
	X509 *leaf;
	STACK_OF(X509) * chain; /* what stands behind the leaf */
	EVP_PKEY *key;
	int64_t not_before_s, not_after_s; /* wall clock, as time(2) */
};

/* From the texts of the two files (which may be the same one).  False: *why says why ("the key does
 * not belong to the certificate"), and there is nothing to free. */
bool pair_parse(struct text chain, struct text key, struct pair *out, const char **why);
void pair_free(struct pair *p);

/* Puts it into a context, beside a pair of another type.  False: OpenSSL refuses it (its key is too
 * small). */
bool pair_use(const struct pair *p, SSL_CTX *ctx);

/* Calls fn for each DNS name of the certificate, in lower case; "*.example.net" as it stands. */
void pair_names(const struct pair *p, void (*fn)(void *arg, struct text name), void *arg);

/* Takes the certificates of a PEM file for authorities (into `store`, which may be NULL: only
 * looks). False: there are none, or one is broken. */
bool pair_trust(struct text pem, X509_STORE *store);

#endif
