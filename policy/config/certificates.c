/* Certificates: their files, which must fit each other before they come into force; and how they
 * reach the workers, who alone get them. */
#include "policy/config/internal.h"
#include "shm/base/pair.h"

#include <errno.h>
#include <unistd.h>

struct site {
	struct loading *loading;
	const struct raw_section *section;
	struct certificate *certificate;
};

/* The line of the n-th file of an option. */
static int line_of(const struct site *at, size_t row, size_t n)
{
	const struct raw_option *o = at->section->options[row];

	return o && n < o->count ? o->values[n].line : at->section->line;
}

static struct text read_file(const struct site *at, struct text path, int line, int64_t *written_ns)
{
	const struct source_item *item = source_file(&at->loading->source, SOURCE_KEY, path);

	if (item->error)
		config_mistake(at->loading, line, "certificate \"%.*s\": cannot read %.*s: %s",
			       TEXT(at->certificate->set.name), TEXT(path), strerror(item->error));
	*written_ns = item->written_ns;
	return item->data;
}

static void read_pair(const struct site *at, struct certificate_pair *p)
{
	const size_t before = at->loading->mistake_count;
	struct pair pair;
	const char *why;

	p->chain = read_file(at, p->chain_path, p->line, &p->chain_ns);
	p->key = read_file(at, p->key_path, p->line, &p->key_ns);
	if (at->loading->mistake_count > before)
		return;
	if (!pair_parse(p->chain, p->key, &pair, &why)) {
		const bool same = text_eq(p->chain_path, p->key_path);

		config_mistake(at->loading, p->line, "certificate \"%.*s\": %.*s%s%.*s: %s",
			       TEXT(at->certificate->set.name), TEXT(p->chain_path),
			       same ? "" : " and ", TEXT(same ? LIT("") : p->key_path), why);
		return;
	}
	p->not_after_s = pair.not_after_s;
	pair_free(&pair);
}

static void resolve_pairs(const struct site *at)
{
	struct certificate *c = at->certificate;
	const struct text_list *chains = &c->set.chain, *keys = &c->set.key;
	struct source *source = &at->loading->source;

	c->pairs = arena_alloc(at->loading->arena, (chains->n + 1) * sizeof(*c->pairs));
	c->pair_count = chains->n;
	for (size_t i = 0; i < chains->n; i++) {
		struct certificate_pair *p = &c->pairs[i];

		p->line = line_of(at, 0, i);
		p->chain_path = source_absolute(source, chains->v[i]);
		p->key_path = i < keys->n ? source_absolute(source, keys->v[i]) : p->chain_path;
		if (source->keys)
			read_pair(at, p);
	}
}

void config_resolve_certificates(struct loading *l)
{
	const struct group_row *g = config_group("certificate");
	struct config *c = l->config;

	c->certificates =
	    arena_alloc(l->arena, (config_count_sections(l, g) + 1) * sizeof(*c->certificates));
	for (struct raw_section *s = NULL; (s = config_next_section(l, g, s));) {
		struct certificate *to = &c->certificates[c->certificate_count++];

		config_fill(l, g, s, &to->set, false);
		to->set.name = s->title;
		if (to->set.chain.n == 0)
			config_mistake(l, s->line, "certificate \"%.*s\" has no chain",
				       TEXT(s->title));
		if (to->set.key.n != 0 && to->set.key.n != to->set.chain.n)
			config_mistake(
			    l, raw_line(s, "key"),
			    "certificate \"%.*s\": key: each chain has one key, or none is given",
			    TEXT(s->title));
		else
			resolve_pairs(&(struct site){l, s, to});
	}
}

/* ---- For the workers */

static void add_file(struct source *s, struct text path, struct text data)
{
	for (size_t i = 0; i < s->count; i++) {
		if (text_eq(s->items[i].name, path))
			return;
	}
	source_add(s, SOURCE_KEY, path, data, 0);
}

int config_keys_write(const struct config *c)
{
	struct arena arena;
	struct source s = {.arena = &arena};

	arena_init(&arena, NULL, NULL);
	for (size_t i = 0; i < c->certificate_count; i++) {
		for (size_t k = 0; k < c->certificates[i].pair_count; k++) {
			const struct certificate_pair *p = &c->certificates[i].pairs[k];

			add_file(&s, p->chain_path, p->chain);
			add_file(&s, p->key_path, p->key);
		}
	}
	const int fd = bundle_write(&s, true);
	const int saved = errno;

	arena_reset(&arena);
	errno = saved;
	return fd;
}

static bool fill_in(struct source *s, struct certificate_pair *p)
{
	const struct source_item *chain = source_file(s, SOURCE_KEY, p->chain_path);
	const struct text found = chain->error ? LIT("") : chain->data;
	const struct source_item *key = source_file(s, SOURCE_KEY, p->key_path);

	p->chain = found;
	p->key = key->data;
	return found.n > 0 && key->error == 0;
}

bool config_keys_read(struct config *c, int fd)
{
	struct source s = {.arena = &c->arena};
	bool good = bundle_read(&s, fd);

	for (size_t i = 0; good && i < c->certificate_count; i++) {
		for (size_t k = 0; good && k < c->certificates[i].pair_count; k++)
			good = fill_in(&s, &c->certificates[i].pairs[k]);
	}
	if (!good)
		errno = EBADMSG;
	return good;
}

static void wipe(struct text *t)
{
	if (t->n)
		explicit_bzero((char *)t->p, t->n);
	*t = LIT("");
}

void config_keys_wipe(struct config *c)
{
	for (size_t i = 0; i < c->certificate_count; i++) {
		for (size_t k = 0; k < c->certificates[i].pair_count; k++) {
			struct certificate_pair *p = &c->certificates[i].pairs[k];

			wipe(&p->chain);
			wipe(&p->key);
		}
	}
}
