/* A next hop for the tests: a real socket, a thread for each connection, SMTP or LMTP by the book
 * unless a fault says what it does wrong, and where.  Included by one test program each. */
#ifndef TESTS_UNIT_HOP_PEER_H
#define TESTS_UNIT_HOP_PEER_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_REPLY,    /* says `text` in place of its own reply (as it stands: with CR LF) */
	FAULT_CLOSE,    /* closes without a word */
	FAULT_BYE,      /* says `text` and closes */
	FAULT_HANG,     /* says nothing until the client goes */
	FAULT_ENDLESS,  /* "250-..." lines without end */
	FAULT_MANY,     /* 100,000 lines */
	FAULT_BIG_LINE, /* a line of 1 MB */
	FAULT_NUL,      /* NUL in a reply */
};

struct fault {
	const char
	    *at; /* "GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY" (the final reply) ... */
	enum fault_kind kind;
	const char *text;
	int connection; /* 1: only on the first ...; 0: on all */
	int times;      /* only so many times; 0: always */
};

#define PEER_BODIES 8
struct peer {
	int listen_fd;
	uint16_t port;
	const char *extensions; /* lines of EHLO, CR LF ended, "250-" before each */
	struct fault faults[4];
	bool split; /* sends its replies byte by byte */

	pthread_mutex_t lock;
	pthread_t thread, serving[64];
	int connections, served;
	char said[65536]; /* all commands, '\n' after each */
	size_t said_n;
	char *bodies[PEER_BODIES]; /* of accepted messages */
	size_t body_n[PEER_BODIES];
	int messages;
};

struct peer_line {
	struct peer *peer;
	int fd, number;
	FILE *in;
	bool yes; /* the last reply was of the class that the book says */
};

static inline void peer_say(const struct peer_line *l, const char *p, size_t n)
{
	if (!l->peer->split) {
		(void)!send(l->fd, p, n, MSG_NOSIGNAL);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		(void)!send(l->fd, p + i, 1, MSG_NOSIGNAL);
		sched_yield();
	}
}

static inline void peer_until_gone(const struct peer_line *l)
{
	char sink[4096];

	while (fread(sink, 1, sizeof(sink), l->in) == sizeof(sink))
		;
}

