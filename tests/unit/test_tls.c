/* TLS between two connections of one loop: both handshakes, what they cost of a stack, sessions
 * that resume, large bodies, and peers that are slow or not who they say. */
#include "shm/tickets.h"
#include "worker/io/task.h"
#include "worker/io/tls_client.h"
#include "worker/io/tls_server.h"

#include <check.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS    INT64_C(1000)
#define LINKS 8 /* of the chain, besides leaf and root */
#define BODY  3000000

static struct loop *loop;
static struct ticket_keys keys;
static struct tls_server *server;
static SSL_CTX *client;
static struct tls_peer peer;
static struct conn ours, theirs; /* the server's side, and the client's */
static struct tls_facts server_facts, client_facts;
static enum conn_result accepted, connected;
static char *body;

/* ---- Certificates: one key of the largest usual kind for all, since they take long to make */

static EVP_PKEY *key;
static struct text chain_pem, key_pem, root_pem;

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static void write_certificate(BIO *out, int number, bool leaf)
{
	X509 *x = X509_new();
	char name[32], issuer[32];

	snprintf(name, sizeof(name), "link %d", number);
	snprintf(issuer, sizeof(issuer), "link %d", number > 0 ? number - 1 : 0);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), number + 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (unsigned char *)name, -1, -1, 0);
	X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC,
				   (unsigned char *)issuer, -1, -1, 0);
	add_extension(x, NID_basic_constraints, leaf ? "CA:FALSE" : "critical,CA:TRUE");
	if (leaf)
		add_extension(x, NID_subject_alt_name, "DNS:hop.test,IP:192.0.2.1");
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	ck_assert(PEM_write_bio_X509(out, x));
	X509_free(x);
}

static struct text take(BIO *b)
{
	char *p;
	const long n = BIO_get_mem_data(b, &p);
	char *copy = malloc((size_t)n + 1);

	memcpy(copy, p, (size_t)n);
	copy[n] = '\0';
	BIO_free(b);
	return text_make(copy, (size_t)n);
}

static void make_certificates(void)
{
	BIO *chain = BIO_new(BIO_s_mem()), *root = BIO_new(BIO_s_mem()),
	    *secret = BIO_new(BIO_s_mem());

	key = EVP_RSA_gen(4096);
	ck_assert_ptr_nonnull(key);
	for (int i = LINKS; i > 0; i--)
		write_certificate(chain, i, i == LINKS);
	write_certificate(root, 0, false);
	PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
	chain_pem = take(chain);
	root_pem = take(root);
	key_pem = take(secret);
}

static void forget_certificates(void)
{
	EVP_PKEY_free(key);
	free((char *)chain_pem.p);
	free((char *)root_pem.p);
	free((char *)key_pem.p);
}

/* ---- Both sides */

static void setup(void)
{
	const struct tls_client_options o = {.verify = true, .authorities = root_pem};
	struct pair pair;
	const char *why = "";

	keys = (struct ticket_keys){0};
	peer = (struct tls_peer){.name = "hop.test"};
	ck_assert(tickets_rotate(&keys, 1, 1000000));
	ck_assert_msg(pair_parse(chain_pem, key_pem, &pair, &why), "%s", why);
	server = tls_server_new(&keys, 3600);
	ck_assert(tls_server_add(server, LIT("hop.test"), &pair, 1));
	pair_free(&pair);
	client = tls_client_new(&o);
	ck_assert_ptr_nonnull(client);
	loop = loop_new();
	task_measure_stacks(loop);
	body = malloc(BODY);
	for (size_t i = 0; i < BODY; i++)
		body[i] = (char)(i * 7 >> 3);
}

static void teardown(void)
{
	ck_assert_uint_eq(task_count(loop), 0);
	loop_free(loop);
	tls_peer_forget(&peer);
	SSL_CTX_free(client);
	tls_server_free(server);
	free(body);
}

static int64_t in_ms(int64_t ms)
{
	return loop_now_us(loop) + ms * MS;
}

