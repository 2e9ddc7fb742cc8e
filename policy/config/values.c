/* Values by their types: from text, and compared. */
#include "policy/config/internal.h"

#include "shm/base/clock.h"

#include <inttypes.h>
#include <stdlib.h>

/* What a value's parser needs for its message. */
struct site {
	struct loading *loading;
	const struct raw_section *section;
	const struct setting_row *row;
};

static void bad_value(const struct site *at, const struct raw_value *v, const char *wanted)
{
	struct text label = config_label(at->loading, at->section, at->row);

	config_mistake(at->loading, v->line, "%.*s: \"%.*s\" is not %s", TEXT(label), TEXT(v->text),
		       wanted);
}

static void parse_bool(const struct site *at, const struct raw_value *v, bool *out)
{
	if (text_eq(v->text, LIT("true")) || text_eq(v->text, LIT("yes")) ||
	    text_eq(v->text, LIT("on")))
		*out = true;
	else if (text_eq(v->text, LIT("false")) || text_eq(v->text, LIT("no")) ||
		 text_eq(v->text, LIT("off")))
		*out = false;
	else
		bad_value(at, v, "true or false");
}

static void out_of_range(const struct site *at, const struct raw_value *v, const char *min,
			 const char *max)
{
	struct text label = config_label(at->loading, at->section, at->row);

	config_mistake(at->loading, v->line, "%.*s: \"%.*s\" is out of range, %s to %s",
		       TEXT(label), TEXT(v->text), min, max);
}

static void parse_int(const struct site *at, const struct raw_value *v, int64_t *out)
{
	uint64_t n, min, max;
	char a[24], b[24];

	setting_bounds(at->row, &min, &max);
	if (!text_u64(v->text, &n)) {
		bad_value(at, v, "a whole number");
		return;
	}
	if (n < min || n > max) {
		snprintf(a, sizeof(a), "%" PRIu64, min);
		snprintf(b, sizeof(b), "%" PRIu64, max);
		out_of_range(at, v, a, b);
		return;
	}
	*out = (int64_t)n;
}

static void parse_size(const struct site *at, const struct raw_value *v, uint64_t *out)
{
	uint64_t n, min, max;
	char a[24], b[24];

	setting_bounds(at->row, &min, &max);
	if (!size_parse(v->text, &n)) {
		bad_value(at, v, "a size, such as 512, \"64K\" or \"50M\"");
		return;
	}
	if (n < min || n > max) {
		out_of_range(at, v, size_format(min, a), size_format(max, b));
		return;
	}
	*out = n;
}

static void parse_duration(const struct site *at, const struct raw_value *v, int64_t *out)
{
	uint64_t min, max;
	char a[24], b[24];
	int64_t us;

	setting_bounds(at->row, &min, &max);
	if (!duration_parse(v->text, &us)) {
		bad_value(at, v, "a time, such as \"30s\", \"10m\" or \"1h\"");
		return;
	}
	if (us < (int64_t)min * SECOND_US || us > (int64_t)max * SECOND_US) {
		out_of_range(at, v, duration_format((int64_t)min * SECOND_US, a),
			     duration_format((int64_t)max * SECOND_US, b));
		return;
	}
	*out = us;
}

