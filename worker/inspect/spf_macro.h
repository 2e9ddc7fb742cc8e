/* Macros of SPF (RFC 7208 7): their syntax, and what they stand for. */
#ifndef WORKER_INSPECT_SPF_MACRO_H
#define WORKER_INSPECT_SPF_MACRO_H

#include "shm/base/ip.h"
#include "shm/base/text.h"

enum spf_macro_use {
	SPF_MACRO_DOMAIN,      /* letters s l o d i p v h */
	SPF_MACRO_ANY,         /* c r t as well: modifiers that are not known */
	SPF_MACRO_EXPLANATION, /* and spaces */
};

bool spf_macro_string_ok(struct text t, enum spf_macro_use use);
/* domain-spec: a macro-string that ends in a macro or in a top label with a label before it. */
bool spf_domain_spec_ok(struct text t);

/* What the letters stand for. */
struct spf_macro_values {
	struct text local, domain_of_sender; /* %{l}, %{o}; %{s} is both */
	struct text domain;                  /* %{d}: of the record that is evaluated */
	struct ip client;
	struct text helo, receiver;
	int64_t now_s;
	/* %{p}, asked only where it stands; false: not known yet. */
	bool (*validated)(void *self, struct text domain, struct text *out);
	void *self;
};

/* Room for an expansion, and for what is then cut off from its left. */
enum { SPF_EXPANSION_SIZE = 4096 };

/* Expands a domain-spec (whose syntax is good) to a name, cut to 253 bytes by whole labels from the
 * left (7.3), without a dot at the end.  False: %{p} is not known yet. */
bool spf_expand_domain(struct text spec, const struct spf_macro_values *v,
		       char room[SPF_EXPANSION_SIZE], struct text *out);
/* Appends an explanation, as much as there is room for.  False as above. */
bool spf_expand_explanation(struct text t, const struct spf_macro_values *v, struct buf *out);

#endif
