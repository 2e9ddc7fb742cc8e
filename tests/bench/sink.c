/* A next hop that takes everything and keeps nothing: the ceiling of the benchmark, and the far end
 * of every relay in it.  One thread, one epoll; it counts messages and their bytes.
 *
 * usage: sink [options] PORT, on 127.0.0.1; it prints "ready", and one line of JSON when it ends:
 * at SIGTERM, after -m messages, or after -t seconds. -r  refuse each recipient with 550         -x
 * refuse each connection with 554 -C  don't offer CHUNKING                   -m N  -t S */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024
#define END_OF_DATA  "\r\n.\r\n"

enum mode { COMMANDS, DATA, CHUNK };

struct peer {
	int fd;
	enum mode mode;
	unsigned matched; /* bytes of END_OF_DATA seen */
	bool last;        /* the chunk ends the message */
	bool closing;
	size_t chunk; /* bytes of it that are still to come */
	size_t line_len;
	char line[LINE_MAX_LEN];
};

static struct {
	unsigned long messages, bytes, connections, recipients;
} sum;

static struct {
	bool refuse_recipients, refuse_connections, plain;
	unsigned long messages;
	unsigned seconds;
} opt = {.messages = 100000000, .seconds = 600};

static volatile sig_atomic_t ended;
static char in[65536], out[16384];
static size_t out_len;

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

/* Replies of one burst go out in one write. */
static void reply(const char *text)
{
	const size_t len = strlen(text);

	if (out_len + len > sizeof(out))
		return;
	memcpy(out + out_len, text, len);
	out_len += len;
}

static void message_done(struct peer *p)
{
	sum.messages++;
	p->mode = COMMANDS;
	reply("250 2.0.0 taken\r\n");
}

static void chunk_begin(struct peer *p)
{
	char *rest = NULL;

	p->chunk = strtoul(p->line + 5, &rest, 10);
	p->last = strncasecmp(rest, " LAST", 5) == 0;
	p->mode = CHUNK;
}

static void command(struct peer *p)
{
	if (strncasecmp(p->line, "EHLO", 4) == 0) {
		reply("250-sink.test\r\n250-PIPELINING\r\n250-SIZE "
		      "104857600\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n");
		reply(opt.plain ? "250 SMTPUTF8\r\n" : "250-SMTPUTF8\r\n250 CHUNKING\r\n");
	} else if (strncasecmp(p->line, "RCPT", 4) == 0) {
		sum.recipients++;
		reply(opt.refuse_recipients ? "550 5.1.1 nobody\r\n" : "250 2.1.5 ok\r\n");
	} else if (strncasecmp(p->line, "DATA", 4) == 0) {
		reply("354 go on\r\n");
		p->mode = DATA;
		p->matched = 2;
	} else if (strncasecmp(p->line, "BDAT", 4) == 0) {
		chunk_begin(p);
	} else if (strncasecmp(p->line, "QUIT", 4) == 0) {
		reply("221 2.0.0 bye\r\n");
		p->closing = true;
	} else {
		reply("250 2.0.0 ok\r\n");
	}
}

static const char *take_line(struct peer *p, const char *at, const char *end)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));
	const char *stop = lf ? lf : end;
	size_t len = (size_t)(stop - at);

	if (len > sizeof(p->line) - 1 - p->line_len)
		len = sizeof(p->line) - 1 - p->line_len;
	memcpy(p->line + p->line_len, at, len);
	p->line_len += len;
	if (!lf)
		return end;
	p->line[p->line_len] = 0;
	p->line_len = 0;
	command(p);
	return lf + 1;
}

/* Looks for the end of the data by the lines' ends; only what may be part of it is looked at. */
static const char *take_data(struct peer *p, const char *at, const char *end)
{
	const char *const begin = at;

	while (at < end) {
		if (p->matched == 0) {
			at = memchr(at, '\r', (size_t)(end - at));
			if (!at) {
				at = end;
				break;
			}
		}
		if (*at == END_OF_DATA[p->matched])
			p->matched++;
		else
			p->matched = *at == '\r';
		at++;
		if (p->matched == sizeof(END_OF_DATA) - 1) {
			message_done(p);
			break;
		}
	}
	sum.bytes += (size_t)(at - begin);
	return at;
}

