/* RSA keys in DER: as SubjectPublicKeyInfo (RFC 5280), which everybody publishes, or as the bare
 * RSAPublicKey (RFC 8017) that RFC 6376 3.6.1 names.
 *
 * OpenSSL reads them, too, but takes five times as long for it as for a signature. */
#ifndef WORKER_INSPECT_RSA_KEY_H
#define WORKER_INSPECT_RSA_KEY_H

#include "shm/base/arena.h"

/* *whole: a SubjectPublicKeyInfo, a view of der or in the arena.  False: it is neither. */
bool rsa_key_read(struct text der, struct arena *a, struct text *whole, unsigned *bits);

#endif
