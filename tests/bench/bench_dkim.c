/* What a question of DKIM costs: CPU of the inspector and of the worker, for messages of 5 KB and
 * 1 MB, signed by RSA-2048 and by Ed25519 (relaxed/relaxed), and for one with sixteen signatures.
 * The keys are there at once.
 *
 * Prints one figure a line. */
#include "shm/base/clock.h"
#include "worker/inspect/ask.h"
#include "worker/inspect/dkim.h"
#include "worker/inspect/inspector.h"
#include "worker/io/task.h"

#include <dkim.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INSPECTORS = 4, ROOM = 2 << 20, RSA_BITS = 2048 };

static struct loop *loop;
static struct inspect *asking;
static struct dns_record records[2];
static unsigned left, running, wrong;

/* ---- Messages and keys */

struct signer {
	const char *name;
	dkim_alg_t algorithm;
	char pem[4096];
	char record[2048];
};

static void make_signer(struct signer *s, EVP_PKEY *key, const char *kind)
{
	unsigned char der[1024], *p = der;
	unsigned char base64[1024];
	char *text;
	BIO *bio = BIO_new(BIO_s_mem());
	size_t n = sizeof(der);

	if (!key || !bio || !PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		exit(1);
	const long length = BIO_get_mem_data(bio, &text);
	snprintf(s->pem, sizeof(s->pem), "%.*s", (int)length, text);
	BIO_free(bio);
	if (s->algorithm == DKIM_SIGN_ED25519SHA256)
		EVP_PKEY_get_raw_public_key(key, der, &n);
	else
		n = (size_t)i2d_PUBKEY(key, &p);
	EVP_EncodeBlock(base64, der, (int)n);
	snprintf(s->record, sizeof(s->record), "v=DKIM1; k=%s; p=%s", kind, (char *)base64);
	EVP_PKEY_free(key);
}

/* The message as a memfd; its header's size. */
static int make_message(DKIM_LIB *lib, struct signer *s, size_t size, unsigned signatures,
			uint64_t *header_size, uint64_t *whole)
{
	static char text[ROOM], all[ROOM];
	struct buf b = buf_over(text, sizeof(text)), out = buf_over(all, sizeof(all));
	unsigned char *field;
	DKIM_STAT status;
	size_t n;
	const int fd = memfd_create("message", MFD_CLOEXEC);

	buf_printf(&b,
		   "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: bench\r\n"
		   "Date: Mon, 1 Jun 2026 09:14:07 +0200\r\nMessage-ID: <1@example.org>\r\n\r\n");
	*header_size = b.n;
	while (b.n < size)
		buf_printf(&b, "The quick brown fox jumps over the lazy dog, once more.\r\n");
	DKIM *d = dkim_sign(lib, (u_char *)"-", NULL, (dkim_sigkey_t)s->pem, (u_char *)s->name,
			    (u_char *)"example.org", DKIM_CANON_RELAXED, DKIM_CANON_RELAXED,
			    s->algorithm, -1, &status);
	if (!d || dkim_chunk(d, (u_char *)text, b.n) != DKIM_STAT_OK ||
	    dkim_chunk(d, NULL, 0) != DKIM_STAT_OK || dkim_eom(d, NULL) != DKIM_STAT_OK ||
	    dkim_getsighdr_d(d, 16, &field, &n) != DKIM_STAT_OK)
		exit(1);
	for (unsigned i = 0; i < signatures; i++) {
		buf_text(&out, LIT("DKIM-Signature: "));
		for (const char *c = (const char *)field; *c; c++) {
			if (*c == '\n' && c[-1] != '\r')
				buf_char(&out, '\r');
			buf_char(&out, *c);
		}
		buf_text(&out, LIT("\r\n"));
	}
	dkim_free(d);
	*header_size += out.n;
	buf_put(&out, text, b.n);
	*whole = out.n;
	if (fd < 0 || out.cut || write(fd, out.p, out.n) != (ssize_t)out.n)
		exit(1);
	return fd;
}

/* ---- Asking */

static struct {
	int fd;
	unsigned signatures;
	struct need key;
	struct dkim_question q;
} subject;

static void look_up(void *self, struct inspect_query *queries, size_t n, struct arena *a,
		    int64_t deadline_us)
{
	(void)self;
	(void)a;
	(void)deadline_us;
	for (size_t i = 0; i < n; i++)
		queries[i].answer = (struct dns_answer){
		    .status = DNS_OK,
		    .records = &records[text_istarts(queries[i].name, LIT("ed"))],
		    .count = 1};
}

static void ask_one(void)
{
	char bytes[64];
	struct buf body = buf_over(bytes, sizeof(bytes));
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	struct arena a;

	arena_init(&a, NULL, NULL);
	dkim_question_put(&body, &subject.q);
	const struct inspect_outcome o =
	    inspect_ask(asking,
			&(struct inspect_request){.type = QUESTION_DKIM,
						  .body = buf_view(&body),
						  .message_fd = subject.fd,
						  .deadline_us = loop_now_us(loop) + 30 * SECOND_US,
						  .look_up = look_up,
						  .first = &subject.key,
						  .first_count = 1},
			&a);
	if (o.result != INSPECT_ANSWERED || !dkim_answer_get(o.body, v, subject.signatures) ||
	    v[subject.signatures - 1].reason != DKIM_REASON_NONE)
		wrong++;
	arena_reset(&a);
}

static void ask_many(void *arg)
{
	(void)arg;
	while (left > 0) {
		left--;
		ask_one();
	}
	if (--running == 0)
		loop_stop(loop);
}

static double cpu_us(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* With inspectors of its own, whose CPU is known when they have ended. */
static void measure(const char *what, unsigned questions)
{
	static struct inspector_page page;
	struct inspect_options o = {0};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		exit(1);
	for (unsigned i = 0; i < INSPECTORS; i++) {
		if (fork() == 0) {
			close(pair[0]);
			inspector_run(pair[1], &page);
		}
	}
	close(pair[1]);
	loop = loop_new();
	o.fd = pair[0];
	asking = inspect_open(loop, &o);
	if (!loop || !asking)
		exit(1);
	const double worker = cpu_us(RUSAGE_SELF), inspectors = cpu_us(RUSAGE_CHILDREN);
	left = questions;
	running = INSPECTORS;
	for (unsigned i = 0; i < INSPECTORS; i++)
		task_spawn(loop, ask_many, NULL);
	loop_run(loop);
	const double used = cpu_us(RUSAGE_SELF) - worker;
	inspect_close(asking);
	loop_free(loop);
	close(pair[0]);
	while (wait(NULL) > 0)
		;
	printf("%-30s %8.1f us of an inspector's CPU a question, %.1f us of the worker's\n", what,
	       (cpu_us(RUSAGE_CHILDREN) - inspectors) / questions, used / questions);
}

static void bench(DKIM_LIB *lib, struct signer *s, const char *what, size_t size,
		  unsigned signatures, unsigned questions)
{
	uint64_t header, whole;
	char name[64];

	snprintf(name, sizeof(name), "%s._domainkey.example.org", s->name);
	subject.fd = make_message(lib, s, size, signatures, &header, &whole);
	subject.signatures = signatures;
	subject.key = (struct need){text_of(name), DNS_TXT};
	subject.q = (struct dkim_question){header, whole, clock_wall_us() / SECOND_US};
	measure(what, questions);
	close(subject.fd);
}

int main(void)
{
	struct signer rsa = {.name = "rsa", .algorithm = DKIM_SIGN_RSASHA256};
	struct signer ed = {.name = "ed", .algorithm = DKIM_SIGN_ED25519SHA256};
	DKIM_LIB *lib = dkim_init(NULL, NULL);

	if (!lib || !dkim_prepare())
		return 1;
	make_signer(&rsa, EVP_RSA_gen(RSA_BITS), "rsa");
	make_signer(&ed, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "ed25519");
	records[0].text = text_of(rsa.record);
	records[1].text = text_of(ed.record);
	bench(lib, &rsa, "RSA-2048, 5 KB", 5000, 1, 4000);
	bench(lib, &ed, "Ed25519, 5 KB", 5000, 1, 4000);
	bench(lib, &rsa, "RSA-2048, 1 MB", 1000000, 1, 300);
	bench(lib, &ed, "Ed25519, 1 MB", 1000000, 1, 300);
	bench(lib, &rsa, "RSA-2048, 5 KB, 16 signatures", 5000, 16, 1000);
	printf("%u wrong answers\n", wrong);
	dkim_close(lib);
	return wrong > 0;
}