/* One that speaks after the other has heard it, as SMTP does. */
static void serves(void *arg)
{
	struct text line;

	(void)arg;
	accepted = tls_accept(server, &ours, in_ms(20000), &server_facts);
	if (accepted == CONN_OK) {
		conn_printf(&ours, "220 hello\r\n");
		ck_assert_int_eq(conn_getline(&ours, &line, 100, in_ms(20000)), CONN_OK);
		ck_assert(text_eq(line, LIT("QUIT")));
		conn_printf(&ours, "221 bye\r\n");
		conn_part(&ours, in_ms(20000));
	}
	conn_close(&ours);
	if (task_count(loop) == 1)
		loop_stop(loop);
}

static void visits(void *arg)
{
	struct text line;

	(void)arg;
	connected = tls_connect(client, &peer, &theirs, in_ms(20000), &client_facts);
	if (connected == CONN_OK) {
		ck_assert_int_eq(conn_getline(&theirs, &line, 100, in_ms(20000)), CONN_OK);
		ck_assert(text_eq(line, LIT("220 hello")));
		conn_printf(&theirs, "QUIT\r\n");
		ck_assert_int_eq(conn_getline(&theirs, &line, 100, in_ms(20000)), CONN_OK);
		ck_assert(text_eq(line, LIT("221 bye")));
		ck_assert_int_eq(conn_getline(&theirs, &line, 100, in_ms(20000)), CONN_EOF);
	}
	conn_close(&theirs);
	if (task_count(loop) == 1)
		loop_stop(loop);
}

static void open_pair(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	ck_assert(conn_init(&ours, loop, fds[0]));
	ck_assert(conn_init(&theirs, loop, fds[1]));
}

static void meet(void (*one)(void *), void (*other)(void *))
{
	open_pair();
	ck_assert(task_spawn(loop, one, NULL));
	ck_assert(task_spawn(loop, other, NULL));
	loop_run(loop);
}

/* ---- Tests */

/* RSA 4096, a chain of nine certificates sent, and verified: libcrypto's frames count alike in
 * every build, so the bound is half of the plain one's stack. */
START_TEST(a_handshake_fits_the_stack)
{
	meet(serves, visits);
	ck_assert_msg(connected == CONN_OK, "%s", client_facts.failure);
	ck_assert_int_eq(accepted, CONN_OK);
	ck_assert_str_eq(client_facts.version, "TLSv1.3");
	ck_assert(!client_facts.resumed);
	ck_assert_uint_gt(task_stack_high_water(loop), 0);
	ck_assert_uint_le(task_stack_high_water(loop), 32 * 1024);
}
END_TEST

START_TEST(the_next_one_resumes)
{
	for (int i = 0; i < 4; i++) {
		meet(serves, visits);
		ck_assert_int_eq(connected, CONN_OK);
		ck_assert_int_eq(client_facts.resumed, i > 0);
		ck_assert_int_eq(server_facts.resumed, i > 0);
	}
}
END_TEST

