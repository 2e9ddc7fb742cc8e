/* What is remembered of addresses that other servers were asked about (policy/verify.h): in the
 * `events` environment, written by the keeper from VERIFIED events, read by workers and tool.
 *
 * An entry ends by itself; where there are too many, those go that would end first.  A temporary
 * answer is never among them. */
#ifndef SHM_VERIFIED_H
#define SHM_VERIFIED_H

#include "shm/event.h"
#include "shm/lists.h"
#include "shm/store.h"

enum verified_kind { VERIFIED_SENDER, VERIFIED_RECIPIENT };

enum verified_what {
	VERIFIED_NOTHING,  /* no answer, or a temporary one: never stored */
	VERIFIED_TAKES,    /* the server takes mail for the address */
	VERIFIED_REFUSES,  /* it says that there is no such address */
	VERIFIED_ANYTHING, /* of a domain: its servers take any address, so a yes says nothing */
	VERIFIED_DISCERNS, /* of a domain: they don't */
	VERIFIED_NO_NULL,  /* of a domain: they refuse the null sender, so they can't be asked */
	VERIFIED_WHATS
};
/* "takes", "refuses", "anything", "discerns", "no-null-sender". */
const char *verified_what_name(enum verified_what w);
const char *verified_kind_name(enum verified_kind k); /* "sender", "recipient" */

#define VERIFIED_HOP_MAX  120
#define VERIFIED_TEXT_MAX 160

/* May be copied; longer texts are cut. */
struct verified {
	enum verified_what what;
	short code;                       /* of the reply that said so; 0: none */
	char enhanced[10];                /* "5.1.1", or "" */
	char hop[VERIFIED_HOP_MAX + 1];   /* who was asked */
	char text[VERIFIED_TEXT_MAX + 1]; /* what it said, or why it said nothing */
	int64_t asked_wall_us, until_wall_us;
};

/* The event that has the keeper remember it.  `key` is an address as mailbox_key() makes it, or
 * "@domain". */
void verified_event(struct event *e, enum verified_kind kind, struct text key,
		    const struct verified *v);

/* What is remembered and not over; UNKNOWN: it can't be read now. */
enum answer verified_find(struct store *st, enum verified_kind kind, struct text key,
			  int64_t now_wall_us, struct verified *out);
/* All that isn't over, in the order of the addresses, until fn returns non-zero, which is then
 * returned. */
int verified_each(struct store *st, enum verified_kind kind, int64_t now_wall_us,
		  int (*fn)(struct text key, const struct verified *v, void *arg), void *arg);

/* An address, or with "@domain" all addresses of the domain and what is remembered of itself.  How
 * many, or -1. */
long verified_forget(struct store *st, enum verified_kind kind, struct text key);

#endif
