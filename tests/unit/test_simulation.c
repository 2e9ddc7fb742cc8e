/* Whole sessions from one seed, run through the engine in a world where anything may be away, slow
 * or full (world_faulty.h): what must hold of every answer, whatever happens.
 *
 * A failure names its seed; SIMULATION_SEED=n runs that one world alone. */
#include "policy/auth.h"
#include "policy/dnsbl.h"
#include "policy/engine.h"
#include "policy/patterns.h"
#include "tests/unit/world_faulty.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORLDS = 60, SESSIONS = 100, ROOM = 8, LIMITS = 5, REPLY_LINE_MAX = 512 };

/* One server: what is drawn once for all its sessions. */
struct server {
	struct faulty_world world;
	struct config config;
	struct listener listener;
	struct route routes[2];
	struct hop_address hops[2];
	struct domain domains[3];
	struct settings other; /* of the last domain */
	struct limit limits[LIMITS];
	struct rate rates[LIMITS];
	int64_t period_us; /* of all of them */
	struct rate_list lists[LIMITS];
	struct dnsbl dnsbls[3];
	struct dnsbl_code code;
	struct auth_network office;
	struct net office_net;
	struct text spf_refused[3], dkim_required[1];
	struct pattern_list *patterns;
	bool inside; /* a session runs while another one waits for its hop */
	uint64_t seed;
	unsigned refused, accepted;
};

/* One session. */
struct play {
	struct server *server;
	struct arena arena;
	struct session s;
	struct transaction tx;
	struct recipient room[ROOM];
	const char *saved_check; /* the check from which the client is surely exempt */
	bool away, dns_away;     /* the lists, or the DNS, were away all the time */
};

static uint64_t below(struct server *v, uint64_t n)
{
	return faulty_below(&v->world, n);
}

#define ONE_OF(server, table) ((table)[below(server, sizeof(table) / sizeof((table)[0]))])

/* --- what must hold */

/* Without libcheck's own bookkeeping, which costs a system call a time. */
#define HOLDS(play, what)                                                                          \
	do {                                                                                       \
		if (!(what))                                                                       \
			ck_abort_msg("seed %llu: %s", (unsigned long long)(play)->server->seed,    \
				     #what);                                                       \
	} while (0)

static bool is_printable(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < 0x20 || t.p[i] >= 0x7f)
			return false;
	}
	return true;
}

static void reply_line_is_one(struct play *p, const struct decision *d, bool greeting)
{
	size_t octets = 3 + 1 + d->enhanced.n + (d->enhanced.n > 0) + d->text.n + 2;

	HOLDS(p, d->code >= 400 && d->code <= 599);
	HOLDS(p, octets <= REPLY_LINE_MAX);
	HOLDS(p, is_printable(d->text));
	if (d->enhanced.n)
		HOLDS(p, d->enhanced.p[0] == '0' + d->code / 100 && d->enhanced.p[1] == '.');
	if (greeting) {
		HOLDS(p, d->code == 421 || d->code == 554);
		HOLDS(p, d->enhanced.n == 0);
	} else {
		HOLDS(p, d->enhanced.n > 0);
	}
}

static void is_one_incident(struct play *p, const struct decision *d, enum phase phase)
{
	const struct faulty_deeds *deeds = &p->server->world.deeds;
	char shown[INCIDENT_TEXT_MAX];
	struct text mark;

	HOLDS(p, deeds->incidents + deeds->repeats == 1);
	HOLDS(p, d->incident != 0 && d->incident == deeds->incident);
	HOLDS(p, strcmp(deeds->phase, phase_name(phase)) == 0);
	incident_format(LIT("mx1"), d->incident, shown);
	mark = text_of(shown);
	HOLDS(p, memmem(d->text.p, d->text.n, mark.p, mark.n) != NULL);
}

static bool asks_dns(int check)
{
	return check == CHECK_reverse_dns || check == CHECK_dnsbl || check == CHECK_sender_verify ||
	       check == CHECK_sender_callout || check == CHECK_spf || check == CHECK_dkim;
}

