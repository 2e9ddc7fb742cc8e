/* gatepost explain: why a message or a recipient was refused, by the id that stands in the reply.
 */
#include "master/admin/output.h"
#include "master/admin/tool.h"
#include "policy/incident.h"
#include "shm/base/clock.h"
#include "shm/journal.h"

#include <inttypes.h>

/* ---- fields ---- */

static struct text field_text(const struct event_view *v, enum event_field f)
{
	struct field_view field;

	return event_get(v, f, &field) ? field.text : LIT("");
}

static int64_t field_number(const struct event_view *v, enum event_field f)
{
	struct field_view field;

	return event_get(v, f, &field) ? field.number : 0;
}

static const char *field_ip(const struct event_view *v, enum event_field f, char dst[IP_TEXT_MAX])
{
	struct field_view field;

	return event_get(v, f, &field) ? ip_format(&field.ip, dst) : "?";
}

/* "name outcome us facts", as the engine wrote it. */
struct ran {
	struct text check, outcome, us, facts;
};

static struct ran ran_parse(struct text line)
{
	struct ran r;

	text_split(line, ' ', &r.check, &line);
	text_split(line, ' ', &r.outcome, &line);
	text_split(line, ' ', &r.us, &r.facts);
	return r;
}

/* "mx1-7KQ2-M4XD" */
static char *shown_id(const struct tool *t, uint64_t id, char dst[INCIDENT_TEXT_MAX])
{
	struct text label, rest;

	text_split(t->config->global.hostname, '.', &label, &rest);
	return incident_format(label, id, dst);
}

/* ---- for people ---- */

static const char *phase_shown(struct text phase)
{
	static const struct {
		const char *name, *shown;
	} phases[] = {{"connect", "in the greeting"},
		      {"helo", "at HELO"},
		      {"auth", "at AUTH"},
		      {"mail", "at MAIL"},
		      {"rcpt", "at RCPT"},
		      {"data", "at DATA"},
		      {"message", "at end of data"}};

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (text_eq(phase, text_of(phases[i].name)))
			return phases[i].shown;
	}
	return "";
}

static void print_labelled(const char *label, struct text t)
{
	printf("%-11s", label);
	print_clean_text(stdout, t);
	putchar('\n');
}

static void print_head(const struct event_view *v)
{
	char time[40];

	printf("%s  ", moment_format(v->wall_us, time));
	print_clean_text(stdout, field_text(v, FIELD_listener));
	printf("  %s %s: ", field_number(v, FIELD_code) >= 500 ? "REFUSED" : "DEFERRED",
	       phase_shown(field_text(v, FIELD_phase)));
	print_clean_text(stdout, field_text(v, FIELD_reply));
	putchar('\n');
}

/* "   HELO mx.example.org", where there is one. */
static void print_part(const char *name, struct text value)
{
	if (text_empty(value))
		return;
	printf("   %s ", name);
	print_clean_text(stdout, value);
}

static void print_client(const struct event_view *v)
{
	const struct text host = field_text(v, FIELD_host);
	struct field_view proxy;
	char ip[IP_TEXT_MAX];

	printf("%-11s%s", "client", field_ip(v, FIELD_client, ip));
	if (!text_empty(host)) {
		fputs(" (", stdout);
		print_clean_text(stdout, host);
		fputs(", confirmed)", stdout);
	}
	print_part("HELO", field_text(v, FIELD_helo));
	print_part("TLS", field_text(v, FIELD_tls));
	print_part("login", field_text(v, FIELD_login));
	if (event_get(v, FIELD_proxy, &proxy))
		printf("   by proxy %s", ip_format(&proxy.ip, ip));
	printf("   session ");
	print_clean_text(stdout, field_text(v, FIELD_session));
	putchar('\n');
}

static void print_path(struct text address)
{
	const bool bare = text_eq(address, LIT("<>"));

	fputs(bare ? "" : "<", stdout);
	print_clean_text(stdout, address);
	fputs(bare ? "" : ">", stdout);
}