static const char *take_chunk(struct peer *p, const char *at, const char *end)
{
	const size_t n = (size_t)(end - at) < p->chunk ? (size_t)(end - at) : p->chunk;

	sum.bytes += n;
	p->chunk -= n;
	return at + n;
}

static void chunk_end(struct peer *p)
{
	if (p->last)
		message_done(p);
	else
		reply("250 2.0.0 go on\r\n");
	p->mode = COMMANDS;
}

static void take(struct peer *p, const char *at, const char *end)
{
	while (at < end && !p->closing) {
		if (p->mode == COMMANDS)
			at = take_line(p, at, end);
		else if (p->mode == DATA)
			at = take_data(p, at, end);
		else
			at = take_chunk(p, at, end);
		if (p->mode == CHUNK && p->chunk == 0)
			chunk_end(p);
	}
}

static void peer_end(struct peer *p)
{
	close(p->fd);
	free(p);
}

static void peer_ready(struct peer *p)
{
	for (;;) {
		const ssize_t n = recv(p->fd, in, sizeof(in), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			peer_end(p);
			return;
		}
		out_len = 0;
		take(p, in, in + n);
		/* Replies are a few bytes: a peer that doesn't read them is of no use here. */
		if ((out_len && send(p->fd, out, out_len, MSG_NOSIGNAL) != (ssize_t)out_len) ||
		    p->closing) {
			peer_end(p);
			return;
		}
		if (n < (ssize_t)sizeof(in))
			return;
	}
}

static void peers_accept(int epoll, int listener)
{
	static const char greeting[] = "220 sink.test ESMTP\r\n", refusal[] = "554 5.7.1 no\r\n";
	const int one = 1;

	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
		sum.connections++;
		struct peer *p = calloc(1, sizeof(*p));
		struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
					    .data.ptr = p};

		if (!p)
			abort();
		p->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (opt.refuse_connections)
			send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL);
		else
			send(fd, greeting, sizeof(greeting) - 1, MSG_NOSIGNAL);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			peer_end(p);
	}
}

static int listen_on(uint16_t port)
{
	const struct sockaddr_in self = {.sin_family = AF_INET,
					 .sin_port = htons(port),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&self, sizeof(self)) != 0 ||
	    listen(fd, 4096) != 0) {
		perror("sink");
		exit(1);
	}
	return fd;
}

static uint16_t options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "rxCm:t:")) != -1) {
		switch (c) {
		case 'r':
			opt.refuse_recipients = true;
			break;
		case 'x':
			opt.refuse_connections = true;
			break;
		case 'C':
			opt.plain = true;
			break;
		case 'm':
			opt.messages = strtoul(optarg, NULL, 10);
			break;
		case 't':
			opt.seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 1) {
		fprintf(stderr, "usage: sink [options] PORT\n");
		exit(2);
	}
	return (uint16_t)strtoul(argv[optind], NULL, 10);
}

int main(int argc, char **argv)
{
	const int listener = listen_on(options(argc, argv)), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[256] = {{.events = EPOLLIN, .data.ptr = NULL}};
	struct rusage used;

	signal(SIGTERM, on_end);
	signal(SIGALRM, on_end);
	alarm(opt.seconds);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]) != 0)
		return 1;
	puts("ready");
	fflush(stdout);
	while (!ended && sum.messages < opt.messages) {
		const int n = epoll_wait(epoll, events, 256, 1000);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				peer_ready(events[i].data.ptr);
			else
				peers_accept(epoll, listener);
		}
	}
	getrusage(RUSAGE_SELF, &used);
	printf("{\"messages\": %lu, \"bytes\": %lu, \"connections\": %lu, \"recipients\": %lu, "
	       "\"cpu_s\": %.6f}\n",
	       sum.messages, sum.bytes, sum.connections, sum.recipients,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	return 0;
}