static void may_refuse(struct play *p, const struct decision *d, bool roles)
{
	const struct check_row *row = check_row((enum check_id)d->check);
	enum run_mode mode = (enum run_mode)p->s.config->global.mode;

	if (d->cause == CAUSE_OURS)
		HOLDS(p, d->code < 500);
	if (mode == RUN_SOFT)
		HOLDS(p, d->code < 500);
	if (mode == RUN_MONITOR)
		HOLDS(p, row->who == WHO_PROTOCOL || d->check == CHECK_recipient_verify);
	if (p->s.own)
		HOLDS(p, row->who != WHO_STRANGER);
	if (roles)
		HOLDS(p, row->who != WHO_STRANGER && row->who != WHO_SENDER);
	/* Nobody can say whether the sender is exempt. */
	if (p->away && row->who != WHO_PROTOCOL)
		HOLDS(p, d->code < 500);
	if (p->dns_away)
		HOLDS(p, d->code < 500 || !asks_dns(d->check));
	if (p->saved_check && row->who != WHO_PROTOCOL)
		HOLDS(p,
		      strcmp(p->saved_check, "*") != 0 && strcmp(p->saved_check, row->name) != 0);
}

/* No check before the one that decided stands against the recipient. */
static void is_the_first(struct play *p, const struct decision *d)
{
	for (int id = 0; id < d->check; id++) {
		const struct check_run *run = &p->s.runs[id];

		HOLDS(p, run_outcome(run) != OUTCOME_REFUSE || run->verdict->noted ||
			     run->mode != MODE_ENFORCE || run->fate != FATE_STANDS);
	}
}

/* `roles`: all that it concerns are postmaster@ or abuse@ of own domains. */
static void judge(struct play *p, const struct decision *d, enum phase phase, bool roles)
{
	struct faulty_world *w = &p->server->world;

	faulty_note(w, &d->code, sizeof(d->code));
	faulty_note(w, d->enhanced.p, d->enhanced.n);
	faulty_note(w, d->text.p, d->text.n);
	if (!d->refused) {
		HOLDS(p, w->deeds.incidents + w->deeds.repeats == 0);
		return;
	}
	p->server->refused++;
	HOLDS(p, w->deeds.charges == 0);
	reply_line_is_one(p, d, phase == PHASE_CONNECT);
	is_one_incident(p, d, phase);
	if (d->close)
		HOLDS(p, catalog_row(d->closing)->code == 421);
	if (d->check < 0)
		return;
	may_refuse(p, d, roles);
	if (phase == PHASE_RCPT)
		is_the_first(p, d);
}

static void begin_step(struct play *p)
{
	p->server->world.deeds = (struct faulty_deeds){0};
}

/* --- a session, step by step */

static const char *const clients[] = {
    "198.51.100.7", "198.51.100.8", "203.0.113.77", "192.0.2.1", "2001:db8::1", "2001:db8:1:2::3",
};
static const char *const hosts[] = {"", "", "mail.example.org", "a.b.c.example.com"};
static const char *const hellos[] = {
    "client.example.org", "198.51.100.7", "[198.51.100.7]", "x\xff%s%n\x01", "example.com", "",
};
static const char *const senders[] = {
    "",
    "",
    "a@example.org",
    "b+tag@example.com",
    ".dot@example.org",
    "\"quo\\\"ted %s\"@example.net",
    "j\xc3\xbcrg@example.org",
    "long-long-long-long-long-long-long-long-long-long-long-long@"
    "a23456789012345678901234567890123456789012345678901234567890.example.org",
    "x@[192.0.2.1]",
};
static const char *const recipients[] = {
    "a@example.net",
    "b@example.net",
    "c+tag@example.net",
    "a%b@example.net",
    ".d@other.example",
    "e@other.example",
    "postmaster@example.net",
    "Abuse@other.example",
    "postmaster@elsewhere.example",
    "f@elsewhere.example",
    "j\xc3\xbcrg@third.example",
    "g@third.example",
};
static const char *const headers[] = {
    "From: <a@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\n",
    "From: <a@example.com>\r\nReply-To: <>\r\nSubject: =?utf-8?Q?buy_now?=\r\n\r\n",
    "\xc3: x\r\n\r\n",
    "",
    "no field at all\r\nSubject: \xff\xfe buy now\r\n\r\n",
};

