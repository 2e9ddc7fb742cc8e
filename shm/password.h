/* What is kept of a password, and what tells whether it was given: a hash by yescrypt (libxcrypt),
 * and the verifier of SCRAM-SHA-256. */
#ifndef SHM_PASSWORD_H
#define SHM_PASSWORD_H

#include "shm/users.h"

/* The longest password: what crypt(3) takes. */
#define PASSWORD_MAX 511

/* RFC 7677 asks for 4096 at least. */
#define SCRAM_ITERATIONS 10000

/* A password as it is hashed: SASLprep (RFC 4013), which changes nothing of one in printable ASCII.
 * What can't be prepared (bytes that are no UTF-8) stays as it is.  False: it is empty, too long,
 * or has a NUL. */
bool password_prepare(struct text password, char out[PASSWORD_MAX + 1]);

/* `prepared` is what password_prepare() made.  False: the system has no such hash, or no random
 * bytes. */
bool password_hash(const char *prepared, char out[USER_HASH_MAX + 1]);
bool password_scram(const char *prepared, struct scram_verifier *out);

/* Takes some ten milliseconds and 16 MiB; any thread.  False also where it can't be computed: then
 * *broken is set. */
bool password_matches(const char *prepared, const char *hash, bool *broken);

#endif
