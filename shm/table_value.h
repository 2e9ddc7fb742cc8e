/* The bits of a table value, by kind: shared by table.c, table_kinds.c and the
 * policy, which changes marks by way of its world. */
#ifndef SHM_TABLE_VALUE_H
#define SHM_TABLE_VALUE_H

#include "shm/table.h"

#define VALUE_PENDING       (UINT64_C(1) << 63)
#define VALUE_MAX           (VALUE_PENDING - 1)
#define VALUE_NEVER_EXPIRES UINT64_MAX

#define COUNT_BITS 20
#define COUNT_MAX  ((UINT64_C(1) << COUNT_BITS) - 1)
#define MARK_BITS  40
#define MARK_MAX   ((UINT64_C(1) << MARK_BITS) - 1)
#define MINUTE_US  (60 * INT64_C(1000000))

static inline bool value_is_pending(uint64_t value)
{
	return value & VALUE_PENDING;
}

static inline uint64_t value_clamp(uint64_t value)
{
	return value > VALUE_MAX ? VALUE_MAX : value;
}

static inline uint64_t value_pending_second(int64_t now_us)
{
	return (uint64_t)now_us / 1000000 & 0x7fffffff;
}

/* Bit 63, 31 bits of seconds, 32 bits of nonce. */
static inline uint64_t value_pending(int64_t now_us, uint32_t nonce)
{
	return VALUE_PENDING | value_pending_second(now_us) << 32 | nonce;
}

/* 0: free or over.  A claim that has been pending for more than a second has lost its writer. */
static inline uint64_t value_expires_us(uint64_t tag, uint64_t value, int64_t now_us)
{
	uint64_t expires_us = 0;

	if (tag == 0)
		return 0;
	if (value_is_pending(value)) {
		uint64_t age = value_pending_second(now_us) - (value >> 32 & 0x7fffffff);
		return (age & 0x7fffffff) > 1 ? 0 : VALUE_NEVER_EXPIRES;
	}
	switch ((enum table_kind)(tag >> 62)) {
	case TABLE_GCRA:
		expires_us = value;
		break;
	case TABLE_COUNT:
		expires_us = (value >> COUNT_BITS) * 1000;
		break;
	case TABLE_LIVE:
		return value ? VALUE_NEVER_EXPIRES : 0;
	case TABLE_MARK:
		expires_us = (value >> MARK_BITS) * MINUTE_US;
		break;
	}
	return expires_us > (uint64_t)now_us ? expires_us : 0;
}

#endif