static void connects(struct play *p)
{
	struct server *v = p->server;
	const char *client = ONE_OF(v, clients);

	p->s = (struct session){
	    .arena = &p->arena,
	    .world = {&faulty_ops, &v->world},
	    .config = &v->config,
	    .listener = &v->listener,
	    .client_text = text_of(client),
	    .own = faulty_chance(&v->world, 40),
	    .early_talker = faulty_chance(&v->world, 40),
	    .under_stress = faulty_chance(&v->world, 40),
	    .host = text_of(ONE_OF(v, hosts)),
	    .login = faulty_chance(&v->world, 40) ? LIT("user17") : LIT(""),
	    .id = "s1",
	};
	HOLDS(p, ip_parse(text_of(client), &p->s.client));
}

static void parse(struct play *p, const char *address, struct mailbox *out)
{
	*out = (struct mailbox){0};
	if (*address)
		HOLDS(p, address_parse(text_of(address), true, &p->tx.arena, out) == ADDRESS_OK);
}

static void end_transaction(struct play *p)
{
	const struct text would = engine_would(&p->s);
	struct arena arena = p->tx.arena;

	faulty_note(&p->server->world, would.p, would.n);
	p->s.tx = NULL;
	p->s.rcpt = NULL;
	engine_end_transaction(&p->s);
	arena_reset(&arena);
	p->tx = (struct transaction){.arena = arena, .recipients = p->room};
}

static bool says_mail(struct play *p)
{
	const char *from = ONE_OF(p->server, senders);
	struct decision d;

	p->s.tx = &p->tx;
	p->tx.null_sender = !*from;
	p->tx.declared_size = below(p->server, 3) * 4000;
	parse(p, from, &p->tx.from);
	begin_step(p);
	d = engine_mail(&p->s);
	judge(p, &d, PHASE_MAIL, false);
	return !d.refused;
}

static void resolve(struct play *p, struct recipient *r)
{
	const struct config *c = p->s.config;

	r->settings = &c->base;
	for (size_t i = 0; i < c->domain_count; i++) {
		if (!text_eq(r->mailbox.domain, c->domains[i].name))
			continue;
		r->domain = &c->domains[i];
		r->route = r->domain->route;
		r->settings = r->domain->settings;
		r->is_role = mailbox_is_postmaster(&r->mailbox);
	}
	if (!r->domain && p->s.own)
		r->route = c->relay_route;
}

/* Taken against the hop's word only where a rule says so. */
static void is_wanted(struct play *p)
{
	const struct faulty_deeds *deeds = &p->server->world.deeds;
	const struct check_run *run = &p->s.runs[CHECK_recipient_verify];

	HOLDS(p, deeds->hop_asked <= 1);
	if (deeds->hop_asked && deeds->hop_answer != ANSWER_YES)
		HOLDS(p, run->fate == FATE_EXEMPT || run->mode != MODE_ENFORCE);
}

static struct decision says_rcpt(struct play *p)
{
	const char *to = ONE_OF(p->server, recipients);
	struct recipient r = {0};
	struct decision d;

	parse(p, to, &r.mailbox);
	resolve(p, &r);
	begin_step(p);
	p->s.rcpt = &r;
	d = engine_rcpt(&p->s, &r);
	p->s.rcpt = NULL;
	judge(p, &d, PHASE_RCPT, r.is_role);
	if (!d.refused) {
		is_wanted(p);
		/* No bucket overflows, whoever else was served meanwhile. */
		HOLDS(p, p->server->world.counters_fail ||
			     p->server->world.deeds.furthest_us <= p->server->period_us + 1000);
		p->tx.recipients[p->tx.recipient_count++] = r;
	}
	return d;
}

static bool all_roles(const struct play *p)
{
	for (size_t i = 0; i < p->tx.recipient_count; i++) {
		if (!p->tx.recipients[i].is_role)
			return false;
	}
	return true;
}

