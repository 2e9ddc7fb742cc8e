/* A load of SMTP clients for the benchmark: one thread, one epoll, and as little work for each
 * message as can be, because it shares the machine with what it measures.
 *
 * usage: load [options] ADDRESS PORT; it prints one line of JSON when it is done.
 *
 * -S SCENE: relay (whole messages), rcpt (sessions that end with the RCPT), connect (sessions that
 * end with the greeting), idle (connections that say EHLO and then nothing); -c N: connections at
 * once;  -m N: messages (relay) or sessions in all; -b N: messages for a connection, then QUIT; -P:
 * MAIL, RCPT and DATA in one write; -s BYTES: size of a message;  -f FILE: the message itself, with
 * CRLF and without lines that begin with a dot; eight "@" near its beginning become a number that
 * no other message has;  -d D: domain of the recipients;  -a N: source addresses, from 127.1.0.1
 * on;  -X: a PROXY header first, which names clients of 198.51.100.0/24; -r N: at most N new
 * connections a second;  -t S: give up after S seconds.
 *
 * An idle load prints "held N" when its connections stand, and ends when its stdin does; with -w S
 * each of them says one byte of a command every S seconds. */
#include "tests/bench/histogram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum scene { RELAY, REFUSED_RCPT, REFUSED_CONNECT, IDLE };
enum state { CONNECTING, GREETED, EHLO, MAIL, RCPT, DATA, FINAL, QUIT, HELD };

struct client {
	int fd;
	enum state state;
	unsigned number;   /* of its address */
	bool announced;    /* its PROXY header has been sent */
	bool continued;    /* in the middle of a reply of several lines */
	unsigned messages; /* sent on this connection */
	unsigned in_len;   /* of `code` */
	char code[4];      /* the line that is being read: its code and what follows */
	const char *out;
	size_t out_len; /* what still waits to be written of the message */
	uint64_t since; /* ns */
};

static struct {
	enum scene scene;
	unsigned connections, total, batch, addresses, net, seconds, rate, drip_s;
	bool pipelined, proxy;
	size_t size;
	const char *file, *domain;
	struct sockaddr_in peer;
} opt = {.connections = 1,
	 .total = 1,
	 .batch = 1,
	 .addresses = 64,
	 .net = 1,
	 .seconds = 60,
	 .size = 5120,
	 .domain = "hop.test"};

static struct {
	unsigned started, done, refused, failed, open, held;
	char first_failure[128];
} sum;

static struct histogram latency;
static char *message;
static char *number_at; /* in the message; NULL: all are alike */
static size_t message_len;
static int epoll;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void message_read(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f || fseek(f, 0, SEEK_END) != 0 || (message = malloc((size_t)ftell(f) + 3)) == NULL) {
		perror(path);
		exit(2);
	}
	message_len = (size_t)ftell(f);
	rewind(f);
	if (fread(message, 1, message_len, f) != message_len)
		exit(2);
	fclose(f);
	memcpy(message + message_len, ".\r\n", 3);
	message_len += 3;
	number_at = memmem(message, message_len, "@@@@@@@@", 8);
}

/* The next one, in digits of base64.  It goes out with a message's first write: those that are on
 * their way have theirs behind them. */
static void message_number(void)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static uint64_t number;

	number = number ? number + 1 : now_ns() / 1000;
	for (unsigned i = 0; i < 8; i++)
		number_at[i] = digits[number >> 6 * i & 63];
}

static void message_make(void)
{
	static const char head[] =
	    "From: Bench <a@sender.test>\r\nTo: <u@hop.test>\r\n"
	    "Date: Tue, 3 Nov 2026 10:00:00 +0000\r\nMessage-ID: <bench@sender.test>\r\n"
	    "Subject: A message of the benchmark\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
	static const char line[] =
	    "The quick brown fox jumps over the lazy dog, and does so once again today.\r\n";

	message = malloc(sizeof(head) + opt.size + sizeof(line) + 8);
	if (!message)
		abort();
	memcpy(message, head, sizeof(head) - 1);
	message_len = sizeof(head) - 1;
	while (message_len < opt.size) {
		memcpy(message + message_len, line, sizeof(line) - 1);
		message_len += sizeof(line) - 1;
	}
	memcpy(message + message_len, ".\r\n", 3);
	message_len += 3;
}

