/* A published SPF record (RFC 7208 4.6.1, 12), parsed as a whole: a syntax error anywhere is an
 * error of the record. */
#ifndef WORKER_INSPECT_SPF_RECORD_H
#define WORKER_INSPECT_SPF_RECORD_H

#include "shm/base/arena.h"
#include "shm/base/ip.h"

enum spf_mechanism {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
};

struct spf_directive {
	enum spf_mechanism mechanism;
	char qualifier;     /* '+', '-', '~' or '?' */
	struct text domain; /* domain-spec, unexpanded; empty: the current domain */
	struct ip ip;       /* ip4, ip6 */
	unsigned bits4, bits6;
	struct text source; /* as it was written */
};

struct spf_record {
	struct spf_directive *directives;
	size_t count;
	struct text redirect, explanation; /* domain-specs; empty: none */
};

/* Does the TXT record begin with "v=spf1" as a word (4.5)? */
bool spf_is_record(struct text txt);

/* Texts are views of `txt`.  False: a syntax error, and *bad is the term that has it. */
bool spf_record_parse(struct text txt, struct arena *a, struct spf_record *out, struct text *bad);

#endif
