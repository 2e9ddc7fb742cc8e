/* The answers of the last seconds, for all sessions of a worker: what a burst of mail from one
 * sender asks again and again.  Not for long, and only facts (the resolver has the real cache).
 *
 * An answer is shared by the cache and by the queries that got it; the last of them frees it. */
#ifndef WORKER_IO_DNS_CACHE_H
#define WORKER_IO_DNS_CACHE_H

#include "shm/base/dns.h"

struct dns_cache;

/* An answer with its question. */
struct dns_cached {
	struct dns_answer *answer;
	unsigned users;
	uint16_t type;
	uint8_t name_n;
	char name[DNS_NAME_MAX]; /* lower case, without final dot; only name_n bytes are there */
};

/* For about that many answers; NULL: no memory. */
struct dns_cache *dns_cache_new(size_t entries);
/* NULL is harmless. */
void dns_cache_free(struct dns_cache *c);

/* Times are of CLOCK_MONOTONIC.  What is found belongs to the caller too: dns_cached_drop().
 * NULL: it isn't there.  `name` is dns_name_ok() without a final dot. */
struct dns_cached *dns_cache_find(struct dns_cache *c, struct text name, uint16_t type,
				  int64_t now_us);

/* Keeps a new answer, in a block of malloc, which is the cache's and the caller's from then on.
 * NULL: it isn't worth keeping (or there is no memory): it stays the caller's alone. */
struct dns_cached *dns_cache_put(struct dns_cache *c, struct text name, uint16_t type,
				 struct dns_answer *answer, int64_t now_us);

/* NULL is harmless. */
void dns_cached_drop(struct dns_cached *cached);

#endif
