/* The keys of TLS session tickets (RFC 5077, RFC 8446 4.6.1), in the segment, so that a session
 * that began at one worker resumes at another, after a reload and after a worker's death.
 *
 * The master makes a new key each period; the one before it still opens tickets.  A ticket holds
 * for at least one period, and no key lives longer than two: whoever takes the machine's memory can
 * read no older recordings with it.  A slot is written long after and long before anybody reads it,
 * so nobody needs a lock. */
#ifndef SHM_TICKETS_H
#define SHM_TICKETS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TICKET_NAME_BYTES 16
#define TICKET_SLOTS      4

struct ticket_key {
	unsigned char name[TICKET_NAME_BYTES]; /* stands in the ticket */
	unsigned char cipher[32], mac[32];     /* AES-256, HMAC-SHA256 */
};

struct ticket_keys {
	_Atomic uint32_t made; /* counts up; the newest is keys[made % TICKET_SLOTS]; 0: none */
	int64_t made_boot_us;  /* when; the master's */
	struct ticket_key keys[TICKET_SLOTS];
};

/* The master's: a new key where there is none, or the newest is older than the period.  A key older
 * than two is wiped.  False: the kernel gave no randomness, and all stays as it was. */
bool tickets_rotate(struct ticket_keys *t, int64_t now_boot_us, int64_t period_us);

/* The key that new tickets are made with; NULL: none. */
const struct ticket_key *tickets_newest(const struct ticket_keys *t);
/* The one of that name, if it is the newest or the one before; *renew: it is not the newest. */
const struct ticket_key *tickets_find(const struct ticket_keys *t, const unsigned char *name,
				      bool *renew);

#endif
