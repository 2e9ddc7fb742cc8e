/* The tables' side of world.h, and the fixture. */
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the world */

static int64_t boot_us(void *self)
{
	return ((struct world_table *)self)->boot_us;
}

static int64_t wall_us(void *self)
{
	return ((struct world_table *)self)->wall_us;
}

static uint64_t next_random(void *self)
{
	struct world_table *w = self;

	return w->next_random++ * UINT64_C(0x9e3779b97f4a7c15);
}

static bool covers(const struct table_listed *l, enum list_key kind, const struct ip *ip,
		   struct text key)
{
	struct text listed = text_of(l->key);
	struct net net;

	if (l->kind != kind)
		return false;
	if (kind == LIST_CLIENT)
		return net_parse(listed, &net) && net_contains(&net, ip);
	if (text_ieq(key, listed))
		return true;
	/* sub-domains */
	return (kind == LIST_DOMAIN || kind == LIST_HOST) && key.n > listed.n &&
	       key.p[key.n - listed.n - 1] == '.' && text_iends(key, listed);
}

static enum answer look_up(struct world_table *w, const char *check, enum list_key kind,
			   const struct ip *ip, struct text key, struct list_entry *out)
{
	if (w->lists_away)
		return ANSWER_UNKNOWN;
	for (unsigned i = 0; i < w->listed_count; i++) {
		const struct table_listed *l = &w->listed[i];

		if ((check ? !l->check || strcmp(check, l->check) != 0 : l->check != NULL) ||
		    !covers(l, kind, ip, key))
			continue;
		*out =
		    (struct list_entry){.kind = kind, .id = 100 + i, .at_connect = l->at_connect};
		snprintf(out->key, sizeof(out->key), "%s", l->key);
		snprintf(out->by, sizeof(out->by), "admin");
		snprintf(out->reason, sizeof(out->reason), "a test");
		return ANSWER_YES;
	}
	return ANSWER_NO;
}

static enum answer ban(void *self, enum list_key kind, const struct ip *ip, struct text key,
		       struct list_entry *out)
{
	struct world_table *w = self;

	w->bans_asked++;
	return look_up(w, NULL, kind, ip, key, out);
}

static enum answer exemption(void *self, const char *check, enum list_key kind, const struct ip *ip,
			     struct text key, struct list_entry *out)
{
	struct world_table *w = self;

	w->exemptions_asked++;
	if (w->exemptions_away)
		return ANSWER_UNKNOWN;
	return look_up(w, check, kind, ip, key, out);
}

static bool no_exemptions(void *self)
{
	const struct world_table *w = self;

	if (w->lists_away || w->exemptions_away)
		return false;
	for (unsigned i = 0; i < w->listed_count; i++) {
		if (w->listed[i].check)
			return false;
	}
	return true;
}

static enum answer recipient(void *self, struct text domain, struct text local)
{
	const struct world_table *w = self;
	char whole[LIST_KEY_MAX];

	if (w->lists_away || !w->has_recipients)
		return ANSWER_UNKNOWN;
	snprintf(whole, sizeof(whole), "%.*s@%.*s", TEXT(local), TEXT(domain));
	for (unsigned i = 0; i < 8 && w->recipients[i]; i++) {
		if (text_ieq(text_of(whole), text_of(w->recipients[i])))
			return ANSWER_YES;
	}
	return ANSWER_NO;
}

static enum answer hop_takes(void *self, const struct session *s, const struct recipient *r,
			     struct hop_reply *out)
{
	struct world_table *w = self;

	(void)s;
	(void)r;
	w->hop_asked++;
	*out = w->hop;
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	return w->hop_answer;
}

static bool hop_carries_utf8(void *self, const struct session *s, const struct recipient *r)
{
	(void)s;
	(void)r;
	return !((const struct world_table *)self)->hop_lacks_utf8;
}

static uint64_t counter_tag(void *self, enum table_kind kind, struct text space, const void *key,
			    size_t n)
{
	static const struct siphash_key secret = {1, 2};
	char both[512];
	struct buf b = buf_over(both, sizeof(both));

	(void)self;
	buf_text(&b, space);
	buf_char(&b, '\0');
	buf_put(&b, key, n);
	ck_assert(!b.cut);
	return (siphash(&secret, b.p, b.n) >> 2) | (uint64_t)kind << 62;
}

static uint64_t *counter(struct world_table *w, uint64_t tag)
{
	size_t i = tag % TABLE_COUNTERS;

	while (w->counters[i].tag && w->counters[i].tag != tag)
		i = (i + 1) % TABLE_COUNTERS;
	w->counters[i].tag = tag;
	return &w->counters[i].value;
}

