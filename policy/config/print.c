/* The configuration in force, as a file that says the same: gatepostd -T.
 *
 * Each option stands on a line of its own with a comment on where its value comes from. */
#include "policy/config/internal.h"
#include "shm/base/clock.h"

#include <inttypes.h>

static void print_quoted(struct text t, FILE *out)
{
	fputc('"', out);
	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c == '"' || c == '\\' || c == '$')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void print_list(enum setting_type type, const void *field, FILE *out)
{
	const struct text_list *texts = field;
	const struct rate_list *rates = field;
	const struct net_list *nets = field;
	size_t n = type == TYPE_RATES ? rates->n : type == TYPE_NETS ? nets->n : texts->n;
	char shown[NET_TEXT_MAX];

	fputs("{", out);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", " : " ", out);
		if (type == TYPE_RATES)
			fprintf(out, "\"%s\"", rate_format(&rates->v[i], shown));
		else if (type == TYPE_NETS)
			fprintf(out, "\"%s\"", net_format(&nets->v[i], shown));
		else
			print_quoted(texts->v[i], out);
	}
	fputs(" }", out);
}

void config_value_print(const struct setting_row *row, const void *group, FILE *out)
{
	const void *field = (const char *)group + row->offset;
	char shown[SETTING_NAME_MAX];

	switch (row->type) {
	case TYPE_BOOL:
		fputs(*(const bool *)field ? "true" : "false", out);
		break;
	case TYPE_INT:
		fprintf(out, "%" PRId64, *(const int64_t *)field);
		break;
	case TYPE_SIZE:
		fprintf(out, "\"%s\"", size_format(*(const uint64_t *)field, shown));
		break;
	case TYPE_DURATION:
		fprintf(out, "\"%s\"", duration_format(*(const int64_t *)field, shown));
		break;
	case TYPE_RATE:
		fprintf(out, "\"%s\"", rate_format(field, shown));
		break;
	case TYPE_CHOICE:
		fprintf(out, "\"%s\"", setting_word(row, (size_t) * (const int *)field, shown));
		break;
	case TYPE_STRING:
		print_quoted(*(const struct text *)field, out);
		break;
	case TYPE_FILE:
		print_quoted(((const struct file_text *)field)->path, out);
		break;
	case TYPE_RATES:
	case TYPE_NETS:
	case TYPE_STRINGS:
		print_list(row->type, field, out);
		break;
	}
}

static void print_origin(const struct config *c, int line, FILE *out)
{
	if (line > 0)
		fprintf(out, "  # %.*s:%d\n", TEXT(c->file), line);
	else
		fputs(line < 0 ? "  # command line\n" : "  # default\n", out);
}

static void print_options(const struct config *c, const struct group_row *g, const void *group,
			  const char *indent, FILE *out)
{
	const int *lines;
	char name[SETTING_NAME_MAX];

	memcpy(&lines, (const char *)group + offsetof(struct global_settings, lines),
	       sizeof(lines));
	for (size_t i = 0; i < g->count; i++) {
		fprintf(out, "%s%s = ", indent, settings_name(g->rows[i].name, name));
		config_value_print(&g->rows[i], group, out);
		print_origin(c, lines[i], out);
	}
}

static void print_titled(const struct config *c, const char *kind, struct text title,
			 const void *group, FILE *out)
{
	char name[SETTING_NAME_MAX];

	fprintf(out, "\n%s ", settings_name(kind, name));
	print_quoted(title, out);
	fputs(" {\n", out);
	print_options(c, config_group(kind), group, "\t", out);
}

static void print_check(const struct config *c, const struct group_row *g,
			const struct settings *set, const char *indent, FILE *out)
{
	char name[SETTING_NAME_MAX], deeper[8];

	snprintf(deeper, sizeof(deeper), "%s\t", indent);
	fprintf(out, "%scheck \"%s\" {\n", indent, settings_name(g->name, name));
	print_options(c, g, (const char *)set + g->offset, deeper, out);
	fprintf(out, "%s}\n", indent);
}

static void print_domain(const struct config *c, const struct domain *d, FILE *out)
{
	print_titled(c, "domain", d->set.name, &d->set, out);
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		if (g->kind == KIND_CHECK &&
		    memcmp((const char *)d->settings + g->offset,
			   (const char *)&c->base + g->offset, g->size) != 0)
			print_check(c, g, d->settings, "\t", out);
	}
	fputs("}\n", out);
}

void config_print(const struct config *c, FILE *out)
{
	print_options(c, settings_groups, &c->global, "", out);
	fputs("\nlog {\n", out);
	print_options(c, config_group("log"), &c->log, "\t", out);
	fputs("}\n\nauth {\n", out);
	print_options(c, config_group("auth"), &c->auth, "\t", out);
	fputs("}\n\nclamav {\n", out);
	print_options(c, config_group("clamav"), &c->clamav, "\t", out);
	fputs("}\n", out);
	for (size_t i = 0; i < c->listener_count; i++) {
		print_titled(c, "listener", c->listeners[i].set.name, &c->listeners[i].set, out);
		fputs("}\n", out);
	}
	for (size_t i = 0; i < c->route_count; i++) {
		print_titled(c, "route", c->routes[i].set.name, &c->routes[i].set, out);
		fputs("}\n", out);
	}
	for (size_t i = 0; i < c->domain_count; i++)
		print_domain(c, &c->domains[i], out);
	for (size_t i = 0; i < c->limit_count; i++) {
		print_titled(c, "limit", c->limits[i].set.name, &c->limits[i].set, out);
		fputs("}\n", out);
	}
	for (size_t i = 0; i < c->dnsbl_count; i++) {
		const struct dnsbl *d = &c->dnsbls[i];

		print_titled(c, d->domains ? "rhsbl" : "dnsbl_", d->set.name, &d->set, out);
		fputs("}\n", out);
	}
	for (size_t i = 0; i < c->auth_network_count; i++) {
		const struct auth_network *n = &c->auth_networks[i];

		print_titled(c, "auth_network", n->set.name, &n->set, out);
		fputs("}\n", out);
	}
	for (size_t i = 0; i < c->header_rule_count; i++) {
		const struct header_rule *rule = &c->header_rules[i];

		print_titled(c, "header_rule", rule->set.name, &rule->set, out);
		fputs("}\n", out);
	}
	for (size_t i = 0; i < settings_group_count; i++) {
		if (settings_groups[i].kind == KIND_CHECK) {
			fputs("\n", out);
			print_check(c, &settings_groups[i], &c->base, "", out);
		}
	}
}
