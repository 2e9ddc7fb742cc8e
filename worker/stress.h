/* How hard pressed a worker is, from 0 (not) to 3, by the fullest of its sessions, its spool memory
 * and its descriptors:
 *
 *   1  from 70 %   strangers have a quarter of the time for a command and for a message's grace
 *   2  from 85 %   a sixteenth
 *   3  from 95 %   strangers are answered 421 at the greeting
 *
 * Own clients notice nothing.  A level ends five points below where it began, so that it doesn't
 * flutter. */
#ifndef WORKER_STRESS_H
#define WORKER_STRESS_H

#include <stdint.h>

struct stress_input {
	uint64_t used, limit; /* limit 0: counts for nothing */
};

/* The level after `before`. */
unsigned stress_level(unsigned before, const struct stress_input *inputs, unsigned n);

/* This process's open descriptors and how many it may have. */
struct stress_input stress_descriptors(void);

#endif
