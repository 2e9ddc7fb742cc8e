/* gatepost ban: who is refused. */
#include "master/admin/output.h"
#include "master/admin/tool.h"
#include "shm/base/clock.h"
#include "shm/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The shortest prefixes that are banned without --force. */
#define SHORTEST_IPV4 16
#define SHORTEST_IPV6 32

/* How many of `nets` (trusted networks, proxies) the ban covers or lies in; the first of them. */
static const struct net *covered(const struct net *ban, const struct net_list *nets)
{
	for (size_t i = 0; i < nets->n; i++)
		if (net_covers(ban, &nets->v[i]) || net_covers(&nets->v[i], ban))
			return &nets->v[i];
	return NULL;
}

static size_t hops_covered(const struct config *config, const struct net *ban)
{
	size_t n = 0;
	for (size_t r = 0; r < config->route_count; r++)
		for (size_t h = 0; h < config->routes[r].host_count; h++) {
			const struct hop_address *host = &config->routes[r].hosts[h];
			n += host->kind != HOP_MAILDIR && host->path.n == 0 &&
			     net_contains(ban, &host->ip);
		}
	return n;
}

/* The proxies' list covers every listener; a ban of one would cut off everybody behind it. */
static const struct net *proxy_covered(const struct config *config, const struct net *ban)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct net *net = covered(ban, &config->listeners[i].set.proxy_from);
		if (net)
			return net;
	}
	return NULL;
}

/* EXIT_YES if nothing speaks against banning this network. */
static int guard(const struct tool *t, const struct list_entry *e)
{
	char shown[NET_TEXT_MAX];
	if (e->kind != LIST_CLIENT)
		return EXIT_YES;
	const struct net *proxy = proxy_covered(t->config, &e->net);
	const size_t hops = hops_covered(t->config, &e->net);
	const struct net *own = covered(&e->net, &t->config->global.trusted_networks);
	if (proxy)
		return tool_fail(EXIT_WRONG,
				 "%s covers the proxies %s: not banned; nothing lifts this guard",
				 e->key, net_format(proxy, shown));
	if (hops)
		return tool_fail(EXIT_WRONG,
				 "%s covers %zu next hops: not banned; nothing lifts this guard",
				 e->key, hops);
	if (t->options.force)
		return EXIT_YES;
	if (own)
		return tool_fail(
		    EXIT_WRONG,
		    "%s covers trusted-networks %s: not banned; --force if that is meant", e->key,
		    net_format(own, shown));
	if (net_bits_shown(&e->net) < (ip_is4(&e->net.ip) ? SHORTEST_IPV4 : SHORTEST_IPV6))
		return tool_fail(EXIT_WRONG,
				 "%s is wide: not banned; shortest prefix without --force: /%d "
				 "(IPv4), /%d (IPv6)",
				 e->key, SHORTEST_IPV4, SHORTEST_IPV6);
	return EXIT_YES;
}

/* "until 2026-06-08 09:14:07 CEST by admin: phishing run" */
static void print_entry_facts(const struct list_entry *e)
{
	char time[40];
	if (e->expires_wall_us)
		printf(" until %s", wall_format(e->expires_wall_us, time));
	else
		fputs(", no expiry,", stdout);
	fputs(" by ", stdout);
	print_clean(e->by);
	if (e->reason[0]) {
		fputs(": ", stdout);
		print_clean(e->reason);
	}
}

static int ban_add(struct tool *t, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		struct list_entry e = {0};
		if (!tool_parse_key(argv[i], &e) || !tool_fill_entry(t, &e))
			return EXIT_WRONG;
		if (e.at_connect && e.kind != LIST_CLIENT)
			return tool_fail(EXIT_WRONG,
					 "--at-connect is for client addresses; \"%s\" is a %s",
					 argv[i], list_key_name(e.kind));
		int refused = guard(t, &e);
		if (refused)
			return refused;
		if (!tool_open_lists(t, STORE_WRITE))
			return EXIT_STORE;
		int rc = bans_put(&t->lists, &e);
		if (rc)
			return tool_fail(EXIT_STORE, "cannot add %s: %s", e.key, store_error(rc));
		if (t->options.json)
			continue;
		printf("banned %s %s", list_key_name(e.kind), e.key);
		print_entry_facts(&e);
		puts("\nin force for new sessions now");
	}
	return EXIT_YES;
}

