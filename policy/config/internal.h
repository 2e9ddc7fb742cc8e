/* What the files config_*.c share; nobody else includes it.
 *
 * Loading goes in this order: config_source reads the file; config_scan finds sections and options
 * and all mistakes of structure; config_parse lets libconfuse read the values; config_values turns
 * them into the types of settings.def; config_resolve puts listeners, routes, domains and limits
 * together. */
#ifndef POLICY_CONFIG_INTERNAL_H
#define POLICY_CONFIG_INTERNAL_H

#include "policy/config.h"
#include "policy/config/settings_table.h"
#include "policy/suggest.h"

/* --- source.c: what was read, from disk or from a bundle */
enum source_kind {
	SOURCE_MAIN = 'm',     /* the configuration file */
	SOURCE_FILE = 'f',     /* a file that it names, or /etc/hosts */
	SOURCE_VARIABLE = 'e', /* an environment variable */
	SOURCE_FACT = 'v',     /* host name, working directory */
	SOURCE_OVERRIDE = 'o', /* name=value of the command line */
	SOURCE_KEY = 'k',      /* a certificate or a key: never in a bundle */
};

struct source_item {
	enum source_kind kind;
	int error; /* errno if it could not be read; then data is empty */
	struct text name, data;
	int64_t written_ns; /* of a file: when it was written */
};

struct source {
	struct arena *arena; /* of the configuration: contents are used in place */
	struct source_item *items;
	size_t count, capacity;
	bool sealed; /* from a bundle: nothing is read from the system */
	bool keys;   /* certificates and their keys are read, too */
};

const struct source_item *source_add(struct source *s, enum source_kind kind, struct text name,
				     struct text data, int error);
/* Each answers the same thing for the same name, however often and in whichever process. */
const struct source_item *source_file(struct source *s, enum source_kind kind, struct text path);
const struct source_item *source_variable(struct source *s, struct text name);
struct text source_host_name(struct source *s);
struct text source_directory(struct source *s);
/* An absolute form of `path`, as seen from the directory of the process that read the file. */
struct text source_absolute(struct source *s, struct text path);

/* --- bundle.c */
/* A sealed memfd with all items but certificates and keys, or with these alone; or -1 with errno.
 */
int bundle_write(const struct source *s, bool keys);
/* Into s->items.  False with errno (EBADMSG: it is no bundle). */
bool bundle_read(struct source *s, int fd);

/* --- raw.c: one load */
struct raw_value {
	struct text text;
	int line;
};

struct raw_section;

struct raw_option {
	const struct setting_row *row;
	struct raw_section *section;
	int line; /* -1: command line */
	struct raw_value *values;
	size_t count, capacity;
};

struct raw_section {
	const struct group_row *group;
	struct text title;
	int line;
	struct raw_section *parent, *next; /* next: in the order of the file */
	struct raw_section *chain;         /* of its bucket */
	struct raw_option **options;       /* one a row of the group, NULL: not set */
};

struct config_mistake {
	int line;
	struct text message; /* whole, with file and line */
	struct config_mistake *next;
};

enum { RAW_BUCKETS = 4096 };

struct loading {
	struct config *config;
	struct arena *arena; /* of the configuration */
	struct text path;
	struct source source;
	struct raw_section *first, **last;
	struct raw_section **buckets; /* RAW_BUCKETS, to find a section by its title */
	struct raw_section global;    /* the file itself */
	struct config_mistake *mistakes;
	size_t mistake_count;
};