static uint64_t counter_read(void *self, uint64_t tag)
{
	return *counter(self, tag);
}

static uint64_t counter_update(void *self, uint64_t tag,
			       uint64_t (*change)(uint64_t old, void *arg), void *arg)
{
	uint64_t *value = counter(self, tag);

	return *value = change(*value, arg);
}

static void counter_forget(void *self, uint64_t tag)
{
	*counter(self, tag) = 0;
}

static void emit(void *self, const struct event *e)
{
	struct world_table *w = self;

	if (w->event_count < TABLE_EVENTS_MAX)
		w->events[w->event_count++] = *e;
}

static void count(void *self, unsigned metric, uint64_t n)
{
	((struct world_table *)self)->metrics[metric] += n;
}

static struct table_dns *find_dns(struct world_table *w, struct text name, uint16_t type)
{
	for (unsigned i = 0; i < w->dns_count; i++) {
		if (w->dns[i].type == type && text_ieq(name, text_of(w->dns[i].name)))
			return &w->dns[i];
	}
	return NULL;
}

static void ask_spf(void *self, const struct session *s, enum spf_identity identity,
		    struct spf_result *out)
{
	struct world_table *w = self;
	const struct spf_result *said = &w->spf[identity];

	(void)s;
	w->spf_asked++;
	out->code = said->code;
	out->reason = said->reason;
	out->explanation = said->explanation;
	out->passes_nobody = said->passes_nobody;
}

static void ask_dkim(void *self, const struct session *s, struct dkim_result *out)
{
	struct world_table *w = self;

	(void)s;
	w->dkim_asked++;
	*out = w->dkim;
}

static void dns_start(void *self, const struct session *s, struct text name, uint16_t type)
{
	struct world_table *w = self;
	struct table_dns *d = find_dns(w, name, type);

	(void)s;
	w->dns_started++;
	if (d)
		d->started++;
}

static const struct dns_answer *dns_await(void *self, const struct session *s, struct text name,
					  uint16_t type)
{
	static const struct dns_answer no_such_name = {.status = DNS_NXDOMAIN};
	static const struct dns_answer timeout = {.status = DNS_TIMEOUT};
	struct world_table *w = self;
	struct table_dns *d = find_dns(w, name, type);

	(void)s;
	w->dns_awaited++;
	if (!d)
		return dns_name_ok(name) ? &timeout : &no_such_name;
	d->awaited++;
	return &d->answer;
}

static void ask_scan(void *self, const struct session *s, struct scan_result *out)
{
	struct world_table *w = self;

	(void)s;
	w->scans_asked++;
	*out = w->scan;
}

static void ask_archives(void *self, const struct session *s, const struct archives_request *rq,
			 struct archives_facts *out)
{
	static const unsigned char nothing[ARCHIVES_PARTS_MAX];
	struct world_table *w = self;

	(void)s;
	w->archives_asked++;
	w->archives_request = *rq;
	*out = w->archives;
	if (!out->part_states)
		out->part_states = nothing;
}

/* As the keeper and the store would have it: the last event of an address counts. */
static enum answer verified(void *self, enum verified_kind kind, struct text key,
			    struct verified *out)
{
	const struct world_table *w = self;
	enum answer answer = ANSWER_NO;

	for (unsigned i = 0; i < w->event_count; i++) {
		const struct event *e = &w->events[i];
		struct event_view v;

		ck_assert(event_parse(e->bytes, e->n, &v));
		if (v.type != EVENT_VERIFIED || !text_eq(key, text_of(table_field(e, FIELD_key))) ||
		    strcmp(table_field(e, FIELD_list), verified_kind_name(kind)) != 0 ||
		    table_number(e, FIELD_until) <= w->wall_us)
			continue;
		*out = (struct verified){.code = (short)table_number(e, FIELD_code),
					 .asked_wall_us = v.wall_us,
					 .until_wall_us = table_number(e, FIELD_until)};
		while (strcmp(verified_what_name(out->what), table_field(e, FIELD_verdict)) != 0)
			out->what++;
		text_cstr(text_of(table_field(e, FIELD_enhanced)), out->enhanced, 10);
		text_cstr(text_of(table_field(e, FIELD_hop)), out->hop, sizeof(out->hop));
		text_cstr(text_of(table_field(e, FIELD_text)), out->text, sizeof(out->text));
		answer = ANSWER_YES;
	}
	return answer;
}