static bool client_start(struct client *c)
{
	const struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP,
					  .data.ptr = c};
	const unsigned n = sum.started % opt.addresses;
	const struct sockaddr_in from = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(0x7f000001u + (opt.net << 16) + (n / 250 << 8) + n % 250)};
	const int one = 1;

	memset(c, 0, sizeof(*c));
	c->since = now_ns();
	c->number = n;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(c->fd, (const struct sockaddr *)&from, sizeof(from)) != 0 ||
	    (connect(c->fd, (const struct sockaddr *)&opt.peer, sizeof(opt.peer)) != 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd,
		      &(struct epoll_event){event.events, event.data}) != 0) {
		close(c->fd);
		return false;
	}
	sum.started++;
	sum.open++;
	return true;
}

static bool work_is_left(void)
{
	return sum.done + sum.refused + sum.failed + sum.open < opt.total;
}

/* Ends a connection; another one takes its place while there is work left. */
static void client_end(struct client *c)
{
	close(c->fd);
	sum.open--;
	c->fd = -1;
	if (work_is_left() && opt.scene != IDLE && !opt.rate && !client_start(c))
		sum.failed++;
}

static void client_fail(struct client *c, const char *why)
{
	if (sum.failed++ == 0)
		snprintf(sum.first_failure, sizeof(sum.first_failure), "state %d: %s", c->state,
			 why);
	client_end(c);
}

static void client_flush(struct client *c)
{
	while (c->out_len) {
		const ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

		if (n < 0)
			return;
		c->out += n;
		c->out_len -= (size_t)n;
	}
}

/* Commands fit any socket buffer at once. */
static void client_say(struct client *c, enum state state, const char *text)
{
	c->state = state;
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		c->state = QUIT;
}

static void client_say_mail(struct client *c)
{
	static unsigned recipient;
	char text[256];

	c->since = c->messages && opt.batch > 1 ? now_ns() : c->since;
	if (opt.pipelined) {
		snprintf(text, sizeof(text),
			 "MAIL FROM:<a@sender.test>\r\nRCPT TO:<u%u@%s>\r\nDATA\r\n",
			 recipient++ % 100, opt.domain);
		client_say(c, MAIL, text);
		return;
	}
	client_say(c, MAIL, "MAIL FROM:<a@sender.test>\r\n");
}

static void client_say_rcpt(struct client *c)
{
	static unsigned recipient;
	char text[128];

	snprintf(text, sizeof(text), "RCPT TO:<u%u@%s>\r\n", recipient++ % 100, opt.domain);
	client_say(c, RCPT, text);
}

static void client_delivered(struct client *c)
{
	histogram_note(&latency, now_ns() - c->since);
	sum.done++;
	c->messages++;
	if (c->messages < opt.batch && sum.done + sum.failed + sum.open <= opt.total)
		client_say_mail(c);
	else
		client_say(c, QUIT, "QUIT\r\n");
}

static void client_refused(struct client *c)
{
	histogram_note(&latency, now_ns() - c->since);
	sum.refused++;
	client_say(c, QUIT, "QUIT\r\n");
}