static int ban_del(struct tool *t, int argc, char **argv)
{
	int status = EXIT_YES;
	for (int i = 0; i < argc; i++) {
		struct list_entry e = {0};
		if (!tool_parse_key(argv[i], &e))
			return EXIT_WRONG;
		if (!tool_open_lists(t, STORE_WRITE))
			return EXIT_STORE;
		int rc = bans_del(&t->lists, e.kind, e.key);
		if (rc == MDB_NOTFOUND)
			status =
			    tool_fail(EXIT_NO, "%s %s is not banned", list_key_name(e.kind), e.key);
		else if (rc)
			return tool_fail(EXIT_STORE, "cannot remove %s: %s", e.key,
					 store_error(rc));
		else if (!t->options.json)
			printf("no longer banned: %s %s\n", list_key_name(e.kind), e.key);
	}
	return status;
}

struct listing {
	struct tool *tool;
	struct table_out table;
};

static int list_one(const struct list_entry *e, void *arg)
{
	struct listing *l = arg;
	char expires[40], added[40], last[40], count[24] = "0";
	struct hits hits = {0};
	if (l->tool->events_open && hits_find(&l->tool->events, e->id, &hits) == ANSWER_YES)
		snprintf(count, sizeof(count), "%llu", (unsigned long long)hits.count);
	table_row(&l->table, list_key_name(e->kind), e->key, when(e->expires_wall_us, expires),
		  e->by, when(e->added_wall_us, added), count, when(hits.last_wall_us, last),
		  e->reason);
	return 0;
}

static int ban_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.tool = t};
	(void)argc;
	(void)argv;
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	tool_open_events(t, STORE_WRITE);
	table_begin(&l.table, t->options.json, "KIND WHAT EXPIRES BY ADDED HITS LAST REASON",
		    1U << 5);
	int rc = bans_each(&t->lists, list_one, &l);
	table_end(&l.table);
	return rc ? tool_fail(EXIT_STORE, "cannot read the bans: %s", store_error(rc)) : EXIT_YES;
}

/* What a session of this client, or mail from this domain or address, would meet. */
static int ban_check(struct tool *t, int argc, char **argv)
{
	struct list_entry asked = {0}, found, exempt;
	struct hits hits = {0};
	(void)argc;
	if (!tool_parse_key(argv[0], &asked))
		return EXIT_WRONG;
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	tool_open_events(t, STORE_WRITE);
	const char *check = asked.kind == LIST_CLIENT   ? "banned-client"
			    : asked.kind == LIST_DOMAIN ? "banned-domain"
							: "banned-address";
	enum answer banned = bans_find(&t->lists, asked.kind, &asked.net.ip, text_of(asked.key),
				       t->now_wall_us, &found);
	if (banned == ANSWER_UNKNOWN)
		return tool_fail(EXIT_STORE, "cannot read the bans");
	enum answer saved = exemptions_find(&t->lists, check, asked.kind, &asked.net.ip,
					    text_of(asked.key), t->now_wall_us, &exempt);
	const bool refused = banned == ANSWER_YES && saved != ANSWER_YES;
	if (t->options.json) {
		printf("{\"asked\": ");
		json_string(asked.key);
		printf(", \"banned\": %s, \"exempt\": %s, \"refused\": %s}\n",
		       banned == ANSWER_YES ? "true" : "false",
		       saved == ANSWER_YES ? "true" : "false", refused ? "true" : "false");
		return refused ? EXIT_NO : EXIT_YES;
	}
	if (banned == ANSWER_YES) {
		if (t->events_open)
			hits_find(&t->events, found.id, &hits);
		printf("banned by %s", found.key);
		print_entry_facts(&found);
		printf(" (hit %llu times)\n", (unsigned long long)hits.count);
	} else {
		printf("not banned: %s %s\n", list_key_name(asked.kind), asked.key);
	}
	if (saved == ANSWER_YES) {
		printf("exempt from %s: %s", check, exempt.key);
		print_entry_facts(&exempt);
		putchar('\n');
	}
	printf("result: %srefused\n", refused ? "" : "not ");
	return refused ? EXIT_NO : EXIT_YES;
}