static void sends_message(struct play *p)
{
	struct server *v = p->server;
	struct decision d;

	begin_step(p);
	d = engine_data(&p->s);
	judge(p, &d, PHASE_DATA, all_roles(p));
	if (d.refused)
		return;
	p->tx.header = header_parse(text_of(ONE_OF(v, headers)), 0, &p->tx.arena);
	p->tx.size = 1 + below(v, 10000);
	p->tx.bare_newlines = faulty_chance(&v->world, 64);
	begin_step(p);
	d = engine_message(&p->s);
	judge(p, &d, PHASE_MESSAGE, all_roles(p));
	if (d.refused)
		return;
	v->accepted++;
	engine_accepted(&p->s);
}

/* False: the session ends here. */
static bool transacts(struct play *p)
{
	struct server *v = p->server;
	bool goes_on = true;

	if (says_mail(p)) {
		for (uint64_t n = below(v, ROOM); n > 0 && goes_on; n--) {
			const struct decision d = says_rcpt(p);

			goes_on = !d.close && d.code != 421;
		}
		if (goes_on && p->tx.recipient_count && !faulty_chance(&v->world, 16))
			sends_message(p);
	}
	end_transaction(p);
	return goes_on;
}

static void says_hello(struct play *p)
{
	p->s.helo = arena_text(&p->arena, text_of(ONE_OF(p->server, hellos)));
	p->s.esmtp = true;
	if (p->s.helo.n)
		engine_helo(&p->s);
}

/* One AUTH: what it may come to.  False: the session ends here. */
static bool says_auth(struct play *p)
{
	static const char *const secrets[] = {"", "", "one", "two", "three", "four", "five"};
	static const char *const logins[] = {"user17", "USER17", "ann@example.net", "x\xff%s%n"};
	struct server *v = p->server;
	const unsigned attempts = p->s.auth_attempts;
	const struct text login = text_of(ONE_OF(v, logins));
	struct auth_effect effect;
	struct decision d;

	begin_step(p);
	d = engine_auth(&p->s);
	if (!text_empty(p->s.login)) {
		HOLDS(p, d.refused && d.reply == REPLY_AUTH_ONCE && d.code == 503 && !d.close);
		return true;
	}
	judge(p, &d, PHASE_AUTH, false);
	if (d.refused)
		return !d.close;
	/* It may break off, and nobody judges it then. */
	if (faulty_chance(&v->world, 40))
		return true;
	if (faulty_chance(&v->world, 60)) {
		effect = auth_succeeded(&p->s, login);
		p->s.login = arena_text(&p->arena, login);
		p->s.own = true;
	} else {
		effect = auth_failed(&p->s, login, text_of(ONE_OF(v, secrets)));
		HOLDS(p, effect.delay_us >= v->config.auth.delay);
	}
	HOLDS(p, p->s.auth_attempts == attempts + 1);
	HOLDS(p, effect.delay_us >= 0 && effect.delay_us <= v->config.auth.delay_max);
	faulty_note(&v->world, effect.facts.p, effect.facts.n);
	return true;
}

static bool says_auths(struct play *p)
{
	for (uint64_t n = below(p->server, 5); n > 0; n--) {
		if (!says_auth(p))
			return false;
	}
	return true;
}

/* The lists may be away from its first to its last word, or its client be surely exempt. */
static void draw_fortune(struct play *p)
{
	static const char *const checks[] = {"*",         "banned-client",     "rate-limit",
					     "helo-ip",   "bounce-recipients", "recipient-verify",
					     "auth-block"};
	struct server *v = p->server;

	p->away = faulty_chance(&v->world, 64);
	p->saved_check = p->away || !faulty_chance(&v->world, 64) ? NULL : ONE_OF(v, checks);
	p->dns_away = faulty_chance(&v->world, 64);
	v->world.lists_away = p->away;
	v->world.dns_away = p->dns_away;
	v->world.saved_client = p->saved_check ? &p->s.client : NULL;
	v->world.saved_check = p->saved_check;
}

