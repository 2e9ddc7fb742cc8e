/* What the policy costs a session of one message, and a login, with the worker's own world: lists
 * in LMDB, counters in the segment, events into a ring that nobody drains.
 *
 *   usage: bench_policy [DIRECTORY]     (for state; default /var/tmp) */
#include "policy/auth.h"
#include "policy/engine.h"
#include "shm/base/clock.h"
#include "worker/world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SESSIONS = 200000, TABLE_SIZE = 1 << 20, RING_SIZE = 1 << 20 };

static const char conf[] =
    "state-dir = \"%s/state\"\n"
    "listener \"mx\" { address = { \"127.0.0.1:2525\" } }\n"
    "route \"mail\" { hosts = { \"smtp://127.0.0.1:25\" } }\n"
    "domain \"example.net\" { route = \"mail\"  recipients = \"any\" }\n"
    "limit \"client\" { by = \"ip4/32, ip6/64\"  messages = { \"600/1m\", \"10000/1h\" } }\n"
    /* what asks the DNS waits for it, in a session of the worker's */
    "check \"reverse-dns\" { mode = \"off\" } check \"sender-verify\" { mode = \"off\" }\n"
    "check \"spf\" { mode = \"off\" } check \"dmarc\" { mode = \"off\" }\n"
    /* and what asks an inspector for that */
    "check \"dkim\" { mode = \"off\" }\n"
    "check \"antivirus\" { mode = \"off\" }\n"
    "check \"subject\" { patterns = { \"cheap +pills\" } }\n";

static const char header[] = "From: Ann <ann@example.org>\r\n"
			     "Date: Mon, 1 Jun 2026 09:14:07 +0200\r\n"
			     "Subject: =?utf-8?q?M=C3=A4rz?= report\r\n"
			     "Message-ID: <1@example.org>\r\n"
			     "To: b@example.net\r\n\r\n";

static struct segment seg;
static struct worker_world world = {.seg = &seg, .delimiter = '+'};
static struct config *config;
static struct arena session_arena, transaction_arena;

static void fail(const char *what)
{
	fprintf(stderr, "bench_policy: %s\n", what);
	exit(1);
}

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *f)
{
	(void)sb;
	(void)type;
	(void)f;
	return remove(path);
}

static void set_up(const char *dir)
{
	char path[300], state[300], message[200];
	struct buf err = buf_over(message, sizeof(message));
	struct store writer;
	FILE *f;

	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(path, sizeof(path), "%s/gatepost.conf", dir);
	if (mkdir(state, 0700) != 0 || !(f = fopen(path, "w")))
		fail("cannot write");
	fprintf(f, conf, dir);
	fclose(f);
	config = config_load(path, NULL, stderr, NULL);
	if (!config)
		fail("no configuration");
	for (int name = STORE_LISTS; name <= STORE_EVENTS; name++) {
		if (store_open(&writer, state, (enum store_name)name, STORE_WRITE, &err) != 0)
			fail(message);
		store_close(&writer);
	}
	if (segment_create(TABLE_SIZE, RING_SIZE, &(struct siphash_key){1, 2}, &seg) < 0)
		fail("no segment");
	world.state_dir = state;
	worker_world_open(&world);
	if (!world.lists_open)
		fail("no lists");
}

static struct ip any_client(void)
{
	static uint32_t n;
	struct ip ip = {{[10] = 0xff, [11] = 0xff}};

	n = n * 1664525 + 1013904223;
	memcpy(ip.b + 12, &n, 4);
	return ip;
}

static void one_recipient(struct session *s)
{
	struct recipient r = {
	    .mailbox = {.local = LIT("b"),
			.domain = LIT("example.net"),
			.whole = LIT("b@example.net")},
	    .domain = config_domain(config, LIT("example.net")),
	};

	r.route = r.domain->route;
	r.settings = r.domain->settings;
	if (engine_rcpt(s, &r).refused)
		return;
	s->tx->recipients = &r;
	s->tx->recipient_count = 1;
	s->tx->header = header_parse(text_of(header), 0, &s->tx->arena);
	s->tx->size = 5000;
	if (!engine_data(s).refused && !engine_message(s).refused)
		engine_accepted(s);
}

static void one_session(const char *helo)
{
	char shown[IP_TEXT_MAX];
	struct transaction tx = {
	    .arena = transaction_arena,
	    .from = {.local = LIT("ann"),
		     .domain = LIT("example.org"),
		     .whole = LIT("ann@example.org")},
	};
	struct session s = {
	    .arena = &session_arena,
	    .world = worker_world_make(&world),
	    .config = config,
	    .listener = config->listeners,
	    .client = any_client(),
	    .helo = text_of(helo),
	};

	s.client_text = text_of(ip_format(&s.client, shown));
	if (engine_connect(&s).refused)
		fail("refused at connect");
	engine_helo(&s);
	s.tx = &tx;
	if (engine_mail(&s).refused)
		fail("refused at MAIL");
	one_recipient(&s);
	arena_reset(&tx.arena);
	arena_reset(&session_arena);
}

static void measure(const char *what, const char *helo)
{
	int64_t start_us = clock_mono_us();

	for (int i = 0; i < SESSIONS; i++)
		one_session(helo);
	printf("%-44s %6.2f us\n", what, (double)(clock_mono_us() - start_us) / SESSIONS);
}

/* --- logins */

typedef void attempt_fn(struct session *s, uint32_t n);

static void look_up(struct session *s, uint32_t n)
{
	(void)n;
	if (engine_auth(s).refused)
		fail("refused at AUTH");
}

static void fail_anew(struct session *s, uint32_t n)
{
	char secret[16];

	snprintf(secret, sizeof(secret), "%u", n);
	s->client = any_client();
	auth_failed(s, LIT("ann@example.net"), text_of(secret));
}

static void fail_again(struct session *s, uint32_t n)
{
	(void)n;
	auth_failed(s, LIT("ann@example.net"), LIT("old"));
}

static void succeed(struct session *s, uint32_t n)
{
	(void)n;
	auth_succeeded(s, LIT("bob@example.net"));
}

static void measure_logins(const char *what, attempt_fn *attempt)
{
	struct session s = {.arena = &session_arena,
			    .world = worker_world_make(&world),
			    .config = config,
			    .listener = config->listeners,
			    .client = any_client(),
			    .client_text = LIT("192.0.2.1"),
			    .helo = LIT("phone.example.net")};
	int64_t start_us;

	engine_connect(&s);
	start_us = clock_mono_us();
	for (uint32_t i = 0; i < SESSIONS; i++) {
		attempt(&s, i);
		s.auth_attempts = 0;
	}
	printf("%-44s %6.2f us\n", what, (double)(clock_mono_us() - start_us) / SESSIONS);
	arena_reset(&session_arena);
}

int main(int argc, char **argv)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/gatepost-bench-XXXXXX", argc > 1 ? argv[1] : "/var/tmp");
	if (!mkdtemp(dir))
		fail("no directory");
	set_up(dir);
	measure("session with one message, accepted", "mx.example.org");
	measure("session refused at RCPT, with an incident", "192.0.2.1");
	measure_logins("AUTH: may the client try?", look_up);
	measure_logins("login failed, client and pair not seen before", fail_anew);
	measure_logins("login failed, the same pair again", fail_again);
	measure_logins("login succeeded", succeed);
	printf("a session's verdicts: %zu bytes\n", CHECK_COUNT * sizeof(struct check_run));
	worker_world_close(&world);
	config_free(config);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