static inline bool peer_flood(const struct peer_line *l, const char *line, size_t times)
{
	for (size_t i = 0; i < times; i++)
		if (send(l->fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			break;
	return false;
}

static inline const struct fault *peer_fault(struct peer_line *l, const char *at)
{
	const struct fault *found = NULL;

	pthread_mutex_lock(&l->peer->lock);
	for (size_t i = 0; i < 4 && !found; i++) {
		struct fault *f = &l->peer->faults[i];

		if (!f->at || strcmp(f->at, at) != 0 ||
		    (f->connection && f->connection != l->number))
			continue;
		if (f->times < 0)
			continue;
		if (f->times > 0 && --f->times == 0)
			f->times = -1;
		found = f;
	}
	pthread_mutex_unlock(&l->peer->lock);
	return found;
}

/* False: the connection is over. */
static inline bool peer_answer(struct peer_line *l, const char *at, const char *own)
{
	const struct fault *f = peer_fault(l, at);
	static const char nul[] = "250 a\0b\r\n";
	char *big;

	l->yes = !f || (f->kind == FAULT_REPLY && f->text[0] == own[0]);
	switch (f ? f->kind : FAULT_NONE) {
	case FAULT_NONE:
		peer_say(l, own, strlen(own));
		return true;
	case FAULT_REPLY:
		peer_say(l, f->text, strlen(f->text));
		return true;
	case FAULT_BYE:
		peer_say(l, f->text, strlen(f->text));
		return false;
	case FAULT_CLOSE:
		return false;
	case FAULT_HANG:
		peer_until_gone(l);
		return false;
	case FAULT_ENDLESS:
		return peer_flood(l, "250-and more\r\n", SIZE_MAX);
	case FAULT_MANY:
		return peer_flood(l, "250-and more\r\n", 100000);
	case FAULT_BIG_LINE:
		big = malloc(1 << 20);
		memset(big, 'x', 1 << 20);
		memcpy(big, "250 ", 4);
		memcpy(big + (1 << 20) - 3, "\r\n", 3);
		peer_flood(l, big, 1);
		free(big);
		peer_until_gone(l);
		return false;
	default:
		peer_say(l, nul, sizeof(nul) - 1);
		return true;
	}
}

static inline void peer_note(struct peer *p, const char *line)
{
	size_t n = strcspn(line, "\r\n");

	pthread_mutex_lock(&p->lock);
	if (p->said_n + n + 2 < sizeof(p->said)) {
		memcpy(p->said + p->said_n, line, n);
		p->said[p->said_n + n] = '\n';
		p->said_n += n + 1;
	}
	pthread_mutex_unlock(&p->lock);
}

static inline void peer_keep(struct peer *p, char *body, size_t n)
{
	pthread_mutex_lock(&p->lock);
	if (p->messages < PEER_BODIES) {
		p->bodies[p->messages] = body;
		p->body_n[p->messages] = n;
	} else {
		free(body);
	}
	p->messages++;
	pthread_mutex_unlock(&p->lock);
}

/* Reads until CR LF . CR LF; the body without it, dots unstuffed; NULL: the client went away. */
static inline char *peer_read_data(struct peer_line *l, size_t *n)
{
	size_t cap = 1 << 16;
	char *b = malloc(cap);
	bool start = true;

	*n = 0;
	for (;;) {
		size_t from = *n;
		int c;

		do {
			if ((c = getc(l->in)) == EOF) {
				free(b);
				return NULL;
			}
			if (*n + 1 >= cap)
				b = realloc(b, cap *= 2);
			b[(*n)++] = (char)c;
		} while (*n - from < 2 || b[*n - 2] != '\r' || b[*n - 1] != '\n');
		if (start && *n - from == 3 && b[from] == '.') {
			*n = from;
			return b;
		}
		if (b[from] == '.') {
			memmove(b + from, b + from + 1, *n - from - 1);
			(*n)--;
		}
	}
}

static inline bool peer_body(struct peer_line *l, char *body, size_t n, bool any)
{
	bool more = any ? peer_answer(l, "BODY", "250 2.0.0 Ok: queued as 4XyZ12\r\n")
			: peer_answer(l, "NOBODY", "503 5.5.1 No valid recipients\r\n");

	if (any && l->yes)
		peer_keep(l->peer, body, n);
	else
		free(body);
	return more;
}

static inline bool peer_hello(struct peer_line *l, const char *verb)
{
	char reply[1024];

	snprintf(reply, sizeof(reply), "250-hop.test\r\n%s250 HELP\r\n",
		 l->peer->extensions ? l->peer->extensions : "");
	return peer_answer(l, verb, reply);
}

static inline void *peer_serve(void *arg)
{
	struct peer_line *l = arg;
	char line[8192], *body;
	bool mail = false, rcpt = false,
	     more = peer_answer(l, "GREETING", "220 hop.test ready\r\n");
	size_t n;

	while (more && fgets(line, sizeof(line), l->in)) {
		char verb[16] = "";

		peer_note(l->peer, line);
		sscanf(line, "%15[A-Za-z]", verb);
		if (!strcmp(verb, "EHLO") || !strcmp(verb, "LHLO")) {
			more = peer_hello(l, verb);
		} else if (!strcmp(verb, "MAIL")) {
			char ok[] = "250 2.1.0 Ok\r\n", bad[] = "503 5.5.1 Nested MAIL\r\n";

			more = peer_answer(l, verb, mail ? bad : ok);
			mail |= l->yes;
		} else if (!strcmp(verb, "RCPT")) {
			if (!mail) {
				more = peer_answer(l, "NOMAIL", "503 5.5.1 MAIL first\r\n");
			} else if (strstr(line, "<nobody@")) {
				more = peer_answer(l, "NOBODY", "550 5.1.1 No such user\r\n");
			} else {
				more = peer_answer(l, verb, "250 2.1.5 Ok\r\n");
				rcpt |= l->yes;
			}
		} else if (!strcmp(verb, "RSET")) {
			mail = rcpt = false;
			more = peer_answer(l, verb, "250 2.0.0 Ok\r\n");
		} else if (!strcmp(verb, "DATA")) {
			more = peer_answer(l, verb,
					   rcpt ? "354 go on\r\n" : "503 5.5.1 No recipients\r\n");
			if (!more || !rcpt || !l->yes)
				continue;
			body = peer_read_data(l, &n);
			more = body && peer_body(l, body, n, true);
			mail = rcpt = false;
		} else if (!strcmp(verb, "BDAT")) {
			n = strtoul(line + 5, NULL, 10);
			body = malloc(n + 1);
			if (fread(body, 1, n, l->in) != n) {
				free(body);
				break;
			}
			more = peer_body(l, body, n, rcpt);
			mail = rcpt = false;
		} else if (!strcmp(verb, "QUIT")) {
			peer_say(l, "221 2.0.0 Bye\r\n", 15);
			break;
		} else if (!strcmp(verb, "XCLIENT")) {
			more = peer_answer(l, verb, "220 hop.test ready\r\n");
		} else if (!strcmp(verb, "XFORWARD") || !strcmp(verb, "HELO")) {
			more = peer_answer(l, verb, "250 2.0.0 Ok\r\n");
		} else if (strcmp(verb, "PROXY") != 0) {
			peer_say(l, "500 5.5.2 What?\r\n", 17);
		}
	}
	fclose(l->in);
	free(l);
	return NULL;
}

static inline void *peer_accept(void *arg)
{
	struct peer *p = arg;
	int fd;

	while ((fd = accept(p->listen_fd, NULL, NULL)) >= 0) {
		struct peer_line *l = calloc(1, sizeof(*l));
		int one = 1;

		/* It answers each command with a write of its own. (Not for unix sockets.) */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		*l = (struct peer_line){p, fd, 0, fdopen(fd, "r"), true};
		pthread_mutex_lock(&p->lock);
		l->number = ++p->connections;
		pthread_mutex_unlock(&p->lock);
		ck_assert_int_lt(p->served, 64);
		pthread_create(&p->serving[p->served++], NULL, peer_serve, l);
	}
	return NULL;
}

static inline void peer_listen(struct peer *p, const struct sockaddr *sa, socklen_t n)
{
	signal(SIGPIPE, SIG_IGN);
	pthread_mutex_init(&p->lock, NULL);
	p->listen_fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(p->listen_fd, 0);
	ck_assert_int_eq(bind(p->listen_fd, sa, n), 0);
	ck_assert_int_eq(listen(p->listen_fd, 64), 0);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, peer_accept, p), 0);
}

/* A peer that is zero but for what the test has set. */
static inline void peer_start(struct peer *p)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(sa);

	peer_listen(p, (struct sockaddr *)&sa, n);
	getsockname(p->listen_fd, (struct sockaddr *)&sa, &n);
	p->port = ntohs(sa.sin_port);
}

/* Call after the client has closed its connections. */
static inline void peer_stop(struct peer *p)
{
	shutdown(p->listen_fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	for (int i = 0; i < p->served; i++)
		pthread_join(p->serving[i], NULL);
	close(p->listen_fd);
}

/* After it has been stopped: the messages that it has kept. */
static inline void peer_free(struct peer *p)
{
	for (int i = 0; i < p->messages && i < PEER_BODIES; i++)
		free(p->bodies[i]);
}

#endif
