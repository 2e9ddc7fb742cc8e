/* What policy needs of the world: lists, counters, the next hop, time.  policy/ knows no sockets;
 * the worker implements this by reading LMDB and shared memory and by yielding, the unit tests by a
 * table.
 *
 * A look-up answers yes, no or unknown; a check never guesses what unknown means. */
#ifndef POLICY_WORLD_H
#define POLICY_WORLD_H

#include "shm/event.h"
#include "shm/lists.h"
#include "shm/table.h"

struct session;
struct recipient;

/* What a next hop said of a recipient (or of a message). */
struct hop_reply {
	short code;        /* 0: no answer at all */
	char enhanced[10]; /* "5.1.1", "" if it gave none */
	struct text text;  /* first line's text without codes, in the transaction's arena */
	struct text hop;   /* who said it, for the log */
};

struct world_ops {
	int64_t (*boot_us)(void *self);
	int64_t (*wall_us)(void *self);
	uint64_t (*random)(void *self);

	enum answer (*ban)(void *self, enum list_key kind, const struct ip *ip, struct text key,
			   struct list_entry *out);
	enum answer (*exemption)(void *self, const char *check, enum list_key kind,
				 const struct ip *ip, struct text key, struct list_entry *out);
	bool (*no_exemptions)(void *self);
	enum answer (*recipient)(void *self, struct text domain, struct text local);

	/* Asks the next hop of r's route for r, live; yields.  YES: 2xx, NO: 5xx, UNKNOWN: the
	 * rest. */
	enum answer (*hop_takes)(void *self, const struct session *s, const struct recipient *r,
				 struct hop_reply *out);

	/* Can the route carry addresses outside ASCII, as far as is known by now?  Asked only where
	 * there are such. */
	bool (*hop_carries_utf8)(void *self, const struct session *s, const struct recipient *r);

	uint64_t (*counter_tag)(void *self, enum table_kind kind, struct text space,
				const void *key, size_t n);
	uint64_t (*counter_read)(void *self, uint64_t tag);
	uint64_t (*counter_update)(void *self, uint64_t tag,
				   uint64_t (*change)(uint64_t old, void *arg), void *arg);
	void (*counter_forget)(void *self, uint64_t tag);

	/* Hands an event to the keeper. */
	void (*emit)(void *self, const struct event *e);
	void (*count)(void *self, unsigned metric, uint64_t n);
};

struct world {
	const struct world_ops *ops;
	void *self;
};

#endif
