/* One inspector: answers questions until it is told to end. */
#ifndef WORKER_INSPECT_INSPECTOR_H
#define WORKER_INSPECT_INSPECTOR_H

#include <stdatomic.h>
#include <stdint.h>

/* What the zygote sees of one inspector; a page of its own, which no other inspector has mapped. */
struct inspector_page {
	_Atomic int64_t busy_since_mono_us; /* 0: it waits for a question */
	_Atomic uint32_t type;              /* enum question_type of that one */
	_Atomic uint64_t answered;
};

/* Before the filter of system calls.  After SIGTERM it lives for `last_s` seconds at most, also if
 * its zygote is gone; 0: as long as it takes. */
void inspector_signals(unsigned last_s);

/* Serves `fd` until SIGTERM (the question at hand is answered first), until nobody is left who
 * asks, or until it has answered so many that a fresh one is due.  The process ends. */
_Noreturn void inspector_run(int fd, struct inspector_page *page);

#endif