/* One entry a line, fields separated by tabs: kind, key, expiry (seconds since 1970, 0: never),
 * flags
 * ("at-connect" or "-"), author, reason. */
static int export_one(const struct list_entry *e, void *arg)
{
	(void)arg;
	printf("%s\t%s\t%lld\t%s\t%s\t", list_key_name(e->kind), e->key,
	       (long long)(e->expires_wall_us / SECOND_US), e->at_connect ? "at-connect" : "-",
	       e->by);
	print_clean(e->reason);
	putchar('\n');
	return 0;
}

static int ban_export(struct tool *t, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	int rc = bans_each(&t->lists, export_one, NULL);
	return rc ? tool_fail(EXIT_STORE, "cannot read the bans: %s", store_error(rc)) : EXIT_YES;
}

/* A line of an export, or what `ban add` takes.  False: said. */
static bool parse_line(const struct tool *t, char *line, struct list_entry *e)
{
	char *fields[6] = {0}, key[LIST_KEY_MAX + 32];
	size_t n = 0;
	for (char *p = line; p && n < 6; n++) {
		fields[n] = p;
		p = strchr(p, '\t');
		if (p)
			*p++ = '\0';
	}
	if (n == 1)
		return tool_parse_key(line, e) && tool_fill_entry(t, e);
	snprintf(key, sizeof(key), "%s:%s", fields[0], fields[1]);
	if (!tool_parse_key(key, e) || !tool_fill_entry(t, e))
		return false;
	if (fields[2])
		e->expires_wall_us = strtoll(fields[2], NULL, 10) * SECOND_US;
	e->at_connect = fields[3] && strcmp(fields[3], "at-connect") == 0;
	if (fields[4] && fields[4][0])
		snprintf(e->by, sizeof(e->by), "%s", fields[4]);
	if (fields[5] && fields[5][0])
		snprintf(e->reason, sizeof(e->reason), "%s", fields[5]);
	return true;
}

static int ban_import(struct tool *t, int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	unsigned long number = 0, added = 0, wrong = 0;
	(void)argc;
	FILE *in = strcmp(argv[0], "-") == 0 ? stdin : fopen(argv[0], "r");
	if (!in)
		return tool_fail(EXIT_WRONG, "cannot read %s: %m", argv[0]);
	if (!tool_open_lists(t, STORE_WRITE))
		return EXIT_STORE;
	while (getline(&line, &size, in) > 0) {
		struct list_entry e = {0};
		number++;
		line[strcspn(line, "\r\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		int rc = 0;
		if (!parse_line(t, line, &e) || guard(t, &e) != EXIT_YES ||
		    (rc = bans_put(&t->lists, &e)) != 0) {
			tool_fail(EXIT_WRONG, "%s:%lu: not imported%s%s", argv[0], number,
				  rc ? ": " : "", rc ? store_error(rc) : "");
			wrong++;
		} else {
			added++;
		}
	}
	free(line);
	if (in != stdin)
		fclose(in);
	printf("imported %lu, not imported %lu\n", added, wrong);
	return wrong ? EXIT_NO : EXIT_YES;
}

const struct command ban_commands[] = {
    {"ban", "add", "WHAT...", 1, 1000,
     TAKES_EXPIRES | TAKES_REASON | TAKES_FORCE | TAKES_AT_CONNECT, ban_add,
     "refuse an address, network, domain, sender (ann@example.org), host:NAME, login:NAME, "
     "recipient:ADDRESS"},
    {"ban", "del", "WHAT...", 1, 1000, 0, ban_del, "lift a ban"},
    {"ban", "list", "", 0, 0, 0, ban_list, "all bans, with their hits"},
    {"ban", "check", "WHAT", 1, 1, 0, ban_check,
     "would it be refused, and by what? exit status 1: yes"},
    {"ban", "import", "FILE", 1, 1, TAKES_EXPIRES | TAKES_REASON | TAKES_FORCE, ban_import,
     "add one entry a line: what `ban add` takes, or lines of `ban export`; - reads stdin"},
    {"ban", "export", "", 0, 0, 0, ban_export, "one entry a line, for import"},
    {0},
};
