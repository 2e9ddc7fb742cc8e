/* The parts of a login that need no daemon: datagrams, SCRAM against libgsasl's own client, the
 * queue of passwords, Dovecot's lines. */
#include "shm/base/clock.h"
#include "shm/password.h"
#include "worker/auth/dovecot_line.h"
#include "worker/auth/hasher.h"
#include "worker/auth/scram.h"
#include "worker/smtp/auth_exchange.h"

#include <check.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Datagrams */

START_TEST(datagrams_there_and_back)
{
	char room[AUTH_REQUEST_MAX + 1], reply_room[AUTH_REPLY_MAX + 1];
	struct buf b = buf_over(room, sizeof(room)), rb = buf_over(reply_room, sizeof(reply_room));
	const struct auth_request rq = {AUTH_PASSWORD, 77, LIT("ann@x"), LIT("se\0cret")};
	const struct auth_reply rp = {AUTH_YES, LIT("ann@x"), LIT("a\nb"), LIT("v=1")};
	struct auth_request got;
	struct auth_reply answer;

	ck_assert(auth_request_put(&b, &rq) && auth_request_get(buf_view(&b), &got));
	ck_assert(got.kind == rq.kind && got.deadline_mono_us == 77);
	ck_assert(text_eq(got.login, rq.login) && text_eq(got.secret, rq.secret));
	ck_assert(auth_reply_put(&rb, &rp) && auth_reply_get(buf_view(&rb), &answer));
	ck_assert(answer.verdict == AUTH_YES && text_eq(answer.senders, rp.senders) &&
		  text_eq(answer.data, rp.data));
	/* cut anywhere, or with more behind, it is none */
	for (size_t n = 0; n < b.n; n++)
		ck_assert(!auth_request_get(text_make(b.p, n), &got));
	for (size_t n = 0; n < rb.n; n++)
		ck_assert(!auth_reply_get(text_make(rb.p, n), &answer));
	b.p[b.n] = 'x';
	ck_assert(!auth_request_get(text_make(b.p, b.n + 1), &got));
}
END_TEST

START_TEST(datagrams_have_limits)
{
	static char bytes[AUTH_SECRET_MAX + 1];
	char room[AUTH_REQUEST_MAX + 1];
	struct buf b = buf_over(room, sizeof(room));
	struct auth_request rq = {.kind = AUTH_PASSWORD,
				  .login = text_make(bytes, LIST_KEY_MAX),
				  .secret = text_make(bytes, AUTH_SECRET_MAX)};

	ck_assert(auth_request_put(&b, &rq));
	b = buf_over(room, sizeof(room));
	rq.secret.n++;
	ck_assert(!auth_request_put(&b, &rq));
	rq.secret.n--;
	rq.login.n++;
	b = buf_over(room, sizeof(room));
	ck_assert(!auth_request_put(&b, &rq));
}
END_TEST

/* ---- SCRAM */

static struct user the_user;
static int store_says; /* for "ann@x" */

static int find(void *self, struct text login, struct user *out)
{
	(void)self;
	if (store_says != 0 || !text_eq(login, LIT("ann@x")))
		return store_says ? store_says : MDB_NOTFOUND;
	*out = the_user;
	return 0;
}

static struct scram *scram;
static Gsasl *client_library;
static const char *client_name, *client_password, *client_authzid;

static int as_client(Gsasl *g, Gsasl_session *s, Gsasl_property p)
{
	const char *value = p == GSASL_AUTHID     ? client_name
			    : p == GSASL_PASSWORD ? client_password
			    : p == GSASL_AUTHZID  ? client_authzid
						  : NULL;

	(void)g;
	return value ? gsasl_property_set(s, p, value) : GSASL_NO_CALLBACK;
}

