/* gatepost ban check: what a session of this client, or mail from this domain or address or to this
 * recipient, would meet.  It asks the lists as the checks do: for an address also without its +tag,
 * and for its domain. */
#include "master/admin/ban.h"
#include "master/admin/output.h"
#include "policy/check.h"
#include "shm/journal.h"

/* The names under which the lists may know it. */
enum { NAMES_MAX = 3 };

struct name {
	enum check_id check; /* that asks for it */
	enum list_key kind;
	char key[LIST_KEY_MAX + 1];
};

struct finding {
	const char *check; /* that asked the list */
	enum answer banned, exempt;
	struct list_entry ban, exemption;
	struct hits hits;
};

static bool is_refused(const struct finding *f)
{
	return f->banned == ANSWER_YES && f->exempt != ANSWER_YES;
}

/* ---- names ---- */

static enum check_id check_of(enum list_key kind)
{
	switch (kind) {
	case LIST_CLIENT:
	case LIST_HOST:
		return CHECK_banned_client;
	case LIST_DOMAIN:
		return CHECK_banned_domain;
	case LIST_RECIPIENT:
		return CHECK_banned_recipient;
	default:
		return CHECK_banned_address;
	}
}

static void add_name(struct name names[NAMES_MAX], size_t *n, enum list_key kind, struct text key)
{
	names[*n] = (struct name){.check = check_of(kind), .kind = kind};
	text_cstr(key, names[(*n)++].key, sizeof(names[0].key));
}

/* "ann+tag@example.org" as "ann@example.org"; false if there is no tag. */
static bool without_tag(const struct tool *t, const char *address, struct buf *out)
{
	const struct text delimiter = t->config->global.recipient_delimiter;
	const char *at = strrchr(address, '@');
	const size_t tag = text_empty(delimiter) ? 0 : text_find(text_of(address), delimiter.p[0]);

	if (!at || tag == 0 || tag >= (size_t)(at - address))
		return false;
	buf_put(out, address, tag);
	buf_text(out, text_of(at));
	return true;
}

static size_t names_of(const struct tool *t, const struct list_entry *asked,
		       struct name names[NAMES_MAX])
{
	const bool address = asked->kind == LIST_ADDRESS || asked->kind == LIST_RECIPIENT;
	char untagged[LIST_KEY_MAX + 1];
	struct buf b = buf_over(untagged, sizeof(untagged));
	size_t n = 0;

	add_name(names, &n, asked->kind, text_of(asked->key));
	if (address && without_tag(t, asked->key, &b))
		add_name(names, &n, asked->kind, buf_view(&b));
	if (asked->kind == LIST_ADDRESS)
		add_name(names, &n, LIST_DOMAIN, text_of(strrchr(asked->key, '@') + 1));
	if (asked->kind == LIST_HOST)
		add_name(names, &n, LIST_DOMAIN, text_of(asked->key + 1));
	return n;
}

/* ---- asking ---- */

struct covering {
	const struct tool *tool;
	const struct net *net;
	struct list_entry *out;
	enum answer found;
};

static int note_covering(const struct list_entry *e, void *arg)
{
	struct covering *c = arg;

	if (e->kind != LIST_CLIENT || !net_covers(&e->net, c->net) ||
	    (e->expires_wall_us && e->expires_wall_us <= c->tool->now_wall_us) ||
	    (c->found == ANSWER_YES && e->net.bits <= c->out->net.bits))
		return 0;
	*c->out = *e;
	c->found = ANSWER_YES;
	return 0;
}

/* A whole network: the longest ban that covers all of it, not the one that holds its first address.
 */
static enum answer network_banned(struct tool *t, const struct net *net, struct list_entry *out)
{
	struct covering c = {t, net, out, ANSWER_NO};

	return bans_each(&t->lists, note_covering, &c) == 0 ? c.found : ANSWER_UNKNOWN;
}

static enum answer find_ban(struct tool *t, const struct list_entry *asked, const struct name *name,
			    struct list_entry *out)
{
	if (name->kind == LIST_CLIENT && asked->net.bits < 128)
		return network_banned(t, &asked->net, out);
	return bans_find(&t->lists, name->kind, &asked->net.ip, text_of(name->key), t->now_wall_us,
			 out);
}

