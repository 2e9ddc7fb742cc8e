/* The TLS transport and its handshake. */
#include "worker/io/tls.h"

#include "worker/io/task.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

/* TLS 1.2 with forward secrecy and AEAD ("intermediate").  Without DHE, which that profile still
 * has: every client that could do nothing else is long gone, and its key exchange costs a server a
 * hundred times what it costs an attacker. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
			      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
			      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* Small pieces of one write are put together up to a record. */
#define RECORD_BYTES 16384
/* More than this from the socket for one call that gives nothing is a flood of records that carry
 * no data (key updates, for one), which OpenSSL would go on reading without end. */
#define BUDGET_BYTES (128 * 1024)

struct tls_link {
	SSL *ssl;
	size_t budget; /* bytes that the present call may still read */
	bool broken;   /* nothing may be written any more, not even good-bye */
};

/* ---- The BIO */

static int bio_read(BIO *b, char *p, int n)
{
	struct conn *c = BIO_get_data(b);
	struct tls_link *link = c->transport_state;
	ssize_t got;

	BIO_clear_retry_flags(b);
	if (!c->watch.readable) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (link->budget < (size_t)n) {
		errno = EPROTO;
		return -1;
	}
	do
		got = recv(c->watch.fd, p, (size_t)n, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		link->budget -= (size_t)got;
	if (got >= 0 && got < n)
		watch_short_read(&c->watch);
	if (got == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(b);
	return (int)got;
}

/* More follows at once: the greeting behind a ticket (which nobody waits for), or the end. */
static bool more_follows(const struct conn *c)
{
	const struct tls_link *link = c->transport_state;

	return c->parting || SSL_get_state(link->ssl) == TLS_ST_SW_SESSION_TICKET;
}

static int bio_write(BIO *b, const char *p, int n)
{
	const struct conn *c = BIO_get_data(b);
	const int flags = MSG_NOSIGNAL | (more_follows(c) ? MSG_MORE : 0);
	ssize_t sent;

	BIO_clear_retry_flags(b);
	do
		sent = send(c->watch.fd, p, (size_t)n, flags);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(b);
	return (int)sent;
}

static long bio_ctrl(BIO *b, int command, long n, void *p)
{
	(void)n;
	(void)p;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

/* Made once and kept: every connection of the process uses it. */
static const BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *method;

	if (method)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatepost connection");
	if (method) {
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
		BIO_meth_set_create(method, bio_create);
	}
	return method;
}

/* ---- The transport */

/* Before each call: OpenSSL judges its result by what stands in the error queue. */
static struct tls_link *begin(const struct conn *c)
{
	struct tls_link *link = c->transport_state;

	ERR_clear_error();
	errno = 0;
	link->budget = BUDGET_BYTES;
	return link;
}

/* What a call that gave nothing asks for: a conn_want, or 0 for the end of the file. */
static int outcome(struct conn *c, struct tls_link *link, int result)
{
	const int saved = errno;

	switch (SSL_get_error(link->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return CONN_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return CONN_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		c->error = saved ? saved : ECONNRESET;
		break;
	default:
		c->error = EPROTO;
		break;
	}
	link->broken = true;
	return CONN_BROKEN;
}

static ssize_t tls_read(struct conn *c, void *p, size_t n)
{
	struct tls_link *link = begin(c);
	size_t got;
	const int r = SSL_read_ex(link->ssl, p, n, &got);

	return r == 1 ? (ssize_t)got : outcome(c, link, r);
}

/* The first bytes of the iov, as few records as can be: nothing yields here, so one buffer serves
 * all.  A call that has to be repeated finds the same bytes in it. */
static struct iovec gather(const struct iovec *iov, int n)
{
	static char block[RECORD_BYTES];
	size_t used = 0;

	if (n == 1 || iov[0].iov_len >= sizeof(block))
		return iov[0];
	for (int i = 0; i < n && used < sizeof(block); i++) {
		size_t take = iov[i].iov_len;

		if (take > sizeof(block) - used)
			take = sizeof(block) - used;
		memcpy(block + used, iov[i].iov_base, take);
		used += take;
	}
	return (struct iovec){block, used};
}

static ssize_t tls_writev(struct conn *c, const struct iovec *iov, int n)
{
	struct tls_link *link = begin(c);
	const struct iovec bytes = gather(iov, n);
	size_t sent;
	const int r = SSL_write_ex(link->ssl, bytes.iov_base, bytes.iov_len, &sent);

	if (r == 1)
		return (ssize_t)sent;
	const int want = outcome(c, link, r);

	if (want != 0)
		return want;
	c->error = EPIPE;
	return CONN_BROKEN;
}

static bool tls_pending(struct conn *c)
{
	const struct tls_link *link = c->transport_state;

	return SSL_has_pending(link->ssl) == 1;
}

static int tls_shutdown(struct conn *c)
{
	struct tls_link *link = begin(c);

	if (!link->broken && !SSL_in_init(link->ssl)) {
		const int r = SSL_shutdown(link->ssl);

		if (r < 0 && SSL_get_error(link->ssl, r) == SSL_ERROR_WANT_WRITE)
			return CONN_WANT_WRITE;
	}
	if (shutdown(c->watch.fd, SHUT_WR) == 0)
		return 0;
	c->error = errno;
	return CONN_BROKEN;
}

/* Who closes at once says good-bye as far as the socket takes it.  (And OpenSSL holds a session for
 * broken, never to be resumed, whose end has not been said.) */
static void tls_free(struct conn *c)
{
	struct tls_link *link = begin(c);

	if (!link->broken && !SSL_in_init(link->ssl) &&
	    !(SSL_get_shutdown(link->ssl) & SSL_SENT_SHUTDOWN))
		SSL_shutdown(link->ssl);
	ERR_clear_error();
	SSL_free(link->ssl);
	free(link);
	c->transport_state = NULL;
}

static const struct conn_transport transport_tls = {
    .read = tls_read,
    .writev = tls_writev,
    .pending = tls_pending,
    .shutdown = tls_shutdown,
    .free = tls_free,
};

bool tls_is_on(const struct conn *c)
{
	return c->transport == &transport_tls;
}

/* ---- The handshake */

static bool attach(struct conn *c, SSL *ssl)
{
	const BIO_METHOD *method = bio_method();
	struct tls_link *link = malloc(sizeof(*link));
	BIO *bio = method ? BIO_new(method) : NULL;

	if (!ssl || !link || !bio) {
		SSL_free(ssl);
		BIO_free(bio);
		free(link);
		return false;
	}
	*link = (struct tls_link){.ssl = ssl};
	BIO_set_data(bio, c);
	SSL_set_bio(ssl, bio, bio);
	conn_set_transport(c, &transport_tls, link);
	return true;
}

static const char *failure_of(const struct conn *c)
{
	const struct tls_link *link = c->transport_state;
	const long verified = SSL_get_verify_result(link->ssl);
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	if (reason)
		return reason;
	return c->error ? strerrordesc_np(c->error) : "the peer hung up";
}

/* One step: CONN_OK when it is done, else what it waits for. */
static enum conn_result step(struct conn *c, int *want)
{
	struct tls_link *link = begin(c);
	const int r = SSL_do_handshake(link->ssl);

	if (r == 1)
		return CONN_OK;
	*want = outcome(c, link, r);
	if (*want == CONN_WANT_READ)
		watch_spent_readable(&c->watch);
	else if (*want == CONN_WANT_WRITE)
		watch_spent_writable(&c->watch);
	else
		return *want == 0 ? CONN_EOF : CONN_ERROR;
	return CONN_TIMEOUT; /* not yet */
}

static enum conn_result converse(struct conn *c, int64_t deadline_us)
{
	enum conn_result r;
	int want;

	while ((r = step(c, &want)) == CONN_TIMEOUT) {
		/* Bytes that trickle in don't move the deadline. */
		if (deadline_us <= loop_now_us(c->watch.loop))
			return CONN_TIMEOUT;
		r = conn_wait(c, (enum conn_want)want, deadline_us);
		if (r != CONN_OK)
			return r;
	}
	return r;
}

enum conn_result tls_handshake(struct conn *c, SSL *ssl, int64_t deadline_us,
			       struct tls_facts *facts)
{
	*facts = (struct tls_facts){0};
	if (!attach(c, ssl)) {
		facts->failure = "no memory";
		return CONN_NO_MEMORY;
	}
	const enum conn_result r = converse(c, deadline_us);

	if (r == CONN_OK) {
		facts->version = SSL_get_version(ssl);
		facts->cipher = SSL_get_cipher_name(ssl);
		facts->resumed = SSL_session_reused(ssl);
	} else {
		((struct tls_link *)c->transport_state)->broken = true;
		facts->failure = r == CONN_ERROR ? failure_of(c) : conn_result_text(c, r);
	}
	ERR_clear_error();
	return r;
}

bool tls_context_init(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* The chain is what stands in its file: it isn't looked for anew in each handshake. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(ctx, 1);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, ciphers) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1;
}
