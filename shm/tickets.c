/* Keys of TLS session tickets. */
#include "shm/tickets.h"

#include <string.h>
#include <sys/random.h>

bool tickets_rotate(struct ticket_keys *t, int64_t now_boot_us, int64_t period_us)
{
	const uint32_t made = atomic_load_explicit(&t->made, memory_order_relaxed);
	const uint32_t next = made + 1 ? made + 1 : 1;
	struct ticket_key key;

	if (made && now_boot_us - t->made_boot_us < period_us)
		return true;
	if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != (ssize_t)sizeof(key))
		return false;
	t->keys[next % TICKET_SLOTS] = key;
	atomic_store_explicit(&t->made, next, memory_order_release);
	t->made_boot_us = now_boot_us;
	/* The one that has just ceased to open tickets. */
	explicit_bzero(&t->keys[(next + 2) % TICKET_SLOTS], sizeof(key));
	explicit_bzero(&key, sizeof(key));
	return true;
}

const struct ticket_key *tickets_newest(const struct ticket_keys *t)
{
	const uint32_t made = atomic_load_explicit(&t->made, memory_order_acquire);

	return made ? &t->keys[made % TICKET_SLOTS] : NULL;
}

const struct ticket_key *tickets_find(const struct ticket_keys *t, const unsigned char *name,
				      bool *renew)
{
	const uint32_t made = atomic_load_explicit(&t->made, memory_order_acquire);

	for (uint32_t age = 0; age < 2 && made > age; age++) {
		const struct ticket_key *k = &t->keys[(made - age) % TICKET_SLOTS];

		if (memcmp(k->name, name, sizeof(k->name)) != 0)
			continue;
		*renew = age > 0;
		return k;
	}
	return NULL;
}