static bool verify_join(void *self, const struct session *s, enum verified_kind kind,
			struct text key, int64_t wait_us, struct verify_answer *out)
{
	struct world_table *w = self;

	(void)s;
	(void)kind;
	(void)key;
	(void)wait_us;
	w->verify_joined++;
	if (w->other)
		*out = *w->other;
	return w->other != NULL;
}

static void verify_end(void *self, const struct session *s, const struct verify_answer *a)
{
	(void)s;
	(void)a;
	((struct world_table *)self)->verify_ended++;
}

static void call_out(void *self, const struct session *s, struct callout *c)
{
	struct world_table *w = self;

	(void)s;
	w->callouts++;
	w->callout_asked = *c;
	for (size_t i = 0; i < c->target_count; i++)
		w->callout_targets[i] = c->targets[i];
	c->stage = w->callout.stage;
	c->first = w->callout.first;
	c->why = w->callout.why;
	c->ours = w->callout.ours;
	snprintf(c->hop, sizeof(c->hop), "%s", w->callout.hop);
	if (!text_empty(callout_next(c)))
		c->second = w->callout.second;
}

static const struct world_ops ops = {
    .boot_us = boot_us,
    .wall_us = wall_us,
    .random = next_random,
    .ban = ban,
    .exemption = exemption,
    .no_exemptions = no_exemptions,
    .recipient = recipient,
    .hop_takes = hop_takes,
    .hop_carries_utf8 = hop_carries_utf8,
    .spf = ask_spf,
    .dkim = ask_dkim,
    .scan = ask_scan,
    .archives = ask_archives,
    .verified = verified,
    .verify_join = verify_join,
    .verify_end = verify_end,
    .call_out = call_out,
    .dns_start = dns_start,
    .dns_await = dns_await,
    .counter_tag = counter_tag,
    .counter_read = counter_read,
    .counter_update = counter_update,
    .counter_forget = counter_forget,
    .emit = emit,
    .count = count,
};

void table_ban(struct world_table *w, enum list_key kind, const char *key)
{
	w->listed[w->listed_count++] = (struct table_listed){.kind = kind, .key = key};
}

void table_exempt(struct world_table *w, const char *check, enum list_key kind, const char *key)
{
	w->listed[w->listed_count++] = (struct table_listed){check, kind, key, false};
}

static struct dns_record record_of(uint16_t type, const char *value)
{
	struct dns_record r = {.text = text_of(value)};
	struct text preference;
	uint64_t n;

	if (type == DNS_A || type == DNS_AAAA) {
		ck_assert(ip_parse(text_of(value), &r.ip));
		r.text = (struct text){"", 0};
	} else if (type == DNS_MX) {
		ck_assert(text_split(r.text, ' ', &preference, &r.text));
		ck_assert(text_u64(preference, &n));
		r.preference = (uint16_t)n;
	}
	return r;
}

struct table_dns *table_dns(struct world_table *w, const char *name, uint16_t type,
			    enum dns_status status, ...)
{
	struct table_dns *d = find_dns(w, text_of(name), type);
	const char *value;
	va_list values;

	if (!d)
		d = &w->dns[w->dns_count++];
	*d = (struct table_dns){.name = name, .type = type};
	d->answer = (struct dns_answer){
	    .status = status, .records = d->records, .ttl = 300, .name = text_of(name)};
	if (status != DNS_OK)
		return d;
	va_start(values, status);
	while ((value = va_arg(values, const char *)) != NULL)
		d->records[d->answer.count++] = record_of(type, value);
	va_end(values);
	return d;
}

const struct event *table_event(const struct world_table *w, enum event_type type, unsigned skip)
{
	struct event_view v;

	for (unsigned i = 0; i < w->event_count; i++) {
		ck_assert(event_parse(w->events[i].bytes, w->events[i].n, &v));
		if (v.type == type && skip-- == 0)
			return &w->events[i];
	}
	return NULL;
}

static bool field_of(const struct event *e, enum event_field f, struct field_view *out)
{
	struct event_view v;

	return e && event_parse(e->bytes, e->n, &v) && event_get(&v, f, out);
}

const char *table_field(const struct event *e, enum event_field f)
{
	static char shown[EVENT_TEXT_MAX + 1];
	struct field_view v;

	if (!field_of(e, f, &v))
		return "";
	text_cstr(v.text, shown, sizeof(shown));
	return shown;
}

int64_t table_number(const struct event *e, enum event_field f)
{
	struct field_view v;

	return field_of(e, f, &v) ? v.number : 0;
}