static void run_session(struct server *v)
{
	struct play p = {.server = v};
	struct decision d;

	arena_init(&p.arena, NULL, NULL);
	arena_init(&p.tx.arena, NULL, NULL);
	p.tx.recipients = p.room;
	connects(&p);
	draw_fortune(&p);
	begin_step(&p);
	d = engine_connect(&p.s);
	judge(&p, &d, PHASE_CONNECT, false);
	if (!d.refused) {
		if (!faulty_chance(&v->world, 16))
			says_hello(&p);
		for (uint64_t n = below(v, 5); n > 0; n--) {
			if (faulty_chance(&v->world, 16))
				says_hello(&p);
			if ((faulty_chance(&v->world, 80) && !says_auths(&p)) || !transacts(&p))
				break;
		}
	}
	arena_reset(&p.tx.arena);
	arena_reset(&p.arena);
}

/* Another session runs while one waits. */
static void run_another(void *arg)
{
	struct server *v = arg;
	const struct faulty_deeds deeds = v->world.deeds;
	const struct faulty_world before = v->world;

	if (v->inside || !faulty_chance(&v->world, 64))
		return;
	v->inside = true;
	run_session(v);
	v->inside = false;
	v->world.deeds = deeds;
	v->world.lists_away = before.lists_away;
	v->world.dns_away = before.dns_away;
	v->world.saved_client = before.saved_client;
	v->world.saved_check = before.saved_check;
}

/* --- a server */

static enum check_mode draw_mode(struct server *v)
{
	static const enum check_mode modes[] = {MODE_OFF, MODE_MONITOR, MODE_ENFORCE, MODE_ENFORCE,
						MODE_ENFORCE};

	return ONE_OF(v, modes);
}

static void draw_settings(struct server *v, struct settings *set)
{
#define CHECK(name, phase, mode_, who, help) set->name.mode = draw_mode(v);
#include "policy/checks.def"
#undef CHECK
	set->global = &v->config.global;
	set->subject_patterns = v->patterns;
	set->helo_ip.literals = below(v, 2);
	set->banned_domain.author = below(v, 2);
	set->restricted_sender.leading_dot = below(v, 2);
	set->restricted_sender.characters = LIT("");
	set->restricted_recipient.leading_dot = below(v, 2);
	set->restricted_recipient.characters = LIT("@%!/|");
	set->dictionary_attack.unknown = (struct rate){1 + below(v, 30), INT64_C(3600000000)};
	set->dictionary_attack.share = 1 + (int64_t)below(v, 100);
	set->dictionary_attack.block = INT64_C(60000000);
	set->unknown_recipient.unknown = (int)below(v, 3);
	set->reverse_dns.confirmed = below(v, 2);
	set->reverse_dns.unknown = (int)below(v, 2);
	set->dnsbl.threshold = 1 + (int64_t)below(v, 20);
	set->dnsbl.unknown = (int)below(v, 2);
	set->dnsbl.max_share = 1 + (int64_t)below(v, 100);
	set->sender_verify.unknown = (int)below(v, 2);
	set->sender_verify.private_targets = below(v, 2);
	set->sender_callout.unknown = (int)below(v, 2);
	set->sender_callout.positive = INT64_C(86400000000);
	set->sender_callout.negative = INT64_C(3600000000);
	set->sender_callout.retry = INT64_C(60000000);
	set->sender_callout.rate = (struct rate){1 + below(v, 30), INT64_C(60000000)};
	set->recipient_verify.positive = INT64_C(86400000000);
	set->recipient_verify.negative = INT64_C(3600000000);
	set->recipient_verify.rate = (struct rate){1 + below(v, 30), INT64_C(60000000)};
	set->spf.refuse = (struct text_list){v->spf_refused, below(v, 4)};
	set->spf.unless_dkim = below(v, 2);
	set->dkim.broken = (int)below(v, 3);
	set->dkim.author = (int)below(v, 3);
	set->dkim.require = (struct text_list){v->dkim_required, below(v, 2)};
	set->dkim.unknown = (int)below(v, 2);
	set->dkim.min_key_bits = 1024;
	set->dkim.partial = below(v, 2);
	set->spf.at = (int)below(v, 2);
	set->spf.helo = (int)below(v, 3);
	set->spf.temperror = (int)below(v, 2);
	set->spf.explanation = below(v, 2);
	set->greylist.delay = (int64_t)below(v, 2) * 1000000;
	set->greylist.window = INT64_C(60000000);
	set->greylist.life = INT64_C(120000000);
	set->greylist.proofs = 1 + (int64_t)below(v, 3);
	set->invalid_headers.malformed = (int)below(v, 3);
	set->invalid_headers.raw_8bit = (int)below(v, 3);
}