static void client_announce(struct client *c)
{
	char text[64];
	const int n =
	    snprintf(text, sizeof(text), "PROXY TCP4 198.51.100.%u 192.0.2.1 40000 25\r\n",
		     c->number % 250 + 1);

	c->announced = send(c->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* One reply is complete; false: the connection is gone. */
static bool client_advance(struct client *c)
{
	const char class = c->code[0];
	const bool expected = class == (c->state == DATA ? '3' : '2');

	if (c->state == QUIT)
		return true;
	if (class == '5' && ((c->state == RCPT && opt.scene == REFUSED_RCPT) ||
			     (c->state == CONNECTING && opt.scene == REFUSED_CONNECT))) {
		client_refused(c);
		return true;
	}
	if (!expected) {
		client_fail(c, c->code);
		return false;
	}
	switch (c->state) {
	case CONNECTING:
		client_say(c, EHLO, "EHLO client.sender.test\r\n");
		break;
	case EHLO:
		if (opt.scene != IDLE) {
			client_say_mail(c);
			break;
		}
		c->state = HELD;
		sum.held++;
		break;
	case MAIL:
		if (opt.pipelined)
			c->state = RCPT;
		else
			client_say_rcpt(c);
		break;
	case RCPT:
		if (opt.pipelined)
			c->state = DATA;
		else
			client_say(c, DATA, "DATA\r\n");
		break;
	case DATA:
		c->state = FINAL;
		c->out = message;
		c->out_len = message_len;
		if (number_at)
			message_number();
		client_flush(c);
		break;
	case FINAL:
		client_delivered(c);
		break;
	default:
		break;
	}
	return true;
}

/* Takes what came: of each line only the first four bytes matter. */
static bool client_take(struct client *c, const char *in, size_t len)
{
	for (const char *end = in + len; in < end;) {
		const char *lf = memchr(in, '\n', (size_t)(end - in));
		const char *stop = lf ? lf : end;

		while (in < stop && c->in_len < 4)
			c->code[c->in_len++] = *in++;
		if (!lf)
			return true;
		in = lf + 1;
		c->continued = c->in_len == 4 && c->code[3] == '-';
		c->in_len = 0;
		c->code[3] = 0;
		if (!c->continued && !client_advance(c))
			return false;
	}
	return true;
}

static void client_ended(struct client *c)
{
	if (c->state == QUIT)
		client_end(c);
	else
		client_fail(c, "closed");
}

static void client_ready(struct client *c, uint32_t events)
{
	static char in[16384];
	ssize_t n = 0;

	if (events & EPOLLOUT && opt.proxy && !c->announced)
		client_announce(c);
	if (events & EPOLLOUT)
		client_flush(c);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
		return;
	do {
		n = recv(c->fd, in, sizeof(in), 0);
		if (n > 0 && !client_take(c, in, (size_t)n))
			return;
	} while (n == (ssize_t)sizeof(in) || (n < 0 && errno == EINTR));
	if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && events & (EPOLLRDHUP | EPOLLHUP)))
		client_ended(c);
}

static bool has_room(void)
{
	return opt.scene != IDLE || sum.started - sum.held - sum.failed < 500;
}

/* Those that hold say a byte each in their turn, so that every moment has its share of them. */
static void drip(const struct client *clients, uint64_t since)
{
	static uint64_t said;
	const uint64_t due = (now_ns() - since) * opt.connections / (opt.drip_s * 1000000000ull);

	for (; said < due; said++) {
		const struct client *c = &clients[said % opt.connections];

		if (c->state == HELD)
			send(c->fd, "X", 1, MSG_NOSIGNAL);
	}
}

/* Starts those that are due at the rate, as far as there is room. */
static void start_due(struct client *clients, uint64_t since)
{
	const uint64_t due = (now_ns() - since) * opt.rate / 1000000000u;

	for (unsigned i = 0; i < opt.connections && sum.started < due && work_is_left(); i++) {
		if (clients[i].fd < 0 && !client_start(&clients[i]))
			sum.failed++;
	}
}

static void run_at_rate(struct client *clients)
{
	const uint64_t since = now_ns(), end = since + (uint64_t)opt.seconds * 1000000000u;
	struct epoll_event events[256];

	for (unsigned i = 0; i < opt.connections; i++)
		clients[i].fd = -1;
	while (now_ns() < end && (work_is_left() || sum.open)) {
		start_due(clients, since);
		const int n = epoll_wait(epoll, events, 256, 1);

		for (int i = 0; i < n; i++)
			client_ready(events[i].data.ptr, events[i].events);
	}
}

