/* A world in which anything may be away, slow or full, all of it made from one seed: the same seed
 * is the same world, call by call.  For simulated sessions (test_simulation.c).
 *
 * What a list says of a key is a matter of the key, so that it says the same again; whether it
 * answers at all is a matter of chance, or of `lists_away`. */
#ifndef TESTS_WORLD_FAULTY_H
#define TESTS_WORLD_FAULTY_H

#include "policy/world.h"

/* What a session did to the world since it last looked. */
struct faulty_deeds {
	unsigned incidents, repeats; /* handed to the keeper */
	uint64_t incident;           /* the last one's id ... */
	char phase[12];              /* ... and phase */
	unsigned charges;            /* of limits ... */
	int64_t furthest_us;         /* ... and how long until the fullest of them is empty */
	unsigned hop_asked;
	enum answer hop_answer;
};

struct faulty_world {
	uint64_t state; /* of the generator */
	uint64_t digest;
	int64_t boot_us, wall_us;
	/* Chances in 256. */
	unsigned listed, exempt, exists, unknown, counters_fail, slow, wall_jumps;
	bool lists_away, dns_away; /* none of them answers */
	/* Answered for this client and check always ("*": all), whatever else fails. */
	const struct ip *saved_client;
	const char *saved_check;
	struct faulty_deeds deeds;
	/* While the DNS or the hop is asked; other sessions may run. */
	void (*meanwhile)(void *arg);
	void *meanwhile_arg;
	uint64_t *counters; /* pairs of tag and value */
	uint64_t metrics[64];
};

extern const struct world_ops faulty_ops;

void faulty_init(struct faulty_world *w, uint64_t seed);
void faulty_free(struct faulty_world *w);

/* The next number below n, and true in `chance` of 256 times. */
uint64_t faulty_below(struct faulty_world *w, uint64_t n);
bool faulty_chance(struct faulty_world *w, unsigned chance);
/* Mixes bytes into the digest of all that happened. */
void faulty_note(struct faulty_world *w, const void *p, size_t n);

#endif