/* --- the fixture */

static void default_modes(struct settings *set)
{
#define CHECK(name, phase, mode_, who, help) set->name.mode = MODE_##mode_;
#include "policy/checks.def"
#undef CHECK
}

static void default_settings(struct fixture *f)
{
	struct settings *set = &f->config.base;

	default_modes(set);
	/* Without answers of the DNS they would be undecided everywhere: tests of theirs turn them
	 * on. */
	set->reverse_dns.mode = MODE_OFF;
	set->sender_verify.mode = MODE_OFF;
	set->dmarc.mode = MODE_OFF;
	set->dmarc.ambiguous_from = MODE_ENFORCE;
	set->dmarc.doubtful_from = MODE_MONITOR;
	set->dnsbl.threshold = 10;
	set->dnsbl.max_share = 95;
	set->greylist.delay = INT64_C(300) * 1000000;
	set->greylist.window = INT64_C(2) * 86400 * 1000000;
	set->greylist.life = INT64_C(35) * 86400 * 1000000;
	set->greylist.proofs = 2;
	set->global = &f->config.global;
	set->spf.unless_dkim = true;
	set->dkim.broken = set->dkim.author = MODE_MONITOR;
	set->dkim.min_key_bits = 1024;
	set->helo_ip.literals = true;
	set->restricted_sender.leading_dot = true;
	set->restricted_sender.characters = LIT("");
	set->restricted_recipient.leading_dot = true;
	set->restricted_recipient.characters = LIT("@%!/|");
	ck_assert(rate_parse(LIT("50/1h"), &set->dictionary_attack.unknown));
	set->dictionary_attack.share = 50;
	set->dictionary_attack.block = INT64_C(3600) * 1000000;
	f->config.auth = (struct auth_settings){.attempts = 2,
						.failures = {10, INT64_C(600) * 1000000},
						.block = INT64_C(3600) * 1000000,
						.block_max = INT64_C(86400) * 1000000,
						.delay = 1000000,
						.delay_max = 20000000};
	set->unknown_recipient.unknown = UNKNOWN_LIVE;
	set->recipient_verify.positive = INT64_C(86400) * 1000000;
	set->recipient_verify.negative = INT64_C(900) * 1000000;
	ck_assert(rate_parse(LIT("6000/1m"), &set->recipient_verify.rate));
	set->sender_callout.positive = INT64_C(7) * 86400 * 1000000;
	set->sender_callout.negative = INT64_C(7200) * 1000000;
	set->sender_callout.retry = INT64_C(300) * 1000000;
	set->sender_callout.timeout = INT64_C(10) * 1000000;
	set->sender_callout.port = 25;
	ck_assert(rate_parse(LIT("60/1m"), &set->sender_callout.rate));
	set->attachment.content = MODE_ENFORCE;
	set->attachment.archives = MODE_ENFORCE;
	set->attachment.encrypted_archives = MODE_MONITOR;
	set->attachment.unreadable_archives = LIMITS_PASS;
	set->attachment.unknown = NO_ANSWER_DEFER;
	set->attachment.archive_depth = 8;
	set->attachment.archive_files = 10000;
	set->attachment.archive_size = 500 << 20;
	set->attachment.archive_time = 3000000;
	set->attachment.limits = LIMITS_REFUSE;
	set->attachment.max_depth = 50;
	set->attachment.max_parts = 1000;
	set->attachment.max_names = 2000;
	set->invalid_headers.malformed = MODE_MONITOR;
	set->invalid_headers.raw_8bit = MODE_OFF;
}

void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->world.boot_us = INT64_C(1000000000000);
	f->world.wall_us = INT64_C(1700000000000000);
	f->world.next_random = 1;
	f->world.hop_answer = ANSWER_YES;
	f->world.scan.code = SCAN_DONE;
	f->world.dkim.judged = true;
	f->world.archives.answered = true;
	f->world.spf[SPF_MAILFROM].code = f->world.spf[SPF_HELO].code = SPF_NONE;
	f->config.global.hostname = LIT("mx1.example.net");
	f->authserv_id = f->config.global.hostname;
	f->config.authserv_ids = (struct text_list){&f->authserv_id, 1};
	f->config.global.recipient_delimiter = LIT("+");
	default_settings(f);
	f->listener.set.name = LIT("mx");
	f->config.listeners = &f->listener;
	f->config.listener_count = 1;
	f->hop = (struct hop_address){.kind = HOP_SMTP, .name = LIT("smtp://hop:25")};
	f->route.hosts = &f->hop;
	f->route.host_count = 1;
	f->other = f->config.base;
	f->domains[0] = (struct domain){.name = LIT("example.net"), .settings = &f->config.base};
	f->domains[1] = (struct domain){.name = LIT("other.example"), .settings = &f->other};
	for (int i = 0; i < 2; i++) {
		f->domains[i].route = &f->route;
		f->domains[i].set.recipients = RECIPIENTS_ANY;
	}
	f->config.domains = f->domains;
	f->config.domain_count = 2;
	arena_init(&f->session_arena, NULL, NULL);
	arena_init(&f->tx.arena, NULL, NULL);
}

