/* The field DKIM-Signature (RFC 6376 3.5), read: who says to have signed, by which key, and what is
 * wrong with the field itself, before any key is looked up and any hash is made.
 *
 * The worker reads it to know which keys to ask for; the inspector reads it again from the message,
 * by the same functions, and never lets the library judge a field that is flawed here. */
#ifndef POLICY_DKIM_FIELD_H
#define POLICY_DKIM_FIELD_H

#include "policy/dkim.h"
#include "policy/message/header.h"

/* ---- Lists of tags (3.2): of the field, and of key records */

enum { DKIM_TAGS_MAX = 32 };

struct dkim_tag {
	struct text name, value; /* views; the value may hold folding white space */
};

struct dkim_tags {
	struct dkim_tag v[DKIM_TAGS_MAX];
	size_t n;
};

/* False: it is no such list, or has a tag twice, or too many. */
bool dkim_tags_parse(struct text t, struct dkim_tags *out);
/* NULL: there is no such tag. */
const struct text *dkim_tag(const struct dkim_tags *tags, char name);
const struct text *dkim_tag_named(const struct dkim_tags *tags, struct text name);
/* The value without white space, in the arena: of base64. */
struct text dkim_tag_squeeze(struct text value, struct arena *a);
/* Does a list such as "sha1:sha256" have the word (any case)? */
bool dkim_tag_lists(struct text value, struct text word);

/* ---- The field */

/* Longer fields, and longer lists of signed fields, are DKIM_REASON_SYNTAX: libopendkim cuts them
 * off, and looking for each name among thousands of fields would take its time. */
enum { DKIM_FIELD_MAX = 8192, DKIM_SIGNED_MAX = 256, DKIM_SIGNED_BYTES_MAX = 4000 };
/* And so are those with l= beyond the first ones: it goes through the body once more for each. */
enum { DKIM_LENGTHS_MAX = 2 };

struct dkim_field {
	const struct header_field *field;
	enum dkim_reason flaw; /* NONE: the key is needed to say more */
	enum dkim_algorithm algorithm;
	/* As in struct dkim_signature; empty where the field has none that can be understood. */
	struct text domain, selector, identity, b;
	bool below;        /* i= is of a name below d= */
	bool relaxed_body; /* c= */
	bool has_length;   /* l= */
	uint64_t length;
};

struct dkim_fields {
	struct dkim_field v[DKIM_SIGNATURES_MAX];
	size_t count;
	unsigned more; /* beyond them */
};

/* All of a header at a time; texts stand in the arena.  x= and t= may be off by DKIM_SKEW_S. */
enum { DKIM_SKEW_S = 300 };
void dkim_fields_of(const struct header *h, int64_t now_s, struct arena *a,
		    struct dkim_fields *out);

/* The name where its key is; empty: it is too long. */
struct text dkim_key_name(const struct dkim_field *f, struct arena *a);

#endif
