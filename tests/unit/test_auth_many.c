/* Failed logins in great numbers: random attempts against a plain model, many processes that count
 * at once in one table, and processes that are killed while they count. */
#include "policy/auth.h"
#include "policy/mark.h"
#include "shm/base/clock.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTES(n) ((int64_t)(n)*60 * SECOND_US)

static struct fixture f;

static void start(void)
{
	fixture_init(&f);
	f.world.boot_us = MINUTES(100000);
	f.listener.set.auth = LISTENER_AUTH_REQUIRED;
	f.config.auth.attempts = 1 << 20;
}

static void stop(void)
{
	fixture_free(&f);
}

static uint32_t state = 1;

static unsigned below(unsigned n)
{
	state = state * 1664525 + 1013904223;
	return (unsigned)((uint64_t)(state >> 8) * n >> 24);
}

/* ---- the model: all in whole minutes, and nothing is ever forgotten to save room ---- */

enum { CLIENTS = 4, LOGINS = 4, SECRETS = 7, THRESHOLD = 10, PERIOD = 10, PAIR_LIFE = 60 };

struct of_login {
	int seen[SECRETS];      /* when last; secret 0 is one that isn't shown */
	int hidden, hidden_end; /* failures of that kind */
	int part, part_period;  /* pairs within the client's period of that number */
};

struct of_client {
	struct of_login logins[LOGINS];
	int pairs, end, period; /* `period` counts them */
	int blocked_until, blocks, blocks_until;
};

static struct of_client model[CLIENTS];

static bool model_is_new(struct of_login *l, unsigned secret, int now)
{
	if (secret != 0) {
		bool is_new = l->seen[secret] + PAIR_LIFE <= now;

		l->seen[secret] = now;
		return is_new;
	}
	if (l->hidden_end <= now) {
		l->hidden = 0;
		l->hidden_end = now + PERIOD;
	}
	l->hidden++;
	return l->hidden == 1 || l->hidden > THRESHOLD;
}

static void model_block(struct of_client *c, int now)
{
	int hours = 1;

	if (c->blocks_until <= now)
		c->blocks = 0;
	for (int i = 0; i < c->blocks && hours < 24; i++)
		hours *= 2;
	if (hours > 24)
		hours = 24;
	c->blocks++;
	c->blocked_until = now + hours * 60;
	c->blocks_until = c->blocked_until + 24 * 60;
	c->end = 0;
}

static void model_failed(struct of_client *c, struct of_login *l, unsigned secret, int now)
{
	if (!model_is_new(l, secret, now) || c->blocked_until > now)
		return;
	if (c->end <= now) {
		c->pairs = 0;
		c->end = now + PERIOD;
		c->period++;
	}
	if (l->part_period != c->period) {
		l->part_period = c->period;
		l->part = 0;
	}
	l->part++;
	if (++c->pairs >= THRESHOLD)
		model_block(c, now);
}

static void model_succeeded(struct of_client *c, struct of_login *l, int now)
{
	l->hidden_end = 0;
	if (c->end > now && l->part_period == c->period)
		c->pairs -= l->part;
	l->part = 0;
}

static void model_begin(void)
{
	memset(model, 0, sizeof(model));
	for (int c = 0; c < CLIENTS; c++) {
		for (int l = 0; l < LOGINS; l++) {
			for (int s = 0; s < SECRETS; s++)
				model[c].logins[l].seen[s] = -PAIR_LIFE;
		}
	}
}

static void session_of(unsigned client)
{
	char address[24];

	snprintf(address, sizeof(address), "192.0.2.%u", client + 1);
	fixture_connect(&f, address);
	fixture_helo(&f, "phone.example.org");
}

static void ck_same(unsigned client, int now)
{
	const struct of_client *c = &model[client];
	struct tally why;
	bool blocked = block_stands(&f.s, CHECK_auth_block, &why);
	struct tally count = tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT));

	ck_assert_int_eq(blocked, c->blocked_until > now);
	ck_assert_int_eq(engine_auth(&f.s).refused, blocked);
	ck_assert_uint_eq(count.first, c->end > now ? (unsigned)c->pairs : 0);
	if (blocked)
		ck_assert_uint_ge(why.first, THRESHOLD);
}

START_TEST(as_a_plain_model_says)
{
	const unsigned seed = (unsigned)_i;
	unsigned blocks = 0;
	int now = 0;

	state = seed + 1;
	model_begin();
	for (int step = 0; step < 1500; step++) {
		unsigned client = below(CLIENTS), login = below(LOGINS), secret = below(SECRETS);
		struct of_client *c = &model[client];
		struct of_login *l = &c->logins[login];
		char name[8], word[8];

		if (below(8) == 0) {
			int minutes = (int)below(below(6) == 0 ? 2000 : 8);

			now += minutes;
			f.world.boot_us += MINUTES(minutes);
		}
		session_of(client);
		ck_same(client, now);
		snprintf(name, sizeof(name), "l%u", login);
		snprintf(word, sizeof(word), "s%u", secret);
		if (below(12) == 0) {
			auth_succeeded(&f.s, text_of(name));
			model_succeeded(c, l, now);
		} else {
			auth_failed(&f.s, text_of(name), secret ? text_of(word) : LIT(""));
			model_failed(c, l, secret, now);
		}
		blocks += c->blocked_until > now;
		ck_same(client, now);
	}
	ck_assert_uint_gt(blocks, 0);
}
END_TEST

/* ---- many writers: the same calls, over one real table ---- */

enum { WRITERS = 6, ATTACKED = 60, TABLE_SIZE = 1 << 20 };

static struct table table;