START_TEST(who_it_has_to_be)
{
	static const struct {
		const char *name, *failure;
	} table[] = {
	    {"hop.test", NULL},
	    {"192.0.2.1", NULL},
	    {"192.0.2.2", "IP address mismatch"},
	    {"other.test", "hostname mismatch"},
	    {"x.hop.test", "hostname mismatch"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		tls_peer_forget(&peer);
		snprintf(peer.name, sizeof(peer.name), "%s", table[i].name);
		meet(serves, visits);
		if (table[i].failure)
			ck_assert_str_eq(client_facts.failure, table[i].failure);
		else
			ck_assert_int_eq(connected, CONN_OK);
	}
}
END_TEST

static void takes_body(void *arg)
{
	size_t got = 0;
	struct text block;

	(void)arg;
	ck_assert_int_eq(tls_accept(server, &ours, in_ms(20000), &server_facts), CONN_OK);
	while (conn_read_some(&ours, &block, SIZE_MAX, in_ms(20000)) == CONN_OK) {
		if (got == 0) {
			ck_assert_uint_ge(block.n, 9);
			ck_assert_int_eq(memcmp(block.p, "BDAT now ", 9), 0);
			block.n = 9;
		} else {
			ck_assert_uint_le(got + block.n, BODY + 9);
			ck_assert_int_eq(memcmp(block.p, body + got - 9, block.n), 0);
		}
		got += block.n;
		conn_consume(&ours, block.n);
	}
	ck_assert_uint_eq(got, BODY + 9);
	conn_close(&ours);
	if (task_count(loop) == 1)
		loop_stop(loop);
}

/* What is pending, then pieces of all sizes, as the delivery writes them. */
static void gives_body(void *arg)
{
	struct iovec pieces[96];
	size_t at = 0;

	(void)arg;
	ck_assert_int_eq(tls_connect(client, &peer, &theirs, in_ms(20000), &client_facts), CONN_OK);
	conn_printf(&theirs, "BDAT now ");
	while (at < BODY) {
		int n = 0;

		for (; n < 96 && at < BODY; n++) {
			size_t size = 1 + (at * 31 + (size_t)n) % 70000;

			size = size < BODY - at ? size : BODY - at;
			pieces[n] = (struct iovec){body + at, size};
			at += size;
		}
		ck_assert_int_eq(conn_writev(&theirs, pieces, n, in_ms(20000)), CONN_OK);
	}
	conn_close(&theirs);
	if (task_count(loop) == 1)
		loop_stop(loop);
}

START_TEST(a_large_body_in_pieces)
{
	meet(takes_body, gives_body);
	ck_assert_uint_eq(theirs.bytes_out, BODY + 9);
}
END_TEST

/* Two records in one packet, of which one is read: the other stands where no socket tells of it. */
static void says_too_much(void *arg)
{
	(void)arg;
	ck_assert_int_eq(tls_accept(server, &ours, in_ms(20000), &server_facts), CONN_OK);
	conn_try(&ours, "250 a\r\n", 7);
	conn_try(&ours, "250 b\r\n", 7);
	task_sleep_until(in_ms(100));
	conn_close(&ours);
	if (task_count(loop) == 1)
		loop_stop(loop);
}

static void hears_one(void *arg)
{
	struct text line;

	(void)arg;
	ck_assert_int_eq(tls_connect(client, &peer, &theirs, in_ms(20000), &client_facts), CONN_OK);
	task_sleep_until(in_ms(50));
	ck_assert_int_eq(conn_getline(&theirs, &line, 100, in_ms(20000)), CONN_OK);
	ck_assert(text_eq(line, LIT("250 a")));
	ck_assert_uint_eq(conn_buffered(&theirs), 0);
	ck_assert(conn_input_may_come(&theirs));
	ck_assert_int_eq(conn_await_input(&theirs, 0), CONN_OK);
	ck_assert_uint_eq(conn_buffered(&theirs), 7);
	conn_close(&theirs);
	if (task_count(loop) == 1)
		loop_stop(loop);
}

START_TEST(a_record_that_nobody_asked_for_is_noticed)
{
	meet(says_too_much, hears_one);
}
END_TEST

static void waits_short(void *arg)
{
	(void)arg;
	accepted = tls_accept(server, &ours, in_ms(300), &server_facts);
	conn_close(&ours);
	loop_stop(loop);
}

/* A byte now and then of a record that is said to be long. */
static void trickles(void *arg)
{
	static const char hello[] = "\x16\x03\x01\x3f\xff\x01";

	(void)arg;
	for (int i = 0; accepted != CONN_TIMEOUT && i < 400; i++) {
		(void)!write(conn_fd(&theirs), i < 6 ? &hello[i] : "", 1);
		task_sleep_until(in_ms(5));
	}
	conn_close(&theirs);
}

START_TEST(bytes_that_trickle_in_do_not_move_the_deadline)
{
	accepted = CONN_OK;
	meet(waits_short, trickles);
	ck_assert_int_eq(accepted, CONN_TIMEOUT);
	task_cancel_all(loop);
	while (task_count(loop) > 0) {
		struct timer t = {0};

		timer_set(loop, &t, in_ms(1), (void (*)(void *))loop_stop, loop);
		loop_run(loop);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tls");
	TCase *t = tcase_create("tls");

	tcase_add_unchecked_fixture(t, make_certificates, forget_certificates);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_handshake_fits_the_stack);
	tcase_add_test(t, the_next_one_resumes);
	tcase_add_test(t, who_it_has_to_be);
	tcase_add_test(t, a_large_body_in_pieces);
	tcase_add_test(t, a_record_that_nobody_asked_for_is_noticed);
	tcase_add_test(t, bytes_that_trickle_in_do_not_move_the_deadline);
	suite_add_tcase(s, t);

	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