static void print_envelope(const struct event_view *v)
{
	const struct text from = field_text(v, FIELD_from), to = field_text(v, FIELD_to);
	const int64_t accepted = field_number(v, FIELD_recipients);
	const int64_t size = field_number(v, FIELD_size);
	char count[32];

	if (text_empty(from) && text_empty(to))
		return;
	printf("%-11s", "envelope");
	print_path(from);
	if (!text_empty(to)) {
		fputs(" -> ", stdout);
		print_path(to);
	}
	if (accepted)
		printf(", %s recipient%s accepted", count_format(false, (uint64_t)accepted, count),
		       accepted == 1 ? "" : "s");
	if (size)
		printf(", %s bytes", count_format(false, (uint64_t)size, count));
	putchar('\n');
}

/* Where the check's options stand in the configuration as it is now; 0: nowhere, or another
 * domain's. */
static int line_of(const struct tool *t, struct text check)
{
	const struct check_row *row = check_find(check);
	int line = 0;

	if (row)
		memcpy(&line, (const char *)&t->config->base + row->settings_offset, sizeof(line));
	return line;
}

static void print_decided(const struct tool *t, const struct event_view *v)
{
	const struct text check = field_text(v, FIELD_check), facts = field_text(v, FIELD_facts);
	const struct text cause = field_text(v, FIELD_cause);
	const int line = line_of(t, check);

	if (text_empty(check)) {
		print_labelled("decided",
			       text_empty(facts) ? LIT("the protocol, no check") : facts);
		return;
	}
	printf("%-11s", "decided");
	print_clean_text(stdout, check);
	printf(" (%.*s", TEXT(field_text(v, FIELD_mode)));
	if (line)
		printf(", %.*s:%d", TEXT(t->config->file), line);
	if (!text_empty(cause) && !text_eq(cause, LIT("policy")))
		printf(", cause: %.*s", TEXT(cause));
	putchar(')');
	if (!text_empty(facts)) {
		fputs(": ", stdout);
		print_clean_text(stdout, facts);
	}
	putchar('\n');
}

static void print_ran(const struct event_view *v)
{
	struct table_out table;
	struct field_view field;

	table_begin(&table, false, "CHECK VERDICT TIME FACTS", 0);
	for (size_t offset = 0; event_next(v, &offset, &field);) {
		char check[64], outcome[32], time[32], facts[EVENT_TEXT_MAX + 1];
		uint64_t us = 0;

		if (field.field != FIELD_ran)
			continue;
		const struct ran r = ran_parse(field.text);

		text_cstr(r.check, check, sizeof(check));
		text_cstr(r.outcome, outcome, sizeof(outcome));
		text_cstr(r.facts, facts, sizeof(facts));
		text_u64(r.us, &us);
		snprintf(time, sizeof(time), "%.3f ms", (double)us / 1000);
		table_row(&table, check,
			  strcmp(outcome, "refuse") == 0         ? "REFUSED"
			  : strcmp(outcome, "would-refuse") == 0 ? "would refuse"
								 : outcome,
			  time, facts);
	}
	table_end(&table);
}

static void print_incident(const struct tool *t, const struct incident *i,
			   const struct event_view *v)
{
	const struct text remedy = field_text(v, FIELD_remedy), url = field_text(v, FIELD_url);
	char id[INCIDENT_TEXT_MAX], count[32], time[40];

	print_head(v);
	print_client(v);
	print_envelope(v);
	print_decided(t, v);
	if (i->repeats)
		printf("%-11s%s more time%s, last %s\n", "repeated",
		       count_format(false, i->repeats, count), i->repeats == 1 ? "" : "s",
		       minute_format(i->last_wall_us, time));
	print_ran(v);
	if (!text_empty(remedy)) {
		const bool command = text_istarts(remedy, LIT("exempt ")) ||
				     text_istarts(remedy, LIT("recipient ")) ||
				     text_istarts(remedy, LIT("blocks ")) ||
				     text_istarts(remedy, LIT("signature "));

		printf("to let it pass   %s", command ? "gatepost " : "");
		print_clean_text(stdout, remedy);
		putchar('\n');
	}
	fputs("the sender sees  ", stdout);
	if (text_empty(url))
		printf("[%s] at the end of the reply", shown_id(t, i->id, id));
	else
		print_clean_text(stdout, url);
	putchar('\n');
}

/* ---- as JSON ---- */