static void draw_limits(struct server *v)
{
	static const int64_t periods_s[] = {1, 60, 3600};
	const int64_t period_s = ONE_OF(v, periods_s);

	static const struct text names[LIMITS] = {
	    {"one", 3}, {"two", 3}, {"three", 5}, {"four", 4}, {"five", 4}};

	v->period_us = period_s * 1000000;
	v->config.limits = v->limits;
	v->config.limit_count = below(v, LIMITS + 1);
	for (size_t i = 0; i < v->config.limit_count; i++) {
		struct limit *l = &v->limits[i];
		uint64_t unit = below(v, UNIT_COUNT);

		l->by = (enum limit_by)i;
		l->bits4 = 24;
		l->bits6 = 64;
		l->listeners = 1;
		l->set.name = names[i];
		l->set.own = below(v, 2);
		v->rates[i] = (struct rate){(1 + below(v, 40)) * (unit == UNIT_BYTES ? 2000 : 1),
					    period_s * 1000000};
		v->lists[i] = (struct rate_list){&v->rates[i], 1};
		l->windows[unit] = &v->lists[i];
	}
}

static void draw_domains(struct server *v)
{
	static const char *const names[] = {"example.net", "other.example", "third.example"};

	for (int i = 0; i < 2; i++) {
		v->hops[i] = (struct hop_address){.kind = below(v, 4) ? HOP_SMTP : HOP_MAILDIR,
						  .name = LIT("smtp://hop:25")};
		v->routes[i].hosts = &v->hops[i];
		v->routes[i].host_count = 1;
	}
	for (int i = 0; i < 3; i++) {
		v->domains[i] = (struct domain){
		    .name = text_of(names[i]),
		    .route = &v->routes[i % 2],
		    .settings = i == 1 ? &v->other : &v->config.base,
		};
		v->domains[i].set.recipients = (int)below(v, 4);
		if (v->domains[i].set.recipients == RECIPIENTS_VERIFY)
			v->domains[i].verify_route = &v->routes[below(v, 2)];
	}
	v->config.domains = v->domains;
	v->config.domain_count = 3;
	v->config.relay_route = below(v, 2) ? &v->routes[0] : NULL;
}

static void draw_auth(struct server *v)
{
	struct auth_settings *a = &v->config.auth;

	a->attempts = 1 + (int64_t)below(v, 4);
	a->failures =
	    (struct rate){1 + below(v, 8), INT64_C(60000000) * (1 + (int64_t)below(v, 20))};
	a->block = INT64_C(60000000);
	a->block_max = a->block << below(v, 5);
	a->delay = (int64_t)below(v, 2) * 1000000;
	a->delay_max = a->delay * (1 + (int64_t)below(v, 20));
	v->listener.set.auth = (int)below(v, 3);
	v->office.set.failures = (struct rate){1 + below(v, 8), INT64_C(60000000)};
	v->office.set.networks = (struct net_list){&v->office_net, 1};
	ck_assert(net_parse(LIT("198.51.100.0/24"), &v->office_net));
	v->config.auth_networks = &v->office;
	v->config.auth_network_count = below(v, 2);
}

static void draw_dnsbls(struct server *v)
{
	static const char *const zones[] = {"bl.example", "wl.example", "dom.example"};
	const struct world world = {&faulty_ops, &v->world};

	v->code.octets[0] = (struct dnsbl_octet){127, 127, 0};
	for (int i = 1; i < 4; i++)
		v->code.octets[i] = (struct dnsbl_octet){0, 255, 0};
	v->config.dnsbls = v->dnsbls;
	v->config.dnsbl_count = below(v, 4);
	for (size_t i = 0; i < v->config.dnsbl_count; i++) {
		struct dnsbl *d = &v->dnsbls[i];

		*d = (struct dnsbl){
		    .domains = i == 2,
		    .label = text_of(zones[i]),
		    .zone = text_of(zones[i]),
		    .codes = &v->code,
		    .code_count = 1,
		};
		d->set.name = d->label;
		d->set.weight = 1 + (int64_t)below(v, 20);
		d->set.allow = i == 1;
		d->set.mode = draw_mode(v);
		dnsbl_set_state(&world, d, DNSBL_GOOD, INT64_C(86400000000));
	}
}

