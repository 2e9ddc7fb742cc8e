/* A DNS server for the tests: real sockets of UDP and TCP on one port, a thread.  The first label
 * of the name asked for says how it behaves (see `behaviours`).  Included by one test program each.
 */
#ifndef TESTS_UNIT_DNS_PEER_H
#define TESTS_UNIT_DNS_PEER_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PEER_LATE_MAX = 4096, PEER_NAMES = 64 };

struct peer_message {
	uint8_t b[65535];
	size_t n;
};

struct dns_peer {
	int udp, tcp, stop[2];
	uint16_t port;
	pthread_t thread;
	atomic_uint udp_questions, tcp_questions;
	atomic_bool silent; /* answers nothing, whoever asks */
	unsigned ports;     /* different ones that asked */
	bool port_seen[65536];
	/* Answers that are due later. */
	struct peer_late {
		int64_t at_ms;
		struct sockaddr_in to;
		uint8_t b[512];
		size_t n;
	} late[PEER_LATE_MAX];
	unsigned late_count;
	struct peer_message out; /* what is being made */
};

struct peer_question {
	const uint8_t *b;
	size_t n;       /* up to the end of the question */
	char first[64]; /* its first label */
	unsigned type;
	bool tcp;
	struct sockaddr_in from;
};

static inline int64_t peer_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* ---- Making messages */