static void start(void)
{
	unsigned char secret[USERS_SECRET_BYTES] = "secret";

	ck_assert(password_scram("pencil", &the_user.scram));
	snprintf(the_user.senders, sizeof(the_user.senders), "a@x");
	store_says = 0;
	client_authzid = NULL;
	scram = scram_open(secret);
	ck_assert_ptr_nonnull(scram);
	ck_assert_int_eq(gsasl_init(&client_library), GSASL_OK);
	gsasl_callback_set(client_library, as_client);
}

static void stop(void)
{
	scram_close(scram);
	gsasl_done(client_library);
}

/* A whole exchange with a real client: what the server says at the end. */
static enum auth_verdict exchange(const char *name, const char *password)
{
	Gsasl_session *client;
	struct scram_exchange *x;
	struct auth_reply r;
	char *said = NULL;
	size_t n;

	client_name = name;
	client_password = password;
	ck_assert_int_eq(gsasl_client_start(client_library, "SCRAM-SHA-256", &client), GSASL_OK);
	ck_assert_int_eq(gsasl_step(client, NULL, 0, &said, &n), GSASL_NEEDS_MORE);
	r = scram_begin(scram, text_make(said, n), find, NULL, &x);
	free(said);
	if (r.verdict == AUTH_CHALLENGE) {
		ck_assert_int_eq(gsasl_step(client, r.data.p, r.data.n, &said, &n),
				 GSASL_NEEDS_MORE);
		r = scram_finish(x, text_make(said, n));
		free(said);
		if (r.verdict == AUTH_YES) {
			/* The server has proved itself, too. */
			ck_assert_int_eq(gsasl_step(client, r.data.p, r.data.n, &said, &n),
					 GSASL_OK);
			free(said);
			ck_assert(text_eq(r.login, LIT("ann@x")));
			ck_assert(text_eq(r.senders, LIT("a@x")));
		}
		scram_end(x);
	} else {
		ck_assert_ptr_null(x);
	}
	gsasl_finish(client);
	return r.verdict;
}

START_TEST(scram_with_a_real_client)
{
	ck_assert_int_eq(exchange("ann@x", "pencil"), AUTH_YES);
	ck_assert_int_eq(exchange("ANN@X", "pencil"), AUTH_YES);
	ck_assert_int_eq(exchange("ann@x", "pencil "), AUTH_NO);
	ck_assert_int_eq(exchange("bob@x", "pencil"), AUTH_NO);
	ck_assert_int_eq(exchange("a,b=c", "pencil"), AUTH_NO);
	ck_assert_int_eq(exchange("no such name", "pencil"), AUTH_NO);
	client_authzid = "ann@x";
	ck_assert_int_eq(exchange("ann@x", "pencil"), AUTH_YES);
	client_authzid = "bob@x";
	ck_assert_int_ne(exchange("ann@x", "pencil"), AUTH_YES);
	client_authzid = NULL;
	store_says = MDB_CORRUPTED;
	ck_assert_int_eq(exchange("ann@x", "pencil"), AUTH_CANT);
}
END_TEST

static enum auth_verdict begin(struct text first)
{
	struct scram_exchange *x;
	const struct auth_reply r = scram_begin(scram, first, find, NULL, &x);
	const enum auth_verdict v = r.verdict;

	if (x)
		scram_end(x);
	return v;
}

START_TEST(scram_first_messages)
{
	static const char *const bad[] = {"",
					  "n",
					  "n,",
					  "n,,",
					  "n,,n=",
					  "n,,n=ann@x",
					  "n,,r=x",
					  "x,,n=a,r=x",
					  "p=tls-unique,,n=ann@x,r=abc",
					  "n,,m=x,n=ann@x,r=abc",
					  "n,,n=ann@x,r=",
					  "n,b=x,n=ann@x,r=abc",
					  "n,,n=a=2,r=abc",
					  "n,,n=a=00b,r=abc",
					  "n,,n=ann@x,r=a\x01z",
					  "n,,n=\xff,r=abc"};
	char nul[] = "n,,n=ann@x,r=a\0c", *huge = malloc(9000);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(begin(text_of(bad[i])) == AUTH_MALFORMED, "%s: %d", bad[i],
			      begin(text_of(bad[i])));
	ck_assert_int_eq(begin(text_make(nul, sizeof(nul) - 1)), AUTH_MALFORMED);
	memset(huge, 'x', 9000);
	memcpy(huge, "n,,n=", 5);
	ck_assert_int_eq(begin(text_make(huge, 9000)), AUTH_MALFORMED);
	free(huge);
	ck_assert_int_eq(begin(LIT("n,,n=ann@x,r=abc")), AUTH_CHALLENGE);
	ck_assert_int_eq(begin(LIT("y,,n=ann@x,r=abc")), AUTH_CHALLENGE);
}
END_TEST

