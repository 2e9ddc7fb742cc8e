/* A key record (RFC 6376 3.6.1, RFC 8301, RFC 8463), in the inspector: is it one, may it be used
 * for the signature, and what is the key?
 *
 * The library gets it in one form only, made anew from what was understood here. */
#ifndef WORKER_INSPECT_DKIM_KEY_H
#define WORKER_INSPECT_DKIM_KEY_H

#include "policy/dkim_field.h"
#include "worker/inspect/question.h"

enum {
	DKIM_KEY_RECORD_MAX = 4096, /* as it comes: longer ones have killed verifiers */
	DKIM_KEY_PUT_MAX = 1024,    /* as the library has room for: some 5,900 bits of RSA */
};

struct dkim_key {
	unsigned bits; /* 0: not known */
	bool testing;
	char record[DKIM_KEY_PUT_MAX + 1]; /* for the library */
};

/* NONE: there it is. */
enum dkim_reason dkim_key_read(const struct known_answer *a, const struct dkim_field *f,
			       struct arena *arena, struct dkim_key *out);

#endif
