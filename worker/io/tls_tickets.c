/* Sealing and opening session tickets. */
#include "worker/io/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

static bool set_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac,
					      sizeof(key->mac)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 0: no ticket is made, the handshake goes on. */
static int seal(const struct tls_tickets *t, unsigned char *name, unsigned char *iv,
		EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct ticket_key *key = tickets_newest(t->keys);

	if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(t->cipher)) != 1)
		return 0;
	memcpy(name, key->name, sizeof(key->name));
	return set_mac(mac, key) && EVP_EncryptInit_ex(cipher, t->cipher, NULL, key->cipher, iv)
		   ? 1
		   : -1;
}

/* 0: a full handshake; 2: resumed, and the client gets a new ticket: under the newest key, or
 * because with TLS 1.3 a ticket is used once (RFC 8446 C.4), and clients keep none that they have
 * used. */
static int unseal(SSL *ssl, const struct tls_tickets *t, const unsigned char *name,
		  const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	bool renew = false;
	const struct ticket_key *key = tickets_find(t->keys, name, &renew);

	if (!key)
		return 0;
	if (!set_mac(mac, key) || !EVP_DecryptInit_ex(cipher, t->cipher, NULL, key->cipher, iv))
		return -1;
	return renew || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int sealing)
{
	const struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return sealing ? seal(t, name, iv, cipher, mac) : unseal(ssl, t, name, iv, cipher, mac);
}

bool tls_tickets_init(struct tls_tickets *t, const struct ticket_keys *keys)
{
	t->keys = keys;
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	return t->cipher != NULL;
}

void tls_tickets_free(struct tls_tickets *t)
{
	EVP_CIPHER_free(t->cipher);
}

void tls_tickets_use(struct tls_tickets *t, SSL_CTX *ctx)
{
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
