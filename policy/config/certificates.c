/* Certificates: their files, which must fit each other before they come into force; and how they
 * reach the workers, who alone get them. */
#include "policy/config/internal.h"
#include "shm/base/pair.h"

#include <errno.h>
#include <unistd.h>

static struct text read_file(struct loading *l, const struct certificate_pair *p, struct text path,
			     int64_t *written_ns)
{
	const struct source_item *item = source_file(&l->source, SOURCE_KEY, path);

	if (item->error)
		config_mistake(l, p->line, "%.*s: cannot read %.*s: %s", TEXT(p->owner), TEXT(path),
			       strerror(item->error));
	*written_ns = item->written_ns;
	return item->data;
}

static void read_pair(struct loading *l, struct certificate_pair *p)
{
	const size_t before = l->mistake_count;
	struct pair pair;
	const char *why;

	p->chain = read_file(l, p, p->chain_path, &p->chain_ns);
	p->key = read_file(l, p, p->key_path, &p->key_ns);
	if (l->mistake_count > before)
		return;
	if (!pair_parse(p->chain, p->key, &pair, &why)) {
		const bool same = text_eq(p->chain_path, p->key_path);

		config_mistake(l, p->line, "%.*s: %.*s%s%.*s: %s", TEXT(p->owner),
			       TEXT(p->chain_path), same ? "" : " and ",
			       TEXT(same ? LIT("") : p->key_path), why);
		return;
	}
	p->kind = EVP_PKEY_get_base_id(pair.key);
	p->not_after_s = pair.not_after_s;
	pair_free(&pair);
}

/* The array grows by one; there are few. */
static void note_pair(struct loading *l, struct certificate_pair *p)
{
	struct config *c = l->config;
	struct certificate_pair **v =
	    arena_alloc(l->arena, (c->pair_count + 1) * sizeof(struct certificate_pair *));

	if (c->pair_count)
		memcpy(v, c->pairs, c->pair_count * sizeof(struct certificate_pair *));
	v[c->pair_count++] = p;
	c->pairs = v;
}

void config_resolve_pair(struct loading *l, struct certificate_pair *p, struct text chain,
			 struct text key)
{
	p->chain_path = source_absolute(&l->source, chain);
	p->key_path = key.n ? source_absolute(&l->source, key) : p->chain_path;
	note_pair(l, p);
	if (l->source.keys)
		read_pair(l, p);
}

/* Of two with one kind of key only the last would ever be shown. */
static void check_kind(struct loading *l, const struct certificate *c,
		       const struct certificate_pair *p)
{
	for (const struct certificate_pair *other = c->pairs; other < p; other++) {
		if (p->kind == 0 || other->kind != p->kind)
			continue;
		config_mistake(l, p->line, "%.*s: %.*s and %.*s have the same kind of key",
			       TEXT(p->owner), TEXT(other->chain_path), TEXT(p->chain_path));
		return;
	}
}

static void resolve_pairs(struct loading *l, const struct raw_section *s, struct certificate *c)
{
	const struct text_list *chains = &c->set.chain, *keys = &c->set.key;
	const struct raw_option *written = s->options[0]; /* `chain` is its first option */

	c->pairs = arena_alloc(l->arena, (chains->n + 1) * sizeof(*c->pairs));
	c->pair_count = chains->n;
	for (size_t i = 0; i < chains->n; i++) {
		struct certificate_pair *p = &c->pairs[i];

		p->owner = arena_printf(l->arena, "certificate \"%.*s\"", TEXT(c->set.name));
		p->line = written && i < written->count ? written->values[i].line : s->line;
		config_resolve_pair(l, p, chains->v[i], i < keys->n ? keys->v[i] : LIT(""));
		check_kind(l, c, p);
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
			resolve_pairs(l, s, to);
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
	for (size_t i = 0; i < c->pair_count; i++) {
		add_file(&s, c->pairs[i]->chain_path, c->pairs[i]->chain);
		add_file(&s, c->pairs[i]->key_path, c->pairs[i]->key);
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

	for (size_t i = 0; good && i < c->pair_count; i++)
		good = fill_in(&s, c->pairs[i]);
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
	for (size_t i = 0; i < c->pair_count; i++) {
		wipe(&c->pairs[i]->chain);
		wipe(&c->pairs[i]->key);
	}
}