static enum answer find_exemption(struct tool *t, const struct list_entry *asked, const char *check,
				  const struct name *names, size_t n, struct list_entry *out)
{
	for (size_t i = 0; i < n; i++) {
		enum answer a = exemptions_find(&t->lists, check, names[i].kind, &asked->net.ip,
						text_of(names[i].key), t->now_wall_us, out);
		/* of a network, only what spares all of it */
		if (a == ANSWER_YES && asked->kind == LIST_CLIENT &&
		    !net_covers(&out->net, &asked->net))
			a = ANSWER_NO;
		if (a != ANSWER_NO)
			return a;
	}
	return ANSWER_NO;
}

/* The ban that refuses; else one that would if it weren't for an exemption; else none.  False: the
 * lists cannot be read. */
static bool find(struct tool *t, const struct list_entry *asked, struct finding *out)
{
	struct name names[NAMES_MAX];
	const size_t n = names_of(t, asked, names);

	for (size_t i = 0; i < n; i++) {
		struct finding f = {.check = check_row(names[i].check)->name};

		f.banned = find_ban(t, asked, &names[i], &f.ban);
		f.exempt = find_exemption(t, asked, f.check, names, n, &f.exemption);
		if (f.banned == ANSWER_UNKNOWN || f.exempt == ANSWER_UNKNOWN)
			return false;
		if (i == 0 || is_refused(&f) ||
		    (f.banned == ANSWER_YES && out->banned != ANSWER_YES))
			*out = f;
		if (is_refused(&f))
			break;
	}
	if (out->banned == ANSWER_YES &&
	    hits_find(&t->events, out->ban.id, &out->hits) != ANSWER_YES)
		out->hits = (struct hits){0};
	return true;
}

/* ---- saying ---- */

static void json_time(int64_t wall_us)
{
	char time[40];

	if (wall_us)
		json_string(when(true, wall_us, time));
	else
		fputs("null", stdout);
}

static void json_entry(const char *name, const struct list_entry *e, const struct hits *hits)
{
	printf(",\n \"%s\": {\"what\": ", name);
	json_string(e->key);
	printf(", \"by\": ");
	json_string(e->by);
	printf(", \"reason\": ");
	json_string(e->reason);
	printf(", \"added\": ");
	json_time(e->added_wall_us);
	printf(", \"expires\": ");
	json_time(e->expires_wall_us);
	if (hits) {
		printf(", \"hits\": %llu, \"last\": ", (unsigned long long)hits->count);
		json_time(hits->last_wall_us);
	}
	putchar('}');
}

static void print_finding_json(const struct list_entry *asked, const struct finding *f)
{
	printf("{\"asked\": ");
	json_string(asked->key);
	printf(", \"kind\": \"%s\", \"check\": \"%s\", \"banned\": %s, \"exempt\": %s, "
	       "\"refused\": %s",
	       list_key_name(asked->kind), f->check, f->banned == ANSWER_YES ? "true" : "false",
	       f->exempt == ANSWER_YES ? "true" : "false", is_refused(f) ? "true" : "false");
	if (f->banned == ANSWER_YES)
		json_entry("ban", &f->ban, &f->hits);
	if (f->exempt == ANSWER_YES)
		json_entry("exemption", &f->exemption, NULL);
	puts("}");
}

static void print_finding(const struct list_entry *asked, const struct finding *f)
{
	char shown[LIST_KEY_MAX + 16], count[32], last[40];

	if (f->banned == ANSWER_YES) {
		printf("banned by %s", tool_key_shown(&f->ban, shown));
		tool_print_facts(&f->ban);
		printf(" (hit %s times", count_format(false, f->hits.count, count));
		if (f->hits.count)
			printf(", last %s", when(false, f->hits.last_wall_us, last));
		puts(")");
	} else {
		printf("not banned: %s\n", tool_key_shown(asked, shown));
	}
	if (f->exempt == ANSWER_YES) {
		printf("%sexempt from %s: %s", f->banned == ANSWER_YES ? "but " : "", f->check,
		       tool_key_shown(&f->exemption, shown));
		tool_print_facts(&f->exemption);
		putchar('\n');
	}
	printf("result: %srefused\n", is_refused(f) ? "" : "not ");
}

int ban_check(struct tool *t, int argc, char **argv)
{
	struct list_entry asked = {0};
	struct finding f = {0};

	(void)argc;
	if (!tool_parse_key(argv[0], &asked))
		return EXIT_WRONG;
	if (!tool_open_lists(t) || !tool_open_events(t))
		return EXIT_STORE;
	if (!find(t, &asked, &f))
		return tool_fail(EXIT_STORE, "cannot read the lists");
	if (t->options.json)
		print_finding_json(&asked, &f);
	else
		print_finding(&asked, &f);
	return is_refused(&f) ? EXIT_YES : EXIT_NO;
}
