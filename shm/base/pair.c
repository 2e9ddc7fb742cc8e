/* Certificates and their keys. */
#include "shm/base/pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

/* A chain of more certificates is a mistake. */
#define CHAIN_MAX 16

/* Nobody is there to be asked for a pass phrase. */
static int no_passphrase(char *dst, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)dst;
	(void)size;
	(void)writing;
	*asked = true;
	return -1;
}

static BIO *open_text(struct text t)
{
	return BIO_new_mem_buf(t.p ? t.p : "", (int)t.n);
}

static const char *read_chain(struct text pem, struct pair *p)
{
	bool asked = false;
	BIO *in = open_text(pem);
	const char *why = NULL;
	X509 *next;

	p->leaf = in ? PEM_read_bio_X509_AUX(in, NULL, no_passphrase, &asked) : NULL;
	p->chain = sk_X509_new_null();
	if (!p->leaf || !p->chain)
		why = "it holds no certificate in PEM form";
	while (!why && (next = PEM_read_bio_X509(in, NULL, no_passphrase, &asked))) {
		if (sk_X509_num(p->chain) >= CHAIN_MAX || !sk_X509_push(p->chain, next)) {
			X509_free(next);
			why = "it holds too many certificates";
		}
	}
	/* After the last one there is none to begin; anything else is a broken one. */
	if (!why && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		why = "one of its certificates is broken";
	ERR_clear_error();
	BIO_free(in);
	return why;
}

static const char *read_key(struct text pem, struct pair *p)
{
	bool asked = false;
	BIO *in = open_text(pem);

	p->key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &asked) : NULL;
	BIO_free(in);
	ERR_clear_error();
	if (p->key)
		return NULL;
	return asked ? "the key is encrypted: nobody is there to be asked for its pass phrase"
		     : "it holds no private key in PEM form";
}

static int64_t time_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

static const char *check_use(const struct pair *p)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const bool usable = ctx && pair_use(p, ctx);

	SSL_CTX_free(ctx);
	return usable ? NULL : "OpenSSL refuses it; its key may be too small, or of an odd kind";
}

bool pair_parse(struct text chain, struct text key, struct pair *out, const char **why)
{
	*out = (struct pair){0};
	ERR_clear_error();
	*why = read_chain(chain, out);
	if (!*why)
		*why = read_key(key, out);
	if (!*why && !X509_check_private_key(out->leaf, out->key))
		*why = "the key does not belong to the certificate";
	if (!*why)
		*why = check_use(out);
	ERR_clear_error();
	if (*why) {
		pair_free(out);
		return false;
	}
	out->not_before_s = time_of(X509_get0_notBefore(out->leaf));
	out->not_after_s = time_of(X509_get0_notAfter(out->leaf));
	return true;
}

void pair_free(struct pair *p)
{
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	*p = (struct pair){0};
}

bool pair_use(const struct pair *p, SSL_CTX *ctx)
{
	const bool good = SSL_CTX_use_cert_and_key(ctx, p->leaf, p->key, p->chain, 1) == 1;

	ERR_clear_error();
	return good;
}

static bool name_is_plain(struct text name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	return name.n > 0 && name.n < 256;
}

void pair_names(const struct pair *p, void (*fn)(void *arg, struct text name), void *arg)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(p->leaf, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
		char lower[256];
		struct text name;

		if (n->type != GEN_DNS)
			continue;
		name = text_make((const char *)ASN1_STRING_get0_data(n->d.dNSName),
				 (size_t)ASN1_STRING_length(n->d.dNSName));
		if (!name_is_plain(name))
			continue;
		for (size_t k = 0; k < name.n; k++)
			lower[k] = name.p[k] >= 'A' && name.p[k] <= 'Z' ? (char)(name.p[k] + 32)
									: name.p[k];
		fn(arg, text_make(lower, name.n));
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
}

bool pair_trust(struct text pem, X509_STORE *store)
{
	bool asked = false, good = true;
	BIO *in = open_text(pem);
	size_t found = 0;
	X509 *next;

	ERR_clear_error();
	while (good && in && (next = PEM_read_bio_X509(in, NULL, no_passphrase, &asked))) {
		good = !store || X509_STORE_add_cert(store, next) == 1;
		X509_free(next);
		found++;
	}
	/* After the last one there is none to begin. */
	good = good && found > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(in);
	return good;
}