START_TEST(scram_second_messages)
{
	static const char *const bad[] = {
	    "",
	    "x",
	    "c=biws",
	    "c=biws,r=abc",
	    "c=biws,r=abc,p=",
	    "c=biws,r=abc,p=!!!!",
	    "c=biws,r=abc,p=AAAA",
	    "c=eSws,r=abc,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	    "n,,n=ann@x,r=abc",
	    "c=biws,r=\x01,p=AAAA"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scram_exchange *x;
		const struct auth_reply r =
		    scram_begin(scram, LIT("n,,n=ann@x,r=abc"), find, NULL, &x);

		ck_assert_int_eq(r.verdict, AUTH_CHALLENGE);
		const enum auth_verdict v = scram_finish(x, text_of(bad[i])).verdict;

		ck_assert_msg(v == AUTH_MALFORMED || v == AUTH_NO, "%s: %d", bad[i], v);
		scram_end(x);
	}
}
END_TEST

/* ---- The queue of passwords */

static void answer_of(int fd, struct auth_reply *r, char room[AUTH_REPLY_MAX])
{
	const ssize_t n = recv(fd, room, AUTH_REPLY_MAX, 0);

	ck_assert(n > 0 && auth_reply_get(text_make(room, (size_t)n), r));
	close(fd);
}

static int ask(struct hasher *h, struct hash_job *job)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	job->reply_fd = pair[1];
	if (hasher_put(h, job))
		return pair[0];
	close(pair[0]);
	close(pair[1]);
	return -1;
}

START_TEST(queue_of_passwords)
{
	struct hasher *h = hasher_start(1);
	static struct hash_job job;
	char room[AUTH_REPLY_MAX];
	struct auth_reply r;
	int fds[200], taken = 0, full = 0;

	ck_assert_ptr_nonnull(h);
	job = (struct hash_job){.deadline_mono_us = INT64_MAX, .known = true, .login = "ann@x"};
	ck_assert(password_hash("pencil", job.user.hash));
	snprintf(job.password, sizeof(job.password), "pencil");
	answer_of(ask(h, &job), &r, room);
	ck_assert_int_eq(r.verdict, AUTH_YES);
	snprintf(job.password, sizeof(job.password), "wrong");
	answer_of(ask(h, &job), &r, room);
	ck_assert_int_eq(r.verdict, AUTH_NO);
	/* Not even the password of nobody's hash. */
	job.known = false;
	snprintf(job.password, sizeof(job.password), "nobody's");
	answer_of(ask(h, &job), &r, room);
	ck_assert_int_eq(r.verdict, AUTH_NO);
	/* Full: said at once.  What was taken is answered, at the end, too. */
	for (int i = 0; i < 200; i++) {
		const int fd = ask(h, &job);

		if (fd >= 0)
			fds[taken++] = fd;
		else
			full++;
	}
	ck_assert(full > 0 && taken >= 64);
	hasher_stop(h);
	for (int i = 0; i < taken; i++)
		answer_of(fds[i], &r, room);
}
END_TEST