static void run(struct client *clients)
{
	const uint64_t since = now_ns();
	const uint64_t end = since + (uint64_t)opt.seconds * 1000000000u;
	struct epoll_event events[256];
	unsigned opened = 0;
	bool told = false;

	while (now_ns() < end && (opened < opt.connections || sum.open)) {
		/* A few at a time, so that the listener's queue holds them: the kernel forgets what
		 * does not fit, and the client would wait for ever. */
		for (unsigned i = 0; i < 100 && opened < opt.connections && has_room(); i++)
			if (!client_start(&clients[opened++]))
				sum.failed++;
		const int n = epoll_wait(epoll, events, 256,
					 opened < opt.connections ? 1
					 : opt.drip_s             ? 10
								  : 200);

		for (int i = 0; i < n; i++)
			client_ready(events[i].data.ptr, events[i].events);
		if (opt.scene != IDLE)
			continue;
		if (opt.drip_s)
			drip(clients, since);
		if (!told && sum.held + sum.failed >= opt.connections) {
			printf("held %u\n", sum.held);
			fflush(stdout);
			told = true;
		}
		if (poll(&(struct pollfd){.fd = 0, .events = POLLIN}, 1, 0) > 0)
			break;
	}
}

static unsigned scene_of(const char *name)
{
	static const char *const names[] = {"relay", "rcpt", "connect", "idle"};

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	fprintf(stderr, "load: there is no scene %s\n", name);
	exit(2);
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "S:c:m:b:PXs:f:d:a:n:r:w:t:")) != -1) {
		const unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'S':
			opt.scene = scene_of(optarg);
			break;
		case 'c':
			opt.connections = n;
			break;
		case 'm':
			opt.total = n;
			break;
		case 'b':
			opt.batch = n;
			break;
		case 'P':
			opt.pipelined = true;
			break;
		case 's':
			opt.size = n;
			break;
		case 'X':
			opt.proxy = true;
			break;
		case 'f':
			opt.file = optarg;
			break;
		case 'd':
			opt.domain = optarg;
			break;
		case 'a':
			opt.addresses = n ? n : 1;
			break;
		case 'n':
			opt.net = n & 255;
			break;
		case 'r':
			opt.rate = n;
			break;
		case 'w':
			opt.drip_s = n;
			break;
		case 't':
			opt.seconds = n;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: load [options] ADDRESS PORT\n");
		exit(2);
	}
	opt.peer.sin_family = AF_INET;
	opt.peer.sin_port = htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
	if (inet_pton(AF_INET, argv[optind], &opt.peer.sin_addr) != 1)
		exit(2);
	if (opt.scene != IDLE && opt.connections > opt.total)
		opt.connections = opt.total;
}

int main(int argc, char **argv)
{
	struct rusage used;

	options(argc, argv);
	if (opt.file)
		message_read(opt.file);
	else
		message_make();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	struct client *clients = calloc(opt.connections, sizeof(*clients));

	if (!clients || epoll < 0)
		return 1;
	const uint64_t start = now_ns();

	if (opt.rate)
		run_at_rate(clients);
	else
		run(clients);
	const double seconds = (double)(now_ns() - start) / 1e9;

	getrusage(RUSAGE_SELF, &used);
	printf("{\"done\": %u, \"refused\": %u, \"failed\": %u, \"open\": %u, \"connections\": %u, "
	       "\"seconds\": %.6f, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_s\": %.6f, \"first_failure\": \"%s\"}\n",
	       sum.done, sum.refused, sum.failed, sum.open, sum.started, seconds,
	       (double)histogram_at(&latency, 0.5) / 1e3,
	       (double)histogram_at(&latency, 0.99) / 1e3,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
	       sum.first_failure);
	free(clients);
	free(message);
	return 0;
}
