/* TLS clients for the benchmark: one thread, one epoll.  Each connects, shakes hands, hears the
 * greeting, says QUIT and ends.
 *
 * usage: load_tls [options] ADDRESS PORT; it prints one line of JSON when it is done.
 *
 * -c N: connections at once;  -m N: handshakes in all;  -R: each but the first on a connection's
 * place resumes the session of the last one;  -S: STARTTLS in place of TLS from the first byte; -2:
 * TLS 1.2;  -g: an ECDHE key of that group;  -H: hold the connections (an EHLO each), print "held
 * N", and end when stdin does;  -t S: give up after S seconds. */
#include "tests/bench/histogram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { PLAIN_GREETING, PLAIN_EHLO, PLAIN_STARTTLS, HANDSHAKE, GREETING, EHLO, QUIT, HELD };

struct client {
	int fd;
	unsigned number; /* of its source address */
	enum state state;
	SSL *ssl;
	SSL_SESSION *session;
	uint64_t since;
	size_t n;
	char in[4096]; /* of the reply that is being read */
};

static struct {
	unsigned connections, total, seconds;
	bool resume, starttls, hold;
	struct sockaddr_in peer;
} opt = {.connections = 1, .total = 1, .seconds = 60};

static struct {
	unsigned started, done, failed, resumed, held, open;
	char first_failure[128];
} sum;

static struct histogram latency;
static SSL_CTX *ctx;
static int epoll;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

static bool client_start(struct client *c)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	const struct sockaddr_in from = {.sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(0x7f010001u + c->number % 250)};
	const int one = 1;

	c->since = now_ns();
	c->n = 0;
	c->state = opt.starttls ? PLAIN_GREETING : HANDSHAKE;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(c->fd, (const struct sockaddr *)&from, sizeof(from)) != 0 ||
	    (connect(c->fd, (const struct sockaddr *)&opt.peer, sizeof(opt.peer)) != 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
		close(c->fd);
		c->fd = -1;
		return false;
	}
	c->ssl = SSL_new(ctx);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_app_data(c->ssl, c);
	SSL_set_connect_state(c->ssl);
	if (opt.resume && c->session)
		SSL_set_session(c->ssl, c->session);
	sum.started++;
	sum.open++;
	return true;
}

static void client_end(struct client *c)
{
	/* Else OpenSSL would not resume its session. */
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	close(c->fd);
	c->fd = -1;
	c->ssl = NULL;
	sum.open--;
	if (!opt.hold && sum.started < opt.total && !client_start(c))
		sum.failed++;
}

static void client_fail(struct client *c, const char *why)
{
	if (sum.failed++ == 0)
		snprintf(sum.first_failure, sizeof(sum.first_failure), "state %d: %s", c->state,
			 why);
	client_end(c);
}

/* Commands fit any socket buffer at once. */
static bool client_say(struct client *c, enum state next, const char *text)
{
	const size_t n = strlen(text);

	c->state = next;
	c->n = 0;
	return next < HANDSHAKE ? send(c->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n
				: SSL_write(c->ssl, text, (int)n) == (int)n;
}

/* A whole reply stands in c->in; false: the connection has ended. */
static bool client_advance(struct client *c)
{
	if (c->in[0] != '2') {
		client_fail(c, "refused");
		return false;
	}
	switch (c->state) {
	case PLAIN_GREETING:
		return client_say(c, PLAIN_EHLO, "EHLO client.test\r\n");
	case PLAIN_EHLO:
		return client_say(c, PLAIN_STARTTLS, "STARTTLS\r\n");
	case PLAIN_STARTTLS:
		c->state = HANDSHAKE;
		return true;
	case GREETING:
		return opt.hold ? client_say(c, EHLO, "EHLO client.test\r\n")
				: client_say(c, QUIT, "QUIT\r\n");
	case EHLO:
		c->state = HELD;
		sum.held++;
		return true;
	default:
		histogram_note(&latency, now_ns() - c->since);
		sum.done++;
		client_end(c);
		return false;
	}
}

static bool reply_is_whole(const struct client *c)
{
	const char *last;

	if (c->n < 4 || c->in[c->n - 1] != '\n')
		return false;
	last = memrchr(c->in, '\n', c->n - 1);
	last = last ? last + 1 : c->in;
	return last + 3 < c->in + c->n && last[3] != '-';
}

/* Reads what there is; false: nothing more for now, or the connection has ended. */
static bool client_read(struct client *c)
{
	const size_t room = sizeof(c->in) - c->n;
	ssize_t n;

	if (c->state < HANDSHAKE) {
		n = recv(c->fd, c->in + c->n, room, 0);
		if (n < 0 && errno == EAGAIN)
			return false;
	} else {
		n = SSL_read(c->ssl, c->in + c->n, (int)room);
		if (n <= 0 && SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ)
			return false;
	}
	if (n <= 0) {
		client_fail(c, "closed");
		return false;
	}
	c->n += (size_t)n;
	return !reply_is_whole(c) || client_advance(c);
}

/* True: it is done. */
static bool client_shake(struct client *c)
{
	const int r = SSL_do_handshake(c->ssl);

	if (r == 1) {
		sum.resumed += (unsigned)SSL_session_reused(c->ssl);
		c->n = 0;
		if (opt.starttls)
			return client_say(c, opt.hold ? EHLO : GREETING, "EHLO client.test\r\n");
		c->state = GREETING;
		return true;
	}
	const int wanted = SSL_get_error(c->ssl, r);

	if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE)
		client_fail(c, "handshake");
	return false;
}