static void end_transaction(struct fixture *f)
{
	struct arena arena = f->tx.arena;
	const bool open = f->s.tx != NULL;

	f->s.tx = NULL;
	if (open)
		engine_end_transaction(&f->s);
	arena_reset(&arena);
	f->tx = (struct transaction){.arena = arena, .recipients = f->room};
	f->s.tx = NULL;
}

void fixture_free(struct fixture *f)
{
	end_transaction(f);
	arena_reset(&f->session_arena);
}

struct decision fixture_connect(struct fixture *f, const char *client)
{
	bool own = f->s.own, early = f->s.early_talker, stress = f->s.under_stress;
	struct text host = f->s.host, login = f->s.login;

	end_transaction(f);
	arena_reset(&f->session_arena);
	f->s = (struct session){
	    .arena = &f->session_arena,
	    .world = {&ops, &f->world},
	    .config = &f->config,
	    .listener = &f->listener,
	    .client_text = text_of(client),
	    .own = own,
	    .early_talker = early,
	    .under_stress = stress,
	    .host = host,
	    .login = login,
	    .id = "s1",
	};
	ck_assert(ip_parse(text_of(client), &f->s.client));
	return engine_connect(&f->s);
}

void fixture_helo(struct fixture *f, const char *name)
{
	end_transaction(f);
	f->s.helo = arena_text(&f->session_arena, text_of(name));
	f->s.esmtp = true;
	engine_helo(&f->s);
}

static void parse(const char *address, struct arena *a, struct mailbox *out)
{
	*out = (struct mailbox){0};
	if (*address)
		ck_assert_int_eq(address_parse(text_of(address), true, a, out), ADDRESS_OK);
}

struct decision fixture_mail(struct fixture *f, const char *from)
{
	end_transaction(f);
	f->s.tx = &f->tx;
	f->tx.null_sender = !*from;
	parse(from, &f->tx.arena, &f->tx.from);
	return engine_mail(&f->s);
}

struct decision fixture_rcpt(struct fixture *f, const char *to)
{
	struct recipient r = {.settings = &f->config.base};
	struct decision d;

	parse(to, &f->tx.arena, &r.mailbox);
	for (size_t i = 0; i < f->config.domain_count; i++) {
		if (!text_eq(r.mailbox.domain, f->domains[i].name))
			continue;
		r.domain = &f->domains[i];
		r.route = r.domain->route;
		r.settings = r.domain->settings;
		r.is_role = mailbox_is_postmaster(&r.mailbox);
	}
	if (!r.domain && f->s.own)
		r.route = f->config.relay_route;
	d = engine_rcpt(&f->s, &r);
	if (!d.refused)
		f->tx.recipients[f->tx.recipient_count++] = r;
	return d;
}

struct decision fixture_message(struct fixture *f, const char *header, uint64_t size)
{
	struct decision d;

	f->tx.header = header_parse(text_of(header), 0, &f->tx.arena);
	f->tx.size = size;
	d = engine_message(&f->s);
	if (!d.refused)
		engine_accepted(&f->s);
	return d;
}

struct decision fixture_send(struct fixture *f, const char *client, const char *to)
{
	struct decision d = fixture_connect(f, client);

	if (d.refused)
		return d;
	fixture_helo(f, "client.example.org");
	d = fixture_mail(f, "a@example.org");
	return d.refused ? d : fixture_rcpt(f, to);
}

const char *said(const struct decision *d)
{
	static char line[600];
	struct text text = d->text;
	char *incident;

	if (!d->refused)
		return "pass";
	snprintf(line, sizeof(line), "%d %.*s%s%.*s", d->code, TEXT(d->enhanced),
		 text_empty(d->enhanced) ? "" : " ", TEXT(text));
	incident = strstr(line, " [mx1-");
	if (incident)
		*incident = '\0';
	return line;
}
