/* Hashes of passwords. */
#include "shm/password.h"

#include <crypt.h>
#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/random.h>

_Static_assert(SCRAM_KEY_BYTES == SHA256_DIGEST_LENGTH, "SCRAM-SHA-256");
_Static_assert(PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "crypt takes it");

static bool is_printable_ascii(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < ' ' || t.p[i] > '~')
			return false;
	}
	return true;
}

bool password_prepare(struct text password, char out[PASSWORD_MAX + 1])
{
	char *normal = NULL;

	if (password.n == 0 || password.n > PASSWORD_MAX || memchr(password.p, '\0', password.n))
		return false;
	text_cstr(password, out, PASSWORD_MAX + 1);
	if (is_printable_ascii(password) ||
	    gsasl_saslprep(out, GSASL_ALLOW_UNASSIGNED, &normal, NULL) != GSASL_OK)
		return true;
	const size_t n = strlen(normal);
	const bool fits = n > 0 && n <= PASSWORD_MAX;

	if (fits)
		memcpy(out, normal, n + 1);
	OPENSSL_cleanse(normal, n);
	free(normal);
	return fits;
}

/* crypt(3)'s room is 32 KiB, and what stood in it is a password's. */
static bool run_crypt(const char *prepared, const char *setting, char out[USER_HASH_MAX + 1])
{
	struct crypt_data *room = calloc(1, sizeof(*room));
	const char *hash = room ? crypt_r(prepared, setting, room) : NULL;
	const size_t n = hash && hash[0] != '*' ? strlen(hash) : 0;
	const bool good = n > 0 && n <= USER_HASH_MAX;

	if (good)
		memcpy(out, hash, n + 1);
	if (room)
		OPENSSL_cleanse(room, sizeof(*room));
	free(room);
	return good;
}

bool password_hash(const char *prepared, char out[USER_HASH_MAX + 1])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	return crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) &&
	       run_crypt(prepared, setting, out);
}

bool password_matches(const char *prepared, const char *hash, bool *broken)
{
	char now[USER_HASH_MAX + 1];

	*broken = !run_crypt(prepared, hash, now);
	if (*broken)
		return false;
	const size_t n = strlen(now);

	return n == strlen(hash) && CRYPTO_memcmp(now, hash, n) == 0;
}

static void hmac(const unsigned char *key, const char *text, unsigned char out[SCRAM_KEY_BYTES])
{
	HMAC(EVP_sha256(), key, SCRAM_KEY_BYTES, (const unsigned char *)text, strlen(text), out,
	     NULL);
}

/* RFC 5802 3: what follows from the salted password. */
bool password_scram(const char *prepared, struct scram_verifier *out)
{
	unsigned char salted[SCRAM_KEY_BYTES], client[SCRAM_KEY_BYTES];

	out->iterations = SCRAM_ITERATIONS;
	if (getrandom(out->salt, sizeof(out->salt), 0) != (ssize_t)sizeof(out->salt) ||
	    PKCS5_PBKDF2_HMAC(prepared, (int)strlen(prepared), out->salt, sizeof(out->salt),
			      (int)out->iterations, EVP_sha256(), sizeof(salted), salted) != 1)
		return false;
	hmac(salted, "Client Key", client);
	SHA256(client, sizeof(client), out->stored_key);
	hmac(salted, "Server Key", out->server_key);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
	return true;
}