/* Notes a mistake; line -1: of the command line, 0: of the file as a whole. */
void config_mistake(struct loading *l, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a line of another file. */
void config_mistake_in(struct loading *l, struct text file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "; nearest: NAME" or nothing. */
struct text config_nearest(struct loading *l, const struct suggestion *s);
/* How messages name an option: `workers`, `listener "mx": backlog`. */
struct text config_label(struct loading *l, const struct raw_section *s,
			 const struct setting_row *row);

struct raw_section *raw_section_add(struct loading *l, const struct group_row *group,
				    struct text title, int line, struct raw_section *parent);
struct raw_option *raw_option_add(struct loading *l, struct raw_section *s,
				  const struct setting_row *row, int line);
void raw_value_add(struct loading *l, struct raw_option *o, struct text text, int line);
/* The section with that title (empty: the only one) and parent; NULL. */
struct raw_section *raw_section_find(struct loading *l, const struct group_row *group,
				     struct text title, const struct raw_section *parent);

/* The line of an option, of its section where it isn't set. */
int raw_line(const struct raw_section *s, const char *name);

/* --- scan.c */
/* Finds the sections and options of `text` and their mistakes.  What libconfuse must not see
 * (comments, which it miscounts; what is already known to be wrong) is blanked in `text`.  `order`
 * are the options in the order of the file, each with room for its values (their lines stand).
 * False: the syntax is broken and the rest wasn't read. */
struct scan {
	struct raw_option **options;
	size_t count, capacity;
};
bool config_scan(struct loading *l, char *text, size_t n, struct scan *order);

/* --- parse.c */
/* Fills in the values of the options that the scan found.  False: it couldn't. */
bool config_parse(struct loading *l, const char *text, const struct scan *order);
/* Adds the "name=value" of a command line. */
void config_override(struct loading *l, struct text override);

/* --- values.c */
/* A group's struct from its section (NULL: all defaults).  With `overlay`, what the section doesn't
 * set stays as it is. */
void config_fill(struct loading *l, const struct group_row *group,
		 const struct raw_section *section, void *out, bool overlay);
bool config_values_equal(const struct group_row *group, const void *a, const void *b);
/* A file could say it so; appended to out. */
void config_value_print(const struct setting_row *row, const void *group, FILE *out);

/* --- resolve.c and its parts */
void config_resolve(struct loading *l);
void config_resolve_listeners(struct loading *l);
void config_resolve_certificates(struct loading *l); /* before the listeners */
/* A pair whose owner and line stand: its paths (no key: it is in the file of the chain), and what
 * is in them where keys are read. */
void config_resolve_pair(struct loading *l, struct certificate_pair *p, struct text chain,
			 struct text key);
void config_resolve_routes(struct loading *l);
void config_resolve_route_tls(struct loading *l, const struct raw_section *s, struct route *r);
void config_resolve_domains(struct loading *l);
void config_resolve_limits(struct loading *l);
void config_resolve_dnsbls(struct loading *l);
void config_resolve_header_rules(struct loading *l);
void config_resolve_auth(struct loading *l);
void config_resolve_logins(struct loading *l);    /* after auth, listeners, routes and relay */
void config_resolve_antivirus(struct loading *l); /* after the domains */
/* A check of the protocol can't be off or monitored. */
void config_check_mode(struct loading *l, const struct group_row *g, const struct raw_section *s,
		       const struct settings *set);
/* --- verify.c: negative answers are not kept longer than positive ones. */
void config_check_lives(struct loading *l, const struct group_row *g, const struct raw_section *s,
			const struct settings *set);
const struct route *config_find_route(struct loading *l, struct text name);
const struct group_row *config_group(const char *name);
size_t config_count_sections(struct loading *l, const struct group_row *group);
/* The next top section of that group after `s` (NULL: the first). */
struct raw_section *config_next_section(struct loading *l, const struct group_row *group,
					const struct raw_section *s);
/* --- patterns.c */
/* An empty list that belongs to the configuration. */
struct pattern_list *config_new_patterns(struct loading *l);
/* Adds those of an option of the section (NULL: of none), or notes their mistakes. */
void config_add_patterns(struct loading *l, struct pattern_list *list,
			 const struct text_list *patterns, const struct raw_section *section,
			 const char *name, int fallback_line);
/* The patterns of `set` compiled; the list belongs to the configuration. */
void config_compile(struct loading *l, struct settings *set, const struct raw_section *section);
/* --- forwarders.c: those of check "dmarc", in the form in which they are compared */
void config_normalize_forwarders(struct loading *l, struct settings *set,
				 const struct raw_section *section);
/* --- extensions.c: the list of `set`, in the configuration's arena */
void config_compile_extensions(struct loading *l, struct settings *set,
			       const struct raw_section *section);
/* --- dkim.c: the domains of `set` that must sign, in A-labels */
void config_resolve_dkim(struct loading *l, struct settings *set,
			 const struct raw_section *section);
/* "a.b.c.d:port", "[v6]:port"; `fallback` is the port where none is written, 0: one has to be. */
bool config_split_port(struct text t, uint16_t fallback, struct text *host, uint16_t *port);

/* --- hosts.c */
/* The addresses of a name by /etc/hosts ("localhost" always has one); never asks the DNS. */
size_t hosts_find(struct source *s, struct text name, struct ip *out, size_t max);
/* This machine's own name, with its domain where /etc/hosts knows it. */
struct text hosts_own_name(struct source *s);

#endif