static void client_ready(struct client *c)
{
	while (c->fd >= 0 && c->state != HELD)
		if (!(c->state == HANDSHAKE ? client_shake(c) : client_read(c)))
			break;
}

static bool is_over(void)
{
	return opt.hold ? sum.held + sum.failed >= opt.connections
			: sum.done + sum.failed >= opt.total;
}

static void run(struct client *clients)
{
	const uint64_t end = now_ns() + (uint64_t)opt.seconds * 1000000000u;
	struct epoll_event events[256];
	unsigned opened = 0;

	while (now_ns() < end && !is_over()) {
		for (; opened < opt.connections && opened < sum.held + sum.done + sum.failed + 200;
		     opened++)
			if (!client_start(&clients[opened]))
				sum.failed++;
		const int n = epoll_wait(epoll, events, 256, opened < opt.connections ? 1 : 200);

		for (int i = 0; i < n; i++)
			client_ready(events[i].data.ptr);
	}
}

static void options(int argc, char **argv)
{
	int c;

	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		exit(1);
	while ((c = getopt(argc, argv, "c:m:t:RSH2g:")) != -1) {
		const unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'c':
			opt.connections = n;
			break;
		case 'm':
			opt.total = n;
			break;
		case 't':
			opt.seconds = n;
			break;
		case 'R':
			opt.resume = true;
			break;
		case 'S':
			opt.starttls = true;
			break;
		case 'H':
			opt.hold = true;
			break;
		case '2':
			SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
			break;
		case 'g':
			SSL_CTX_set1_groups_list(ctx, optarg);
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: load_tls [options] ADDRESS PORT\n");
		exit(2);
	}
	opt.peer.sin_family = AF_INET;
	opt.peer.sin_port = htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
	if (inet_pton(AF_INET, argv[optind], &opt.peer.sin_addr) != 1)
		exit(2);
	if (!opt.hold && opt.connections > opt.total)
		opt.connections = opt.total;
}

/* The connections stand until our stdin ends. */
static void hold(void)
{
	char byte;

	printf("held %u\n", sum.held);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

static void tell(double seconds)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("{\"done\": %u, \"refused\": 0, \"failed\": %u, \"resumed\": %u, \"seconds\": %.6f, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_s\": %.6f, \"first_failure\": \"%s\"}\n",
	       sum.done, sum.failed, sum.resumed, seconds,
	       (double)histogram_at(&latency, 0.5) / 1e3,
	       (double)histogram_at(&latency, 0.99) / 1e3,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
	       sum.first_failure);
}

int main(int argc, char **argv)
{
	options(argc, argv);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	struct client *clients = calloc(opt.connections, sizeof(*clients));

	if (!clients || epoll < 0)
		return 1;
	for (unsigned i = 0; i < opt.connections; i++)
		clients[i].number = i;
	const uint64_t start = now_ns();

	run(clients);
	if (opt.hold)
		hold();
	else
		tell((double)(now_ns() - start) / 1e9);
	for (unsigned i = 0; i < opt.connections; i++) {
		SSL_free(clients[i].ssl);
		SSL_SESSION_free(clients[i].session);
	}
	SSL_CTX_free(ctx);
	free(clients);
	return 0;
}
