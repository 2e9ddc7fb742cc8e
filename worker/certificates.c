/* From certificates and keys to the contexts of a TLS server. */
#include "worker/certificates.h"

#include "shm/base/clock.h"

#include <errno.h>
#include <unistd.h>

/* ECDSA, RSA, and what may come. */
#define PAIRS_MAX 8

/* The master has checked all this; what fails here is memory. */
static bool add(struct tls_server *t, const struct certificate *c)
{
	struct pair pairs[PAIRS_MAX];
	size_t n = 0;
	const char *why;
	bool good = true;

	while (good && n < c->pair_count && n < PAIRS_MAX) {
		good = pair_parse(c->pairs[n].chain, c->pairs[n].key, &pairs[n], &why);
		n += good;
	}
	good = good && tls_server_add(t, c->set.name, pairs, n);
	for (size_t i = 0; i < n; i++)
		pair_free(&pairs[i]);
	return good;
}

bool certificates_read(struct config *c, int keys_fd, struct buf *err)
{
	const bool good = c->pair_count == 0 || config_keys_read(c, keys_fd);

	if (!good)
		buf_printf(err, "cannot read the certificates: %s", strerrordesc_np(errno));
	close(keys_fd);
	return good;
}

bool certificates_open(const struct config *c, const struct segment *seg, struct tls_server **out,
		       struct buf *err)
{
	bool good = true;

	*out = NULL;
	if (c->certificate_count == 0)
		return true;
	*out = tls_server_new(&seg->header->tickets, c->global.ticket_life / SECOND_US);
	for (size_t i = 0; *out && good && i < c->certificate_count; i++)
		good = add(*out, &c->certificates[i]);
	if (*out && good)
		return true;
	tls_server_free(*out);
	*out = NULL;
	buf_text(err, LIT("cannot use the certificates"));
	return false;
}
