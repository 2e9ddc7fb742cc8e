/* Networks: the longest one that holds an address, against a plain model that looks at every one.
 */
#include "tests/unit/lists_help.h"

enum { ROUNDS = 12, NETS = 120, PROBES = 400 };

struct model {
	struct net nets[NETS];
	int64_t expires[NETS];
	bool gone[NETS];
	int n;
};

/* Few distinct bytes, so that networks nest and addresses hit them. */
static struct ip random_ip(bool v4)
{
	struct ip ip = {{0}};

	if (v4) {
		memset(ip.b + 10, 0xff, 2);
		for (int i = 12; i < 16; i++)
			ip.b[i] = (uint8_t)(rand() % 3 * 0x55);
	} else {
		ip.b[0] = 0x20;
		for (int i = 1; i < 16; i++)
			ip.b[i] = (uint8_t)(rand() % 2 * 0xa5);
	}
	return ip;
}

static struct net random_net(void)
{
	bool v4 = rand() % 2;
	unsigned bits = (unsigned)(v4 ? 96 + rand() % 33 : rand() % 129);
	struct ip ip = random_ip(v4);

	return (struct net){ip_mask(&ip, bits), (uint8_t)bits};
}

static int model_find(const struct model *m, const struct ip *ip, int64_t now)
{
	int best = -1;

	for (int i = 0; i < m->n; i++) {
		if (m->gone[i] || (m->expires[i] && m->expires[i] <= now) ||
		    !net_contains(&m->nets[i], ip))
			continue;
		if (best < 0 || m->nets[i].bits > m->nets[best].bits)
			best = i;
	}
	return best;
}

static bool model_has(const struct model *m, const struct net *net)
{
	for (int i = 0; i < m->n; i++) {
		if (m->nets[i].bits == net->bits && ip_eq(&m->nets[i].ip, &net->ip))
			return true;
	}
	return false;
}

static void model_fill(struct model *m)
{
	char text[NET_TEXT_MAX];

	while (m->n < NETS) {
		struct net net = random_net();

		if (model_has(m, &net))
			continue;
		m->nets[m->n] = net;
		m->expires[m->n] = rand() % 4 ? 0 : 1 + rand() % 1000;
		struct list_entry e = entry(LIST_CLIENT, net_format(&net, text), m->expires[m->n]);

		ck_assert_int_eq(bans_put(&st, &e), 0);
		m->n++;
	}
}

static void compare(const struct model *m)
{
	for (int i = 0; i < PROBES; i++) {
		struct ip ip = random_ip(rand() % 2);
		int64_t now = rand() % 1000;
		int expected = model_find(m, &ip, now);
		struct list_entry e;
		char text[NET_TEXT_MAX];
		enum answer a = bans_find(&st, LIST_CLIENT, &ip, LIT(""), now, &e);

		ck_assert_int_eq(a, expected < 0 ? ANSWER_NO : ANSWER_YES);
		if (expected >= 0) {
			ck_assert_str_eq(e.key, net_format(&m->nets[expected], text));
			ck_assert_int_eq(e.net.bits, m->nets[expected].bits);
			ck_assert_int_eq(e.expires_wall_us, m->expires[expected]);
		}
	}
}

START_TEST(agrees_with_a_plain_model)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct model m = {0};
		char text[NET_TEXT_MAX];

		srand((unsigned)round);
		model_fill(&m);
		compare(&m);
		for (int i = 0; i < NETS; i++) {
			if (rand() % 2)
				continue;
			m.gone[i] = true;
			ck_assert_int_eq(bans_del(&st, LIST_CLIENT, net_format(&m.nets[i], text)),
					 0);
		}
		compare(&m);
		for (int i = 0; i < NETS; i++) {
			if (!m.gone[i])
				bans_del(&st, LIST_CLIENT, net_format(&m.nets[i], text));
		}
		m.n = 0;
		compare(&m);
	}
}
END_TEST

START_TEST(families_are_apart)
{
	struct list_entry e = entry(LIST_CLIENT, "::/0", 0);
	struct ip v4 = ip_of("192.0.2.1"), v6 = ip_of("2001:db8::1");

	ck_assert_int_eq(bans_put(&st, &e), 0);
	ck_assert_int_eq(bans_find(&st, LIST_CLIENT, &v4, LIT(""), 1, NULL), ANSWER_NO);
	ck_assert_int_eq(bans_find(&st, LIST_CLIENT, &v6, LIT(""), 1, NULL), ANSWER_YES);
	e = entry(LIST_CLIENT, "0.0.0.0/0", 0);
	ck_assert_int_eq(bans_put(&st, &e), 0);
	ck_assert_int_eq(bans_del(&st, LIST_CLIENT, "::/0"), 0);
	ck_assert_int_eq(bans_find(&st, LIST_CLIENT, &v4, LIT(""), 1, NULL), ANSWER_YES);
	ck_assert_int_eq(bans_find(&st, LIST_CLIENT, &v6, LIT(""), 1, NULL), ANSWER_NO);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("networks");
	TCase *tc = tcase_create("networks");
	SRunner *sr = srunner_create(s);

	tcase_add_checked_fixture(tc, lists_setup, lists_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, agrees_with_a_plain_model);
	tcase_add_test(tc, families_are_apart);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
