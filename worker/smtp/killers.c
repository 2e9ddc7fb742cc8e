/* Counting the deaths that a message has caused. */
#include "worker/smtp/killers.h"

#include "shm/base/clock.h"
#include "worker/smtp/session.h"

#define PERIOD_US  (24 * 3600 * SECOND_US)
#define ANY        LIT("inspector killers")
#define BY_MESSAGE LIT("inspector killer")

enum { PIECES = 32 };

static uint64_t tag_of_any(const struct table *t)
{
	return table_tag(t, TABLE_COUNT, ANY, "", 0);
}

/* Of all its bytes, under the table's key: nobody can make another message collide with his.  0: it
 * can't be read. */
static uint64_t tag_of(struct smtp_session *ss)
{
	const struct table *t = &ss->server->seg->table;
	struct iovec iov[PIECES];
	uint64_t offset = 0, chain[2] = {0};
	int n;

	do {
		n = PIECES;
		if (spool_pieces(ss->spool, &offset, iov, &n) != SPOOL_OK)
			return 0;
		for (int i = 0; i < n; i++) {
			chain[1] = siphash(&t->key, iov[i].iov_base, iov[i].iov_len);
			chain[0] = siphash(&t->key, chain, sizeof(chain));
		}
	} while (n > 0);
	return table_tag(t, TABLE_COUNT, BY_MESSAGE, chain, sizeof(chain));
}

unsigned killers_note(struct smtp_session *ss)
{
	struct table *t = &ss->server->seg->table;
	const uint64_t tag = tag_of(ss);
	const int64_t now_us = clock_boot_us();

	if (tag == 0)
		return 1;
	table_count_add(t, tag_of_any(t), 1, PERIOD_US, now_us);
	return table_count_add(t, tag, 1, PERIOD_US, now_us);
}

bool killers_knows(struct smtp_session *ss)
{
	const struct table *t = &ss->server->seg->table;
	uint64_t tag;

	/* Also the count of any lasts for its own day only: it began no later than the message's
	 * second death. */
	if (table_count_read(t, tag_of_any(t), clock_boot_us()) == 0)
		return false;
	tag = tag_of(ss);
	return tag != 0 && table_count_read(t, tag, clock_boot_us()) >= KILLER_DEATHS;
}