struct ledger {
	_Atomic unsigned blocks[ATTACKED]; /* told, by client */
	_Atomic uint64_t begun[WRITERS], done[WRITERS];
	_Atomic unsigned client;
};
static struct ledger *ledger;

static uint64_t real_tag(void *self, enum table_kind kind, struct text space, const void *key,
			 size_t n)
{
	(void)self;
	return table_tag(&table, kind, space, key, n);
}

static uint64_t real_read(void *self, uint64_t tag)
{
	(void)self;
	return table_read(&table, tag);
}

static uint64_t real_update(void *self, uint64_t tag, uint64_t (*change)(uint64_t old, void *arg),
			    void *arg)
{
	return table_update(&table, tag, change, arg, ((struct world_table *)self)->boot_us);
}

static void real_forget(void *self, uint64_t tag)
{
	(void)self;
	table_forget(&table, tag);
}

static unsigned current;
static struct arena scratch;

static void count_blocks(void *self, const struct event *e)
{
	(void)self;
	if (event_kind(e) == EVENT_BLOCK)
		atomic_fetch_add(&ledger->blocks[current], 1);
}

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static void use_real_table(void)
{
	static struct world_ops ops;

	session_of(0);
	ops = *f.s.world.ops;
	ops.counter_tag = real_tag;
	ops.counter_read = real_read;
	ops.counter_update = real_update;
	ops.counter_forget = real_forget;
	ops.emit = count_blocks;
	table =
	    (struct table){shared(TABLE_SIZE * sizeof(struct table_entry)), TABLE_SIZE / 4, {1, 2}};
	ledger = shared(sizeof(*ledger));
	f.s.world.ops = &ops;
	arena_init(&scratch, NULL, NULL);
	f.s.arena = &scratch;
}

static void drop_real_table(void)
{
	munmap(table.buckets, TABLE_SIZE * sizeof(struct table_entry));
	munmap(ledger, sizeof(*ledger));
}

static void be_client(unsigned n)
{
	char address[24];

	current = n;
	snprintf(address, sizeof(address), "192.0.2.%u", n + 1);
	ck_assert(ip_parse(text_of(address), &f.s.client));
}

static void guess(unsigned login, unsigned secret)
{
	char name[24], word[24];

	snprintf(name, sizeof(name), "user%u", login);
	snprintf(word, sizeof(word), "word%u", secret);
	auth_failed(&f.s, text_of(name), text_of(word));
	arena_reset(&scratch);
}

/* The clients below the half fail with one pair less than it takes, the others with just as many;
 * all writers say all of it, from different ends. */
static void attack(unsigned writer)
{
	for (unsigned i = 0; i < ATTACKED * THRESHOLD * 3; i++) {
		unsigned at = writer & 1 ? ATTACKED * THRESHOLD * 3 - 1 - i : i;
		unsigned client = at % ATTACKED, pair = at / ATTACKED % THRESHOLD;

		if (client < ATTACKED / 2 && pair == 0)
			continue;
		be_client(client);
		guess(pair % 3, pair);
	}
}

static pid_t fork_writer(unsigned writer, void (*run)(unsigned writer))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		run(writer);
		_exit(0);
	}
	return pid;
}

START_TEST(exactly_the_right_ones_are_blocked)
{
	pid_t pids[WRITERS];
	struct tally why;
	int status;

	use_real_table();
	for (unsigned w = 0; w < WRITERS; w++)
		pids[w] = fork_writer(w, attack);
	for (unsigned w = 0; w < WRITERS; w++) {
		ck_assert_int_eq(waitpid(pids[w], &status, 0), pids[w]);
		ck_assert_int_eq(status, 0);
	}
	for (unsigned n = 0; n < ATTACKED; n++) {
		bool expected = n >= ATTACKED / 2;

		be_client(n);
		ck_assert_int_eq(block_stands(&f.s, CHECK_auth_block, &why), expected);
		ck_assert_uint_eq(ledger->blocks[n], expected);
		if (!expected)
			ck_assert_uint_eq(
			    tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first,
			    THRESHOLD - 1);
	}
	drop_real_table();
}
END_TEST

/* ---- killed writers ---- */

static void guess_for_ever(unsigned writer)
{
	be_client(0);
	for (;;) {
		uint64_t n = atomic_fetch_add(&ledger->begun[writer], 1);

		guess(writer, (unsigned)n);
		atomic_store(&ledger->done[writer], n + 1);
	}
}

/* Each that is killed costs one pair at most. */
START_TEST(killed_writers)
{
	enum { KILLS = 150 };
	uint64_t begun = 0, done = 0;

	use_real_table();
	f.config.auth.failures = (struct rate){1 << 20, MINUTES(600)};
	for (unsigned k = 0; k < KILLS; k++) {
		unsigned w = k % WRITERS;
		pid_t pid = fork_writer(w, guess_for_ever);

		/* It may not have come to anything yet. */
		usleep(200 + below(1500));
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		begun += ledger->begun[w];
		done += ledger->done[w];
	}
	be_client(0);
	uint64_t pairs = tally_read(&f.s, client_tag(&f.s, TABLE_MARK, AUTH_COUNT)).first;

	ck_assert_uint_gt(begun, 0);
	ck_assert_uint_le(pairs, begun);
	ck_assert_uint_ge(pairs + KILLS, begun);
	ck_assert_uint_le(done, begun);
	drop_real_table();
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("auth_many");
	Suite *suite = suite_create("auth_many");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, as_a_plain_model_says, 0, 8);
	tcase_add_test(tc, exactly_the_right_ones_are_blocked);
	tcase_add_test(tc, killed_writers);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