static void parse_choice(const struct site *at, const struct raw_value *v, int *out)
{
	size_t n = setting_word_count(at->row);
	char word[SETTING_NAME_MAX], all[256];
	struct buf words = buf_over(all, sizeof(all));
	struct suggestion near;

	suggest_begin(&near, v->text);
	for (size_t i = 0; i < n; i++) {
		setting_word(at->row, i, word);
		if (text_eq(v->text, text_of(word))) {
			*out = (int)i;
			return;
		}
		suggest_offer(&near, text_of(word));
		buf_printf(&words, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", word);
	}
	struct text label = config_label(at->loading, at->section, at->row);
	struct text found = config_nearest(at->loading, &near);
	config_mistake(at->loading, v->line, "%.*s: \"%.*s\" is not %s%.*s", TEXT(label),
		       TEXT(v->text), all, TEXT(found));
}

/* A list whose words are given may only have these. */
static void check_word(const struct site *at, const struct raw_value *v)
{
	int unused;

	if (setting_word_count(at->row) > 0)
		parse_choice(at, v, &unused);
}

static void parse_rate(const struct site *at, const struct raw_value *v, struct rate *out)
{
	if (!rate_parse(v->text, out))
		bad_value(at, v, "a rate, such as \"100/1h\"");
}

static void parse_net(const struct site *at, const struct raw_value *v, struct net *out)
{
	struct net net;
	struct ip ip;
	struct text address, length;
	char shown[NET_TEXT_MAX];
	uint64_t bits;

	if (net_parse(v->text, out))
		return;
	/* with host bits the network that was meant can be told */
	if (text_split(v->text, '/', &address, &length) && ip_parse(address, &ip) &&
	    text_u64(length, &bits)) {
		bits += ip_is4(&ip) ? 96 : 0;
		net = (struct net){ip_mask(&ip, (unsigned)bits), (uint8_t)bits};
		if (bits <= 128 && net_parse(text_of(net_format(&net, shown)), &net)) {
			struct text label = config_label(at->loading, at->section, at->row);

			config_mistake(at->loading, v->line,
				       "%.*s: \"%.*s\" is no network; nearest: %s", TEXT(label),
				       TEXT(v->text), shown);
			return;
		}
	}
	bad_value(at, v, "a network or an address, such as \"192.0.2.0/24\" or \"2001:db8::/32\"");
}

static void parse_file(const struct site *at, const struct raw_value *v, struct file_text *out)
{
	struct loading *l = at->loading;
	const struct source_item *item;

	*out = (struct file_text){LIT(""), LIT("")};
	if (text_empty(v->text))
		return;
	item = source_file(&l->source, SOURCE_FILE, v->text);
	if (item->error) {
		struct text label = config_label(l, at->section, at->row);

		config_mistake(l, v->line, "%.*s: cannot read \"%.*s\": %s", TEXT(label),
			       TEXT(v->text), strerror(item->error));
		return;
	}
	*out = (struct file_text){item->name, item->data};
}

static void parse_list(const struct site *at, const struct raw_value *v, size_t n, void *field)
{
	struct arena *a = at->loading->arena;

	if (at->row->type == TYPE_RATES) {
		struct rate_list list = {arena_alloc(a, n * sizeof(*list.v)), n};

		for (size_t i = 0; i < n; i++)
			parse_rate(at, &v[i], &list.v[i]);
		memcpy(field, &list, sizeof(list));
	} else if (at->row->type == TYPE_NETS) {
		struct net_list list = {arena_alloc(a, n * sizeof(*list.v)), n};

		for (size_t i = 0; i < n; i++)
			parse_net(at, &v[i], &list.v[i]);
		memcpy(field, &list, sizeof(list));
	} else {
		struct text_list list = {arena_alloc(a, n * sizeof(*list.v)), n};

		for (size_t i = 0; i < n; i++) {
			check_word(at, &v[i]);
			list.v[i] = v[i].text;
		}
		memcpy(field, &list, sizeof(list));
	}
}

static void parse_values(const struct site *at, const struct raw_value *v, size_t n, void *field)
{
	switch (at->row->type) {
	case TYPE_BOOL:
		parse_bool(at, v, field);
		break;
	case TYPE_INT:
		parse_int(at, v, field);
		break;
	case TYPE_SIZE:
		parse_size(at, v, field);
		break;
	case TYPE_DURATION:
		parse_duration(at, v, field);
		break;
	case TYPE_RATE:
		parse_rate(at, v, field);
		break;
	case TYPE_CHOICE:
		parse_choice(at, v, field);
		break;
	case TYPE_STRING:
		memcpy(field, &v->text, sizeof(v->text));
		break;
	case TYPE_FILE:
		parse_file(at, v, field);
		break;
	case TYPE_RATES:
	case TYPE_NETS:
	case TYPE_STRINGS:
		parse_list(at, v, n, field);
		break;
	}
}

/* The table writes lists with commas. */
static void parse_default(const struct site *at, void *field)
{
	struct raw_value v[16] = {0};
	struct text rest = text_of(at->row->def), head;
	size_t n = 0;

	if (!setting_is_list(at->row->type)) {
		v[0].text = rest;
		parse_values(at, v, 1, field);
		return;
	}
	while (!text_empty(rest) && n < sizeof(v) / sizeof(v[0])) {
		text_split(rest, ',', &head, &rest);
		v[n++].text = text_trim(head);
	}
	parse_values(at, v, n, field);
}

void config_fill(struct loading *l, const struct group_row *group,
		 const struct raw_section *section, void *out, bool overlay)
{
	const int *old = overlay ? *settings_group_lines(out) : NULL;
	int *lines = arena_alloc(l->arena, group->count * sizeof(*lines));

	for (size_t i = 0; i < group->count; i++) {
		struct site at = {l, section, &group->rows[i]};
		const struct raw_option *o = section ? section->options[i] : NULL;
		void *field = (char *)out + group->rows[i].offset;

		if (!o && overlay) {
			lines[i] = old[i];
			continue;
		}
		/* a value that turns out to be wrong leaves the default behind */
		if (!o || !setting_is_list(group->rows[i].type))
			parse_default(&at, field);
		if (o && (o->count > 0 || setting_is_list(group->rows[i].type)))
			parse_values(&at, o->values, o->count, field);
		lines[i] = o ? o->line : 0;
	}
	*settings_group_line(out) = section ? section->line : 0;
	*settings_group_lines(out) = lines;
}

/* --- comparing */

static bool lists_equal(enum setting_type type, const void *a, const void *b)
{
	if (type == TYPE_RATES) {
		const struct rate_list *x = a, *y = b;

		for (size_t i = 0; i < x->n && i < y->n; i++) {
			if (x->v[i].n != y->v[i].n || x->v[i].period_us != y->v[i].period_us)
				return false;
		}
		return x->n == y->n;
	}
	if (type == TYPE_NETS) {
		const struct net_list *x = a, *y = b;

		for (size_t i = 0; i < x->n && i < y->n; i++) {
			if (x->v[i].bits != y->v[i].bits || !ip_eq(&x->v[i].ip, &y->v[i].ip))
				return false;
		}
		return x->n == y->n;
	}
	const struct text_list *x = a, *y = b;
	for (size_t i = 0; i < x->n && i < y->n; i++) {
		if (!text_eq(x->v[i], y->v[i]))
			return false;
	}
	return x->n == y->n;
}

static bool value_equal(const struct setting_row *row, const void *a, const void *b)
{
	const struct rate *r = a, *s = b;

	switch (row->type) {
	case TYPE_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case TYPE_INT:
	case TYPE_DURATION:
		return *(const int64_t *)a == *(const int64_t *)b;
	case TYPE_SIZE:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case TYPE_CHOICE:
		return *(const int *)a == *(const int *)b;
	case TYPE_RATE:
		return r->n == s->n && r->period_us == s->period_us;
	case TYPE_STRING:
		return text_eq(*(const struct text *)a, *(const struct text *)b);
	case TYPE_FILE:
		return text_eq(((const struct file_text *)a)->content,
			       ((const struct file_text *)b)->content);
	case TYPE_RATES:
	case TYPE_NETS:
	case TYPE_STRINGS:
		return lists_equal(row->type, a, b);
	}
	return false;
}

bool config_values_equal(const struct group_row *group, const void *a, const void *b)
{
	for (size_t i = 0; i < group->count; i++) {
		size_t offset = group->rows[i].offset;

		if (!value_equal(&group->rows[i], (const char *)a + offset,
				 (const char *)b + offset))
			return false;
	}
	return true;
}
