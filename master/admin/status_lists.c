/* The DNS lists of the configuration, and what the workers have found of each. */
#include "master/admin/status_lists.h"

#include "master/admin/output.h"
#include "policy/dnsbl.h"
#include "shm/base/clock.h"

static uint64_t mark(const struct tool *t, const struct dnsbl *d, const char *space)
{
	const struct table *table = &t->segment.table;
	uint64_t tag = table_tag(table, TABLE_MARK, text_of(space), d->label.p, d->label.n);

	return table_mark_read(table, tag, clock_boot_us());
}

static void list_row(const struct tool *t, const struct dnsbl *d, struct table_out *out)
{
	const struct dnsbl_health health =
	    dnsbl_health(mark(t, d, DNSBL_STATE), mark(t, d, DNSBL_CROWD));
	const bool off = d->set.mode == MODE_OFF;
	char name[128], weight[24], since[40] = "";

	text_cstr(d->set.name, name, sizeof(name));
	snprintf(weight, sizeof(weight), "%d", (int)d->set.weight);
	if (!off && health.state != DNSBL_UNPROVEN)
		when(t->options.json, health.since_wall_us, since);
	table_row(out, name, d->domains ? "domains" : "addresses",
		  d->set.mode == MODE_MONITOR ? "monitor"
		  : off                       ? "off"
					      : "enforce",
		  d->set.allow ? "allows" : weight,
		  off ? "off by configuration" : dnsbl_state_text(health.state), since);
}

void lists_print(const struct tool *t)
{
	struct table_out out;

	table_begin(&out, t->options.json, "DNS_LIST OF MODE WEIGHT STATE SINCE", 0);
	for (size_t i = 0; i < t->config->dnsbl_count; i++)
		list_row(t, &t->config->dnsbls[i], &out);
	table_end(&out);
}
