/* The faulty world's side of world.h. */
#include "tests/unit/world_faulty.h"

#include "policy/message/mime.h"
#include "shm/segment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNTERS = 1 << 14 };

static const struct siphash_key secret = {3, 5};

/* SplitMix64. */
static uint64_t next_number(struct faulty_world *w)
{
	uint64_t z = w->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t faulty_below(struct faulty_world *w, uint64_t n)
{
	return next_number(w) % n;
}

bool faulty_chance(struct faulty_world *w, unsigned chance)
{
	return faulty_below(w, 256) < chance;
}

void faulty_note(struct faulty_world *w, const void *p, size_t n)
{
	const struct siphash_key key = {w->digest, n};

	w->digest = siphash(&key, p, n);
}

/* Time goes on with each question, now and then by much; the wall clock goes where it likes. */
static void pass_time(struct faulty_world *w)
{
	static const int64_t jumps_s[] = {3600, -3600, 86400, -86400};

	w->boot_us += (int64_t)faulty_below(w, 50);
	if (faulty_chance(w, w->slow))
		w->boot_us += (int64_t)faulty_below(w, 20 * 1000000);
	if (faulty_chance(w, w->wall_jumps))
		w->wall_us += jumps_s[faulty_below(w, 4)] * 1000000;
}

static int64_t boot_us(void *self)
{
	pass_time(self);
	return ((struct faulty_world *)self)->boot_us;
}

static int64_t wall_us(void *self)
{
	return ((struct faulty_world *)self)->wall_us;
}

static uint64_t random_number(void *self)
{
	return next_number(self);
}

/* What the lists hold of a key, in `chance` of 256 keys. */
static bool holds(const char *list, enum list_key kind, const struct ip *ip, struct text key,
		  unsigned chance)
{
	char all[700];
	struct buf b = buf_over(all, sizeof(all));

	buf_printf(&b, "%s %d ", list, kind);
	if (kind == LIST_CLIENT)
		buf_put(&b, ip->b, sizeof(ip->b));
	else
		buf_text(&b, key);
	assert(!b.cut);
	return siphash(&secret, b.p, b.n) % 256 < chance;
}

static enum answer look_up(struct faulty_world *w, const char *list, enum list_key kind,
			   const struct ip *ip, struct text key, unsigned chance,
			   struct list_entry *out)
{
	pass_time(w);
	if (w->lists_away || faulty_chance(w, w->unknown))
		return ANSWER_UNKNOWN;
	if (!holds(list, kind, ip, key, chance))
		return ANSWER_NO;
	*out = (struct list_entry){.kind = kind, .id = 7, .at_connect = key.n % 2 == 0};
	text_cstr(kind == LIST_CLIENT ? LIT("a network") : key, out->key, sizeof(out->key));
	snprintf(out->by, sizeof(out->by), "admin");
	return ANSWER_YES;
}

static enum answer ban(void *self, enum list_key kind, const struct ip *ip, struct text key,
		       struct list_entry *out)
{
	struct faulty_world *w = self;

	return look_up(w, "ban", kind, ip, key, w->listed, out);
}

static enum answer exemption(void *self, const char *check, enum list_key kind, const struct ip *ip,
			     struct text key, struct list_entry *out)
{
	struct faulty_world *w = self;

	if (kind == LIST_CLIENT && w->saved_client && ip_eq(ip, w->saved_client) &&
	    strcmp(check, w->saved_check) == 0) {
		*out = (struct list_entry){.kind = kind, .id = 8, .key = "saved"};
		return ANSWER_YES;
	}
	return look_up(w, check, kind, ip, key, w->exempt, out);
}

static bool no_exemptions(void *self)
{
	const struct faulty_world *w = self;

	return !w->lists_away && !w->saved_client && w->exempt == 0;
}

static enum answer recipient(void *self, struct text domain, struct text local)
{
	struct faulty_world *w = self;

	pass_time(w);
	if (w->lists_away || faulty_chance(w, w->unknown))
		return ANSWER_UNKNOWN;
	(void)domain;
	return holds("recipient", LIST_RECIPIENT, NULL, local, w->exists) ? ANSWER_YES : ANSWER_NO;
}

/* What hops say, true and mad. */
static const struct hop_reply hop_replies[] = {
    {.code = 0},
    {.code = 250, .enhanced = "2.1.5"},
    {.code = 421, .enhanced = "4.3.2", .text = {"closing", 7}},
    {.code = 450, .enhanced = "4.2.1", .text = {"busy %s %n", 10}},
    {.code = 451, .enhanced = "5.1.1"},
    {.code = 452, .enhanced = "4.2.2", .text = {"full\r\n250 ok", 12}},
    {.code = 530, .enhanced = "5.7.0"},
    {.code = 550, .enhanced = "5.1.1", .text = {"no such user \xff\0here", 18}},
    {.code = 550},
    {.code = 550, .enhanced = "4.4.4"},
    {.code = 552, .enhanced = "5.2.2"},
    {.code = 553, .enhanced = "5.6.7"},
    {.code = 554, .enhanced = "5.7.1"},
    {.code = 559, .enhanced = "5.7.999"},
    {.code = 354},
    {.code = 199},
};

static enum answer hop_takes(void *self, const struct session *s, const struct recipient *r,
			     struct hop_reply *out)
{
	static char much[600];
	struct faulty_world *w = self;

	(void)s;
	(void)r;
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	*out = faulty_chance(w, 128)
		   ? hop_replies[1]
		   : hop_replies[faulty_below(w, sizeof(hop_replies) / sizeof(hop_replies[0]))];
	if (faulty_chance(w, 32)) {
		memset(much, 'x', sizeof(much));
		out->text = text_make(much, sizeof(much));
	}
	out->hop = LIT("smtp://hop:25");
	w->deeds.hop_asked++;
	w->deeds.hop_answer = out->code / 100 == 2   ? ANSWER_YES
			      : out->code / 100 == 5 ? ANSWER_NO
						     : ANSWER_UNKNOWN;
	return w->deeds.hop_answer;
}

static bool hop_carries_utf8(void *self, const struct session *s, const struct recipient *r)
{
	(void)s;
	(void)r;
	return faulty_chance(self, 128);
}

static void dns_start(void *self, const struct session *s, struct text name, uint16_t type)
{
	(void)self;
	(void)s;
	(void)name;
	(void)type;
}

#define V4(a, b, c, d)                                                                             \
	{                                                                                          \
		{                                                                                  \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d                       \
		}                                                                                  \
	}
#define OF(table) .records = (table), .count = sizeof(table) / sizeof((table)[0])

static const struct dns_record listed[] = {{.ip = V4(127, 0, 0, 2)}},
			       error_code[] = {{.ip = V4(127, 255, 255, 254)}},
			       inner[] = {{.ip = V4(10, 0, 0, 1)}, {.ip = V4(127, 0, 0, 1)}},
			       outer[] = {{.ip = V4(192, 0, 2, 1)}, {.ip = V4(198, 51, 100, 7)}},
			       name[] = {{.text = {"mail.example.org", 16}}},
			       root[] = {{.text = {"", 0}}},
			       odd[] = {{.text = {"a\\000b..%s", 10}},
					{.text = {"x", 1}},
					{.text = {"mx.example.com", 14}}};

static const struct dns_answer no_answers[] = {{.status = DNS_TIMEOUT},
					       {.status = DNS_SERVFAIL},
					       {.status = DNS_REFUSED},
					       {.status = DNS_MALFORMED},
					       {.status = DNS_OURS}};
static const struct dns_answer addresses[] = {
    {.status = DNS_NXDOMAIN},       {.status = DNS_NODATA},
    {.status = DNS_OK, OF(listed)}, {.status = DNS_OK, OF(error_code)},
    {.status = DNS_OK, OF(inner)},  {.status = DNS_OK, OF(outer)},
};
static const struct dns_answer names[] = {
    {.status = DNS_NXDOMAIN},     {.status = DNS_NODATA},      {.status = DNS_OK, OF(name)},
    {.status = DNS_OK, OF(root)}, {.status = DNS_OK, OF(odd)}, {.status = DNS_OK, OF(name)},
};

/* What the DNS holds is a matter of the name, whether it answers one of chance. */
static const struct dns_answer *dns_await(void *self, const struct session *s, struct text asked,
					  uint16_t type)
{
	const size_t kinds = sizeof(names) / sizeof(names[0]);
	struct faulty_world *w = self;

	(void)s;
	_Static_assert(sizeof(names) == sizeof(addresses), "as many of each");
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	if (w->dns_away || faulty_chance(w, w->unknown))
		return &no_answers[faulty_below(w, sizeof(no_answers) / sizeof(no_answers[0]))];
	const size_t at = (siphash(&secret, asked.p, asked.n) ^ type) % kinds;
	return type == DNS_A || type == DNS_AAAA ? &addresses[at] : &names[at];
}

static void ask_spf(void *self, const struct session *s, enum spf_identity identity,
		    struct spf_result *out)
{
	struct faulty_world *w = self;

	(void)s;
	(void)identity;
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	out->code = w->dns_away || faulty_chance(w, w->unknown)
			? (faulty_chance(w, 128) ? SPF_UNDECIDED : SPF_TEMPERROR)
			: (enum spf_code)faulty_below(w, SPF_CODES);
	out->reason = LIT("matched -all");
	if (out->code == SPF_FAIL && faulty_chance(w, 128))
		out->explanation = LIT("see %s https://why.example.org/?a=b");
	out->passes_nobody = out->code == SPF_FAIL && faulty_chance(w, 128);
}

static void ask_dkim(void *self, const struct session *s, struct dkim_result *out)
{
	static const struct text domains[] = {LIT("example.org"), LIT("mail.example.org"),
					      LIT("bulk.example"), LIT("")};
	struct faulty_world *w = self;

	(void)s;
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	if (w->dns_away || faulty_chance(w, w->unknown)) {
		out->why = LIT("nobody looked");
		return;
	}
	out->judged = true;
	out->count = faulty_below(w, 4);
	for (size_t i = 0; i < out->count; i++)
		out->signatures[i] = (struct dkim_signature){
		    .code = (enum dkim_code)(1 + faulty_below(w, DKIM_CODES - 1)),
		    .reason = (enum dkim_reason)faulty_below(w, DKIM_REASONS),
		    .algorithm = DKIM_ALGORITHM_RSA_SHA256,
		    .domain = domains[faulty_below(w, 4)],
		    .testing = faulty_chance(w, 32),
		};
}

static void ask_scan(void *self, const struct session *s, struct scan_result *out)
{
	static const struct scan_match matches[] = {
	    {SCAN_SIGNATURE, LIT("Win.Test.EICAR_HDB-1")},
	    {SCAN_PUA, LIT("PUA.Win.Tool.X")},
	    {SCAN_LIMITS, LIT("Heuristics.Limits.Exceeded.MaxFiles")},
	    {SCAN_TIME, LIT("Heuristics.Limits.Exceeded.MaxScanTime")},
	};
	struct faulty_world *w = self;

	(void)s;
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	*out = (struct scan_result){.code = SCAN_DONE};
	if (faulty_chance(w, w->unknown)) {
		out->code = (enum scan_code)faulty_below(w, SCAN_DONE);
		out->reason = LIT("nobody looked");
	} else if (faulty_chance(w, 32)) {
		out->matches[out->match_count++] = matches[faulty_below(w, 4)];
	}
}

static void ask_archives(void *self, const struct session *s, const struct archives_request *rq,
			 struct archives_facts *out)
{
	static const struct archives_file files[] = {
	    {.path = LIT("a/b.exe")},
	    {.path = LIT("note.txt"), .kinds = UINT64_C(1) << MIME_PE, .encrypted = true},
	};
	static const unsigned char states[ARCHIVES_PARTS_MAX];
	struct faulty_world *w = self;

	(void)s;
	(void)rq;
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	*out = (struct archives_facts){.reason = LIT("nobody looked"), .part_states = states};
	out->answered = !faulty_chance(w, w->unknown);
	if (!out->answered)
		return;
	out->files = files;
	out->count = faulty_chance(w, 32) ? faulty_below(w, 3) : 0;
	out->limits = faulty_chance(w, 32) ? ARCHIVES_LIMIT_TIME : 0;
	out->states = faulty_chance(w, 32) ? (unsigned)faulty_below(w, 32) : 0;
}

/* What was remembered once may be, again. */
static enum answer verified(void *self, enum verified_kind kind, struct text key,
			    struct verified *out)
{
	struct faulty_world *w = self;

	(void)kind;
	pass_time(w);
	if (faulty_chance(w, w->unknown))
		return ANSWER_UNKNOWN;
	if (!holds("verified", LIST_ADDRESS, NULL, key, 64))
		return ANSWER_NO;
	*out = (struct verified){.what = (enum verified_what)(1 + key.n % (VERIFIED_WHATS - 1)),
				 .code = 550,
				 .asked_wall_us = w->wall_us - 3600,
				 .until_wall_us = w->wall_us + 3600};
	return ANSWER_YES;
}

static bool verify_join(void *self, const struct session *s, enum verified_kind kind,
			struct text key, int64_t wait_us, struct verify_answer *out)
{
	struct faulty_world *w = self;

	(void)s;
	(void)kind;
	(void)key;
	(void)wait_us;
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	if (!faulty_chance(w, 32))
		return false;
	*out = (struct verify_answer){.said = (enum verify_said)faulty_below(w, 7)};
	return true;
}

static void verify_end(void *self, const struct session *s, const struct verify_answer *a)
{
	(void)s;
	faulty_note(self, &a->said, sizeof(a->said));
}

static void call_out(void *self, const struct session *s, struct callout *c)
{
	struct faulty_world *w = self;
	const struct hop_reply *first =
	    &hop_replies[faulty_below(w, sizeof(hop_replies) / sizeof(hop_replies[0]))];

	(void)s;
	pass_time(w);
	if (w->meanwhile)
		w->meanwhile(w->meanwhile_arg);
	c->stage = (enum callout_stage)faulty_below(w, 5);
	c->first.code = first->code;
	memcpy(c->first.enhanced, first->enhanced, sizeof(c->first.enhanced));
	c->second.code = faulty_chance(w, 128) ? 250 : 550;
	c->ours = faulty_chance(w, 16);
}

static uint64_t counter_tag(void *self, enum table_kind kind, struct text space, const void *key,
			    size_t n)
{
	char both[700];
	struct buf b = buf_over(both, sizeof(both));

	(void)self;
	/* What other servers are asked is charged before a reply, and is no limit of clients. */
	if (text_istarts(space, LIT("verify ")))
		kind = TABLE_COUNT;
	buf_text(&b, space);
	buf_char(&b, '\0');
	buf_put(&b, key, n);
	assert(!b.cut);
	return (siphash(&secret, b.p, b.n) >> 2) | (uint64_t)kind << 62;
}

static uint64_t *counter(struct faulty_world *w, uint64_t tag)
{
	size_t i = tag % COUNTERS;

	while (w->counters[2 * i] && w->counters[2 * i] != tag)
		i = (i + 1) % COUNTERS;
	w->counters[2 * i] = tag;
	return &w->counters[2 * i + 1];
}

static uint64_t counter_read(void *self, uint64_t tag)
{
	struct faulty_world *w = self;

	return faulty_chance(w, w->counters_fail) ? 0 : *counter(w, tag);
}

/* As a full table: nothing is stored. */
static uint64_t counter_update(void *self, uint64_t tag,
			       uint64_t (*change)(uint64_t old, void *arg), void *arg)
{
	struct faulty_world *w = self;

	const bool fails = faulty_chance(w, w->counters_fail);
	uint64_t *value = counter(w, tag);
	const uint64_t after = change(fails ? 0 : *value, arg);

	if (!fails)
		*value = after;
	if (tag >> 62 == TABLE_GCRA) {
		const int64_t left_us = (int64_t)after - w->boot_us;

		w->deeds.charges++;
		if (left_us > w->deeds.furthest_us)
			w->deeds.furthest_us = left_us;
	}
	return after;
}

static void counter_forget(void *self, uint64_t tag)
{
	*counter(self, tag) = 0;
}

static void emit(void *self, const struct event *e)
{
	struct faulty_world *w = self;
	struct field_view field;
	struct event_view v;

	if (!event_parse(e->bytes, e->n, &v))
		abort();
	if (v.type == EVENT_INCIDENT || v.type == EVENT_REPEAT) {
		w->deeds.incidents += v.type == EVENT_INCIDENT;
		w->deeds.repeats += v.type == EVENT_REPEAT;
		w->deeds.incident =
		    event_get(&v, FIELD_incident, &field) ? (uint64_t)field.number : 0;
		if (event_get(&v, FIELD_phase, &field))
			text_cstr(field.text, w->deeds.phase, sizeof(w->deeds.phase));
	}
	/* How long a check took is of this world, too: it has no other clock. */
	faulty_note(w, e->bytes, e->n);
}

static void count(void *self, unsigned metric, uint64_t n)
{
	struct faulty_world *w = self;

	_Static_assert(METRIC_COUNT <= sizeof(w->metrics) / sizeof(w->metrics[0]), "more room");
	w->metrics[metric] += n;
}

const struct world_ops faulty_ops = {
    .boot_us = boot_us,
    .wall_us = wall_us,
    .random = random_number,
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

void faulty_init(struct faulty_world *w, uint64_t seed)
{
	*w = (struct faulty_world){
	    .state = seed,
	    .boot_us = INT64_C(1000000000000),
	    .wall_us = INT64_C(1700000000000000),
	};
	w->counters = calloc(2 * (size_t)COUNTERS, sizeof(*w->counters));
	if (!w->counters)
		abort();
}

void faulty_free(struct faulty_world *w)
{
	free(w->counters);
	w->counters = NULL;
}