static void draw_faults(struct server *v)
{
	struct faulty_world *w = &v->world;

	w->listed = (unsigned)below(v, 60);
	w->exempt = (unsigned)below(v, 30);
	w->exists = (unsigned)below(v, 257);
	w->unknown = below(v, 3) ? 0 : (unsigned)below(v, 128);
	w->counters_fail = below(v, 3) ? 0 : (unsigned)below(v, 128);
	w->slow = (unsigned)below(v, 8);
	w->wall_jumps = (unsigned)below(v, 3);
	w->meanwhile = run_another;
	w->meanwhile_arg = v;
}

static void draw_server(struct server *v, uint64_t seed)
{
	struct pattern_error error;

	memset(v, 0, sizeof(*v));
	v->seed = seed;
	faulty_init(&v->world, seed);
	v->patterns = patterns_new();
	ck_assert(patterns_add(v->patterns, LIT("buy now"), LIT("patterns"), &error));
	v->config.global.hostname = LIT("mx1.example.net");
	v->config.global.recipient_delimiter = LIT("+");
	v->config.global.mode = (int)below(v, 3);
	v->config.global.hop_text = below(v, 2);
	v->config.global.bare_newline = (int)below(v, 2);
	if (below(v, 2))
		v->config.global.help_url = LIT("https://why.example.net/rejected/by/us/?id=");
	v->listener.set.name = LIT("mx");
	v->config.listeners = &v->listener;
	v->config.listener_count = 1;
	v->dkim_required[0] = LIT("example.org");
	v->spf_refused[0] = LIT("fail");
	v->spf_refused[1] = LIT("softfail");
	v->spf_refused[2] = LIT("permerror");
	draw_settings(v, &v->config.base);
	v->other = v->config.base;
	if (below(v, 2))
		draw_settings(v, &v->other);
	draw_domains(v);
	draw_limits(v);
	draw_dnsbls(v);
	draw_auth(v);
	draw_faults(v);
}

static uint64_t run_world(uint64_t seed, unsigned *refused, unsigned *accepted)
{
	static struct server v;
	uint64_t digest;

	draw_server(&v, seed);
	for (int i = 0; i < SESSIONS; i++)
		run_session(&v);
	*refused += v.refused;
	*accepted += v.accepted;
	faulty_note(&v.world, v.world.metrics, sizeof(v.world.metrics));
	digest = v.world.digest;
	patterns_free(v.patterns);
	faulty_free(&v.world);
	return digest;
}

START_TEST(whole_sessions_in_a_faulty_world)
{
	const char *one = getenv("SIMULATION_SEED");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1, worlds = one ? 1 : WORLDS;
	unsigned refused = 0, accepted = 0;

	for (uint64_t seed = first; seed < first + worlds; seed++)
		run_world(seed, &refused, &accepted);
	/* Both were put to the test. */
	ck_assert_uint_gt(refused, worlds);
	ck_assert_uint_gt(one ? worlds : accepted, one ? 0 : worlds);
}
END_TEST

START_TEST(the_same_seed_is_the_same_run)
{
	unsigned unused = 0;

	for (uint64_t seed = 1; seed <= WORLDS / 6; seed++) {
		uint64_t digest = run_world(seed, &unused, &unused);

		ck_assert_uint_eq(run_world(seed, &unused, &unused), digest);
		ck_assert_uint_ne(run_world(seed + WORLDS, &unused, &unused), digest);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("simulation");
	TCase *tc = tcase_create("simulation");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, whole_sessions_in_a_faulty_world);
	tcase_add_test(tc, the_same_seed_is_the_same_run);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
