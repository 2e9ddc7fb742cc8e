/* The anti-virus engine's options: what fits together, and where a clamd is. */
#include "policy/config/internal.h"
#include "shm/base/clock.h"

enum { CLAMD_PORT = 3310 };

static bool scans(const struct settings *set)
{
	return set->antivirus.mode != MODE_OFF;
}

bool config_wants_scans(const struct config *c)
{
	for (size_t i = 0; i < c->domain_count; i++) {
		if (scans(c->domains[i].settings))
			return true;
	}
	return scans(&c->base);
}

bool config_wants_engine(const struct config *c)
{
	return text_empty(c->clamav.clamd) && config_wants_scans(c);
}

uint64_t config_scan_size(const struct config *c)
{
	uint64_t most = c->base.antivirus.max_size;

	for (size_t i = 0; i < c->domain_count; i++) {
		if (c->domains[i].settings->antivirus.max_size > most)
			most = c->domains[i].settings->antivirus.max_size;
	}
	return most;
}

/* What is larger would pass unscanned, or be refused though it was announced as welcome. */
static void check_size(struct loading *l, const struct settings *set, const char *whose,
		       struct text name)
{
	const struct config *c = l->config;
	char scanned[24], taken[24];

	if (!scans(set) || c->global.max_message_size <= set->antivirus.max_size)
		return;
	config_mistake(
	    l, set->antivirus.line,
	    "%s%.*s%scheck \"antivirus\": max-size is %s, but max-message-size %s: a message "
	    "that is taken must be scanned whole",
	    whose, TEXT(name), whose[0] ? "\": " : "",
	    size_format(set->antivirus.max_size, scanned),
	    size_format(c->global.max_message_size, taken));
}

static void find_clamd(struct loading *l, const struct raw_section *s)
{
	struct config *c = l->config;
	const struct text written = c->clamav.clamd;
	struct text host;

	if (text_empty(written))
		return;
	if (text_istarts(written, LIT("unix:"))) {
		c->clamd.path =
		    source_absolute(&l->source, text_make(written.p + 5, written.n - 5));
		if (written.n > 5 && c->clamd.path.n < 108)
			return;
	} else if (text_istarts(written, LIT("tcp://"))) {
		if (config_split_port(text_make(written.p + 6, written.n - 6), CLAMD_PORT, &host,
				      &c->clamd.port) &&
		    (ip_parse(host, &c->clamd.ip) || hosts_find(&l->source, host, &c->clamd.ip, 1)))
			return;
	}
	config_mistake(
	    l, raw_line(s, "clamd"),
	    "clamav: clamd: \"%.*s\" is neither \"unix:/path\" nor \"tcp://address:port\"",
	    TEXT(written));
}

void config_resolve_antivirus(struct loading *l)
{
	const struct raw_section *s = config_next_section(l, config_group("clamav"), NULL);
	struct config *c = l->config;

	c->clamav.database = source_absolute(&l->source, c->clamav.database);
	find_clamd(l, s);
	check_size(l, &c->base, "", LIT(""));
	for (size_t i = 0; i < c->domain_count; i++) {
		if (c->domains[i].settings != &c->base)
			check_size(l, c->domains[i].settings, "domain \"", c->domains[i].name);
	}
	if (config_wants_engine(c) && c->clamav.max_scan_size < config_scan_size(c))
		config_mistake(
		    l, raw_line(s, "max_scan_size"),
		    "clamav: max-scan-size is less than max-size of check \"antivirus\"");
}
