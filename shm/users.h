/* Local users, in the environment `users`: who may log in, and what shows that it is them.
 *
 * Only the auth process and the admin tool open it.  A login is held in lower case (users are
 * looked up by list_key_normalize(LIST_LOGIN)); a password never is, but two things made of it: a
 * hash for the mechanisms that show the password, and the verifier of SCRAM-SHA-256 (RFC 5802 3),
 * from which nobody can log in. */
#ifndef SHM_USERS_H
#define SHM_USERS_H

#include "shm/lists.h"

enum {
	USER_HASH_MAX = 255,
	USER_SENDERS_MAX = 4096,
	SCRAM_SALT_BYTES = 16,
	SCRAM_KEY_BYTES = 32,
	USERS_SECRET_BYTES = 32,
};

struct scram_verifier {
	uint32_t iterations;
	unsigned char salt[SCRAM_SALT_BYTES];
	unsigned char stored_key[SCRAM_KEY_BYTES];
	unsigned char server_key[SCRAM_KEY_BYTES];
};

struct user {
	int64_t added_wall_us, changed_wall_us; /* changed: the password */
	char by[LIST_BY_MAX + 1];               /* who changed it last */
	char hash[USER_HASH_MAX + 1];           /* of crypt(3) */
	struct scram_verifier scram;
	/* What else may stand in MAIL FROM: "address" or "@domain", one a line, in lower case. */
	char senders[USER_SENDERS_MAX + 1];
};

/* 0, MDB_NOTFOUND, MDB_CORRUPTED, or another code of LMDB's; the store that can't be read is
 * ENOMEM.  `login` is normalized. */
int users_get(struct store *st, struct text login, struct user *out);
int users_put(struct store *st, struct text login, const struct user *u);
int users_del(struct store *st, struct text login);
/* In the order of the logins; stops when fn returns other than 0, and returns that. */
int users_each(struct store *st, int (*fn)(struct text login, const struct user *u, void *arg),
	       void *arg);

/* The store's own secret, made when it is first asked for: from it comes what is told of users that
 * do not exist, the same each time. */
int users_secret(struct store *st, unsigned char out[USERS_SECRET_BYTES]);

#endif