static void json_key(const char *name)
{
	fputs(",\n \"", stdout);
	for (; *name; name++)
		putchar(*name == '-' ? '_' : *name);
	fputs("\": ", stdout);
}

static void json_field(const struct field_view *f)
{
	char text[40], ip[IP_TEXT_MAX];

	json_key(event_field_name(f->field));
	switch (event_field_type(f->field)) {
	case FIELD_IP_:
		json_string(ip_format(&f->ip, ip));
		break;
	case FIELD_TIME_:
		json_string(wall_format_iso(f->number, text));
		break;
	case FIELD_TEXT_:
	case FIELD_TEXTS_:
		json_text(f->text);
		break;
	default:
		printf("%" PRId64, f->number);
		break;
	}
}

static void json_ran(const struct event_view *v)
{
	struct field_view field;
	bool started = false;

	json_key("ran");
	putchar('[');
	for (size_t offset = 0; event_next(v, &offset, &field);) {
		uint64_t us = 0;

		if (field.field != FIELD_ran)
			continue;
		const struct ran r = ran_parse(field.text);

		text_u64(r.us, &us);
		fputs(started ? ",\n  {\"check\": " : "\n  {\"check\": ", stdout);
		json_text(r.check);
		fputs(", \"outcome\": ", stdout);
		json_text(r.outcome);
		printf(", \"us\": %" PRIu64 ", \"facts\": ", us);
		json_text(r.facts);
		putchar('}');
		started = true;
	}
	putchar(']');
}

static void print_json(const struct tool *t, const struct incident *i, const struct event_view *v)
{
	char text[INCIDENT_TEXT_MAX];
	struct field_view field;

	fputs("{\"incident\": ", stdout);
	json_string(shown_id(t, i->id, text));
	json_key("time");
	json_string(wall_format_iso(v->wall_us, text));
	for (size_t offset = 0; event_next(v, &offset, &field);) {
		if (field.field != FIELD_incident && field.field != FIELD_ran)
			json_field(&field);
	}
	json_key("repeats");
	printf("%" PRIu64, i->repeats);
	if (i->repeats) {
		json_key("last");
		json_string(wall_format_iso(i->last_wall_us, text));
	}
	json_ran(v);
	puts("}");
}

/* ---- the command ---- */

enum { ID_DIGITS = 8 };

/* The id; or, from what the sender sees, the URL or its token, which begins with the id. */
static bool parse_id(const char *typed, uint64_t *id)
{
	const char *slash = strrchr(typed, '/');
	struct text t = text_trim(text_of(slash ? slash + 1 : typed));

	if (t.n == INCIDENT_TOKEN_LENGTH && text_find(t, '-') == t.n)
		t.n = ID_DIGITS;
	return incident_parse(t, id);
}

static int explain_show(struct tool *t, int argc, char **argv)
{
	static struct incident incident;
	struct event_view v;
	char shown[INCIDENT_TEXT_MAX];
	uint64_t id;

	(void)argc;
	if (!parse_id(argv[0], &id))
		return tool_fail(EXIT_WRONG, "\"%s\": no incident id such as mx1-7KQ2-M4XD",
				 argv[0]);
	if (!tool_open_events(t))
		return EXIT_STORE;
	const bool in_time = tool_wait_keeper(t);
	enum answer found = incident_find(&t->events, id, &incident);

	if (found == ANSWER_NO)
		return tool_fail(EXIT_NO, "no incident %s here; incidents are kept for %lld days%s",
				 shown_id(t, id, shown), (long long)t->config->log.incident_days,
				 in_time ? "" : " (the keeper is behind: ask again in a minute)");
	if (found == ANSWER_UNKNOWN || !event_parse(incident.bytes, incident.n, &v))
		return tool_fail(EXIT_STORE, "cannot read the incident");
	if (t->options.json)
		print_json(t, &incident, &v);
	else
		print_incident(t, &incident, &v);
	return EXIT_YES;
}

const struct command explain_commands[] = {
    {"explain", "", "ID", 1, 1, 0, explain_show,
     "why it was refused, by the id in the reply (mx1-7KQ2-M4XD, with or without mx1-, any case) "
     "or "
     "its URL"},
    {0},
};