static inline void put_bytes(struct peer_message *m, const void *p, size_t n)
{
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static inline void put8(struct peer_message *m, unsigned v)
{
	m->b[m->n++] = (uint8_t)v;
}

static inline void put16(struct peer_message *m, unsigned v)
{
	put8(m, v >> 8);
	put8(m, v & 0xff);
}

/* "mx.example.org", "" is the root. */
static inline void put_dots(struct peer_message *m, const char *name)
{
	while (*name) {
		const size_t n = strcspn(name, ".");

		put8(m, (unsigned)n);
		put_bytes(m, name, n);
		name += n + (name[n] == '.');
	}
	put8(m, 0);
}

static inline void count_record(struct peer_message *m, unsigned section)
{
	if (++m->b[section + 1] == 0)
		m->b[section]++;
}

enum { ANSWER = 6, AUTHORITY = 8, ADDITIONAL = 10 };

/* A record's head; owner NULL: the question's name. */
static inline void put_record(struct peer_message *m, unsigned section, const char *owner,
			      unsigned type, unsigned ttl)
{
	count_record(m, section);
	if (owner)
		put_dots(m, owner);
	else
		put16(m, 0xc00c);
	put16(m, type);
	put16(m, 1);
	put16(m, ttl >> 16);
	put16(m, ttl & 0xffff);
}

static inline void put_a(struct peer_message *m, const char *owner, const char *address)
{
	struct in_addr a;

	put_record(m, ANSWER, owner, 1, 300);
	put16(m, 4);
	inet_pton(AF_INET, address, &a);
	put_bytes(m, &a, 4);
}

/* A record whose data is `prefix` bytes and a name. */
static inline void put_name_record(struct peer_message *m, const char *owner, unsigned type,
				   unsigned ttl, const void *prefix, size_t n, const char *name)
{
	put_record(m, ANSWER, owner, type, ttl);
	const size_t at = m->n;

	put16(m, 0);
	put_bytes(m, prefix, n);
	put_dots(m, name);
	m->b[at] = (uint8_t)((m->n - at - 2) >> 8);
	m->b[at + 1] = (uint8_t)(m->n - at - 2);
}

static inline void put_soa(struct peer_message *m, unsigned ttl, unsigned minimum)
{
	put_record(m, AUTHORITY, "test", 6, ttl);
	put16(m, 22);
	put8(m, 0);
	put8(m, 0);
	for (int i = 0; i < 8; i++)
		put16(m, 0);
	put16(m, minimum >> 16);
	put16(m, minimum & 0xffff);
}

static inline void begin_answer(struct peer_message *m, const struct peer_question *q,
				unsigned rcode)
{
	m->n = 0;
	put_bytes(m, q->b, q->n);
	m->b[2] = 0x81;
	m->b[3] = (uint8_t)(0x80 | rcode);
	memset(m->b + 6, 0, 6);
}

static inline void send_bytes(struct dns_peer *p, const struct peer_question *q)
{
	uint8_t length[2] = {(uint8_t)(p->out.n >> 8), (uint8_t)p->out.n};

	if (!q->tcp) {
		(void)!sendto(p->udp, p->out.b, p->out.n, 0, (const struct sockaddr *)&q->from,
			      sizeof(q->from));
		return;
	}
	const int fd = q->from.sin_port; /* see serve_tcp */
	if (send(fd, length, 2, MSG_NOSIGNAL) != 2)
		return;
	for (size_t at = 0; at < p->out.n;) {
		const ssize_t n = send(fd, p->out.b + at, p->out.n - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

/* ---- Behaviours: each fills p->out and sends it, as often as it likes */

static inline void answer_a(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_a(&p->out, NULL, "192.0.2.1");
	send_bytes(p, q);
}

static inline void answer_two(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	p->out.b[3] |= 0x20; /* AD */
	put_a(&p->out, "elsewhere.test", "192.0.2.66");
	put_a(&p->out, NULL, "192.0.2.1");
	put_a(&p->out, NULL, "192.0.2.2");
	send_bytes(p, q);
}

static inline void answer_aaaa(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_record(&p->out, ANSWER, NULL, 28, 0x80000001);
	put16(&p->out, 16);
	for (unsigned i = 0; i < 16; i++)
		put8(&p->out, i);
	send_bytes(p, q);
}

static inline void answer_mx(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_name_record(&p->out, NULL, 15, 60, "\0\012", 2, "MX1.Example.ORG");
	put_name_record(&p->out, NULL, 15, 30, "\1\0", 2, "");
	send_bytes(p, q);
}

static inline void answer_txt(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_record(&p->out, ANSWER, NULL, 16, 60);
	put16(&p->out, 12);
	put_bytes(&p->out, "\7v=spf1 \3-al", 12);
	p->out.b[p->out.n - 4] = 3;
	put_record(&p->out, ANSWER, NULL, 16, 60);
	put16(&p->out, 1);
	put8(&p->out, 0);
	send_bytes(p, q);
}

static inline void answer_ptr(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_name_record(&p->out, NULL, 12, 60, "", 0, "Host.Example.ORG");
	put_record(&p->out, ANSWER, NULL, 12, 60);
	put16(&p->out, 11);
	put_bytes(&p->out, "\5a.b\n\377\3org\0", 11);
	send_bytes(p, q);
}

static inline void answer_cname(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_a(&p->out, "c.test", "192.0.2.3");
	put_name_record(&p->out, "b.test", 5, 7, "", 0, "C.test");
	put_name_record(&p->out, NULL, 5, 60, "", 0, "b.TEST");
	send_bytes(p, q);
}

static inline void answer_circle(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_name_record(&p->out, NULL, 5, 60, "", 0, "b.test");
	put_name_record(&p->out, "b.test", 5, 60, "", 0, "circle.test");
	send_bytes(p, q);
}

static inline void answer_nxdomain(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 3);
	put_soa(&p->out, 900, 120);
	send_bytes(p, q);
}

static inline void answer_nodata(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	send_bytes(p, q);
}

static inline void answer_rcode(struct dns_peer *p, const struct peer_question *q)
{
	const unsigned rcode = strcmp(q->first, "servfail") == 0  ? 2
			       : strcmp(q->first, "notimp") == 0  ? 4
			       : strcmp(q->first, "formerr") == 0 ? 1
								  : 5;

	begin_answer(&p->out, q, rcode);
	send_bytes(p, q);
}

static inline void answer_nothing(struct dns_peer *p, const struct peer_question *q)
{
	(void)p;
	(void)q;
}

/* "late-50-x": after 50 ms. */
static inline void answer_late(struct dns_peer *p, const struct peer_question *q)
{
	struct peer_late *l = &p->late[p->late_count];

	if (p->late_count == PEER_LATE_MAX)
		return;
	begin_answer(&p->out, q, 0);
	put_a(&p->out, NULL, "192.0.2.1");
	l->at_ms = peer_now_ms() + atoi(q->first + 5);
	l->to = q->from;
	l->n = p->out.n;
	memcpy(l->b, p->out.b, l->n);
	p->late_count++;
}

/* By UDP only that it was cut; by TCP 1,000 addresses. */
static inline void answer_cut(struct dns_peer *p, const struct peer_question *q)
{
	char address[INET_ADDRSTRLEN];

	begin_answer(&p->out, q, 0);
	if (!q->tcp)
		p->out.b[2] |= 2;
	for (unsigned i = 0; q->tcp && i < 1000; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i >> 8, i & 255);
		put_a(&p->out, NULL, address);
	}
	send_bytes(p, q);
}

/* Cut by UDP; by TCP exactly 65,535 bytes, of a single TXT record with 255 byte strings. */
static inline void answer_huge(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	if (!q->tcp) {
		p->out.b[2] |= 2;
		send_bytes(p, q);
		return;
	}
	put_record(&p->out, ANSWER, NULL, 16, 60);
	size_t left = sizeof(p->out.b) - p->out.n - 2;
	put16(&p->out, (unsigned)left);
	while (left > 0) {
		const size_t n = left > 256 ? 255 : left - 1;

		put8(&p->out, (unsigned)n);
		memset(p->out.b + p->out.n, 'x', n);
		p->out.n += n;
		left -= n + 1;
	}
	send_bytes(p, q);
}

static inline void answer_cut_twice(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	p->out.b[2] |= 2;
	put_a(&p->out, NULL, "192.0.2.1");
	send_bytes(p, q);
}

static inline void answer_wrong_id(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_a(&p->out, NULL, "192.0.2.66");
	p->out.b[0] ^= 0xff;
	send_bytes(p, q);
}

static inline void answer_wrong_question(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_a(&p->out, NULL, "192.0.2.66");
	p->out.b[13] ^= 1;
	send_bytes(p, q);
}

static inline void answer_empty(struct dns_peer *p, const struct peer_question *q)
{
	p->out.n = 0;
	send_bytes(p, q);
}

static inline void answer_one_byte(struct dns_peer *p, const struct peer_question *q)
{
	p->out.n = 0;
	put8(&p->out, q->b[0]);
	send_bytes(p, q);
}

static inline void answer_liar(struct dns_peer *p, const struct peer_question *q)
{
	answer_wrong_id(p, q);
	answer_wrong_question(p, q);
	answer_empty(p, q);
	answer_one_byte(p, q);
	answer_a(p, q);
}

/* No question in it, and with it a message that asks instead of answering. */
static inline void answer_question(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	p->out.b[2] = 0x01;
	send_bytes(p, q);
}

static inline void answer_self_pointer(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	p->out.b[ANSWER + 1] = 1;
	put16(&p->out, 0xc000 | (unsigned)p->out.n);
	put_bytes(&p->out, "\0\1\0\1\0\0\0\1\0\4\300\0\2\1", 14);
	send_bytes(p, q);
}

/* A record of 100 pointers, each to the one before, the first to the question; then an address at
 * the end of the chain. */
static inline void answer_chain(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_record(&p->out, ANSWER, NULL, 65280, 60);
	put16(&p->out, 200);
	put16(&p->out, 0xc00c);
	for (int i = 1; i < 100; i++)
		put16(&p->out, 0xc000 | (unsigned)(p->out.n - 2));
	p->out.b[ANSWER + 1]++;
	put16(&p->out, 0xc000 | (unsigned)(p->out.n - 2));
	put_bytes(&p->out, "\0\1\0\1\0\0\0\1\0\4\300\0\2\1", 14);
	send_bytes(p, q);
}

static inline void answer_tsig(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_a(&p->out, NULL, "192.0.2.1");
	put_record(&p->out, ADDITIONAL, "key", 250, 0);
	put16(&p->out, 20);
	put_bytes(&p->out, "\3abc\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0", 20);
	send_bytes(p, q);
}

/* More records than there are. */
static inline void answer_short(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_a(&p->out, NULL, "192.0.2.1");
	p->out.b[ANSWER + 1] = 2;
	send_bytes(p, q);
}

static inline void answer_hollow(struct dns_peer *p, const struct peer_question *q)
{
	begin_answer(&p->out, q, 0);
	put_record(&p->out, ANSWER, NULL, q->type, 60);
	put16(&p->out, 0);
	send_bytes(p, q);
}

static const struct {
	const char *label;
	void (*answer)(struct dns_peer *p, const struct peer_question *q);
} behaviours[] = {
    {"a", answer_a},
    {"two", answer_two},
    {"aaaa", answer_aaaa},
    {"mx", answer_mx},
    {"txt", answer_txt},
    {"ptr", answer_ptr},
    {"cname", answer_cname},
    {"circle", answer_circle},
    {"nxdomain", answer_nxdomain},
    {"nodata", answer_nodata},
    {"servfail", answer_rcode},
    {"refused", answer_rcode},
    {"notimp", answer_rcode},
    {"formerr", answer_rcode},
    {"drop", answer_nothing},
    {"cut", answer_cut},
    {"huge", answer_huge},
    {"cut-twice", answer_cut_twice},
    {"wrong-id", answer_wrong_id},
    {"wrong-question", answer_wrong_question},
    {"empty", answer_empty},
    {"one-byte", answer_one_byte},
    {"liar", answer_liar},
    {"question", answer_question},
    {"self-pointer", answer_self_pointer},
    {"chain", answer_chain},
    {"tsig", answer_tsig},
    {"short", answer_short},
    {"hollow", answer_hollow},
};

/* ---- Serving */

static inline void serve(struct dns_peer *p, struct peer_question *q, size_t n)
{
	size_t at = 12;

	if (n < 17 || atomic_load(&p->silent))
		return;
	snprintf(q->first, sizeof(q->first), "%.*s", q->b[12], (const char *)q->b + 13);
	while (q->b[at])
		at += q->b[at] + 1U;
	q->n = at + 5;
	q->type = (unsigned)q->b[at + 1] << 8 | q->b[at + 2];
	if (strncmp(q->first, "late-", 5) == 0) {
		answer_late(p, q);
		return;
	}
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		if (strcmp(q->first, behaviours[i].label) == 0)
			behaviours[i].answer(p, q);
	}
}

static inline void serve_udp(struct dns_peer *p)
{
	uint8_t b[4096];
	struct peer_question q = {.b = b};
	socklen_t len = sizeof(q.from);
	const ssize_t n = recvfrom(p->udp, b, sizeof(b), 0, (struct sockaddr *)&q.from, &len);

	if (n <= 0)
		return;
	atomic_fetch_add(&p->udp_questions, 1);
	p->ports += !p->port_seen[ntohs(q.from.sin_port)];
	p->port_seen[ntohs(q.from.sin_port)] = true;
	serve(p, &q, (size_t)n);
}

/* One connection at a time, one question each. */
static inline void serve_tcp(struct dns_peer *p)
{
	uint8_t b[4098];
	struct peer_question q = {.b = b + 2, .tcp = true};
	const int fd = accept(p->tcp, NULL, NULL);
	const ssize_t n = fd < 0 ? -1 : recv(fd, b, sizeof(b), 0);

	if (n > 2) {
		atomic_fetch_add(&p->tcp_questions, 1);
		q.from.sin_port = (in_port_t)fd;
		serve(p, &q, (size_t)n - 2);
	}
	if (fd >= 0)
		close(fd);
}

static inline int send_late(struct dns_peer *p)
{
	const int64_t now = peer_now_ms();
	unsigned kept = 0;
	int64_t next = -1;

	for (unsigned i = 0; i < p->late_count; i++) {
		const struct peer_late *l = &p->late[i];

		if (l->at_ms <= now) {
			(void)!sendto(p->udp, l->b, l->n, 0, (const struct sockaddr *)&l->to,
				      sizeof(l->to));
			continue;
		}
		if (next < 0 || l->at_ms - now < next)
			next = l->at_ms - now;
		p->late[kept++] = *l;
	}
	p->late_count = kept;
	return (int)next;
}

static inline void *peer_main(void *arg)
{
	struct dns_peer *p = arg;

	for (;;) {
		struct pollfd fds[] = {
		    {p->udp, POLLIN, 0}, {p->tcp, POLLIN, 0}, {p->stop[0], POLLIN, 0}};

		(void)!poll(fds, 3, send_late(p));
		if (fds[2].revents)
			return NULL;
		if (fds[0].revents)
			serve_udp(p);
		if (fds[1].revents)
			serve_tcp(p);
	}
}

static inline struct dns_peer *dns_peer_start(void)
{
	struct dns_peer *p = calloc(1, sizeof(*p));
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int room = 4 << 20;
	socklen_t len = sizeof(a);

	ck_assert_ptr_nonnull(p);
	for (int tries = 0;; tries++) {
		ck_assert_int_lt(tries, 20);
		a.sin_port = 0;
		p->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		p->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(p->udp, (struct sockaddr *)&a, sizeof(a)), 0);
		ck_assert_int_eq(getsockname(p->udp, (struct sockaddr *)&a, &len), 0);
		if (bind(p->tcp, (struct sockaddr *)&a, sizeof(a)) == 0)
			break;
		close(p->udp);
		close(p->tcp);
	}
	setsockopt(p->udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	ck_assert_int_eq(listen(p->tcp, 64), 0);
	ck_assert_int_eq(pipe(p->stop), 0);
	p->port = ntohs(a.sin_port);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, peer_main, p), 0);
	return p;
}

static inline void dns_peer_stop(struct dns_peer *p)
{
	close(p->stop[1]);
	pthread_join(p->thread, NULL);
	close(p->stop[0]);
	close(p->udp);
	close(p->tcp);
	free(p);
}

#endif