START_TEST(queue_forgets_what_is_late)
{
	struct hasher *h = hasher_start(1);
	static struct hash_job job;
	char byte;
	int fd;

	job = (struct hash_job){.deadline_mono_us = clock_mono_us() - 1, .password = "x"};
	fd = ask(h, &job);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
	close(fd);
	hasher_stop(h);
}
END_TEST

/* ---- Dovecot's lines */

static struct dovecot_line line_of(const char *text)
{
	struct dovecot_line l;

	ck_assert_msg(dovecot_line_parse(text_of(text), &l), "%s", text);
	return l;
}

START_TEST(lines_of_dovecot)
{
	static const char *const bad[] = {"",           "OK",     "OK\t",           "OK\tx",
					  "FAIL\t-1",   "CONT\t", "OK\t4294967296", "VERSION",
					  "VERSION\tx", "MECH",   "MECH\t",         "\tOK\t1"};
	struct dovecot_line l = line_of("OK\t7\tuser=ann\001t@x\tsender=a@x,b@x\tuid=5");
	struct arena a;

	arena_init(&a, NULL, NULL);
	ck_assert(l.verb == DOVECOT_OK && l.id == 7 && text_eq(l.senders, LIT("a@x,b@x")));
	ck_assert(text_eq(dovecot_unescape(l.user, &a), LIT("ann\t@x")));
	ck_assert(text_eq(dovecot_unescape(LIT("\0010\0011\001n\001r\001z\001"), &a),
			  LIT("\0\001\n\rz\001")));
	l = line_of("FAIL\t4294967295\tuser=ann@x");
	ck_assert(l.verb == DOVECOT_FAIL && l.id == 4294967295U && !l.temporary);
	ck_assert(line_of("FAIL\t1\ttemp").temporary);
	ck_assert(line_of("FAIL\t1\tuser=x\tcode=temp_fail").temporary);
	ck_assert(!line_of("FAIL\t1\tuser=temp\tcode=authz").temporary);
	l = line_of("CONT\t3\tcj0x");
	ck_assert(l.verb == DOVECOT_CONT && text_eq(l.text, LIT("cj0x")));
	ck_assert(line_of("CONT\t3").text.n == 0);
	ck_assert(line_of("MECH\tPLAIN\tplaintext").verb == DOVECOT_MECH);
	ck_assert(line_of("VERSION\t1\t2").id == 1);
	ck_assert(line_of("DONE").verb == DOVECOT_DONE && line_of("SPID\t1").verb == DOVECOT_OTHER);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!dovecot_line_parse(text_of(bad[i]), &l), "%s", bad[i]);
	arena_reset(&a);
}
END_TEST

/* ---- PLAIN */

static bool plain(struct text t)
{
	struct text authzid, name, password;

	return auth_split_plain(t, &authzid, &name, &password);
}

START_TEST(fields_of_plain)
{
	struct text authzid, name, password;

	ck_assert(auth_split_plain(LIT("a\0b\0c"), &authzid, &name, &password));
	ck_assert(text_eq(authzid, LIT("a")) && text_eq(name, LIT("b")) &&
		  text_eq(password, LIT("c")));
	ck_assert(plain(LIT("\0b\0")));
	ck_assert(!plain(LIT("")) && !plain(LIT("a")) && !plain(LIT("\0")) && !plain(LIT("a\0b")));
	ck_assert(!plain(LIT("\0\0c")) && !plain(LIT("\0b\0c\0")) && !plain(LIT("\0b\0\0c")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("login");
	TCase *tc = tcase_create("login");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, datagrams_there_and_back);
	tcase_add_test(tc, datagrams_have_limits);
	tcase_add_test(tc, scram_with_a_real_client);
	tcase_add_test(tc, scram_first_messages);
	tcase_add_test(tc, scram_second_messages);
	tcase_add_test(tc, queue_of_passwords);
	tcase_add_test(tc, queue_forgets_what_is_late);
	tcase_add_test(tc, lines_of_dovecot);
	tcase_add_test(tc, fields_of_plain);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
