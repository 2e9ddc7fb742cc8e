/* The three clocks; durations, sizes and points in time as people and protocols write them. */
#include "shm/base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_boot_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t clock_cpu_us(void)
{
	return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_boot_id(char dst[CLOCK_BOOT_ID_SIZE])
{
	char read_id[CLOCK_BOOT_ID_SIZE];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, read_id, sizeof(read_id)) : 0;

	if (fd >= 0)
		close(fd);
	memset(dst, 0, CLOCK_BOOT_ID_SIZE);
	text_cstr(text_trim(text_make(read_id, n > 0 ? (size_t)n : 0)), dst, CLOCK_BOOT_ID_SIZE);
}

struct unit {
	char name[4];
	int64_t factor;
};

/* Largest first; the last two are only shown: no option is that fine. */
static const struct unit durations[] = {
    {"w", 604800 * SECOND_US},
    {"d", 86400 * SECOND_US},
    {"h", 3600 * SECOND_US},
    {"m", 60 * SECOND_US},
    {"s", SECOND_US},
    {"ms", 1000},
    {"us", 1},
};

enum { DURATION_UNITS = 5, DURATION_UNITS_SHOWN = sizeof(durations) / sizeof(durations[0]) };

bool duration_parse(struct text t, int64_t *us)
{
	int64_t factor = SECOND_US, result;
	uint64_t count;

	if (t.n == 0)
		return false;
	for (int i = 0; i < DURATION_UNITS; i++) {
		if (t.p[t.n - 1] == durations[i].name[0]) {
			factor = durations[i].factor;
			t.n--;
			break;
		}
	}
	if (!text_u64(t, &count) || __builtin_mul_overflow(count, factor, &result))
		return false;
	*us = result;
	return true;
}

char *duration_format(int64_t us, char dst[24])
{
	int i = 0;

	if (us == 0) {
		memcpy(dst, "0s", 3);
		return dst;
	}
	while (i < DURATION_UNITS_SHOWN - 1 && us % durations[i].factor != 0)
		i++;
	snprintf(dst, 24, "%" PRId64 "%s", us / durations[i].factor, durations[i].name);
	return dst;
}

static time_t whole_seconds(int64_t us)
{
	return (time_t)(us / SECOND_US - (us % SECOND_US < 0));
}

static int rest_us(int64_t us)
{
	return (int)(us % SECOND_US + (us % SECOND_US < 0 ? SECOND_US : 0));
}

char *wall_format(int64_t wall_us, char dst[40])
{
	time_t t = whole_seconds(wall_us);
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(dst, 40, "%Y-%m-%d %H:%M:%S %Z", &tm) == 0)
		memcpy(dst, "?", 2);
	return dst;
}

/* Two digits, and what stands before them. */
static void put_two(struct buf *b, const char *before, int n)
{
	const char digits[2] = {(char)('0' + n / 10 % 10), (char)('0' + n % 10)};

	buf_text(b, text_of(before));
	buf_put(b, digits, sizeof(digits));
}

/* Without strftime's names, which follow the locale; and without printf: every message has one. */
char *wall_format_rfc5322(int64_t wall_us, char dst[40])
{
	static const char day[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char month[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = whole_seconds(wall_us);
	struct tm tm;
	struct buf b = buf_over(dst, 40);

	if (!localtime_r(&t, &tm))
		return dst;
	long offset = tm.tm_gmtoff / 60;
	long away = offset < 0 ? -offset : offset;
	buf_text(&b, text_of(day[tm.tm_wday]));
	put_two(&b, ", ", tm.tm_mday);
	buf_char(&b, ' ');
	buf_text(&b, text_of(month[tm.tm_mon]));
	put_two(&b, " ", (tm.tm_year + 1900) / 100);
	put_two(&b, "", tm.tm_year % 100);
	put_two(&b, " ", tm.tm_hour);
	put_two(&b, ":", tm.tm_min);
	put_two(&b, ":", tm.tm_sec);
	put_two(&b, offset < 0 ? " -" : " +", (int)(away / 60));
	put_two(&b, "", (int)(away % 60));
	return dst;
}

char *wall_format_iso(int64_t wall_us, char dst[32])
{
	time_t t = whole_seconds(wall_us);
	struct buf b = buf_over(dst, 32);
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return dst;
	buf_printf(&b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, rest_us(wall_us) / 1000);
	return dst;
}

static const char size_names[] = "KMGT";

bool size_parse(struct text t, uint64_t *bytes)
{
	unsigned shift = 0;
	uint64_t count, result;

	if (t.n > 0) {
		char last = t.p[t.n - 1];
		const char *at = strchr(size_names, last >= 'a' && last <= 'z' ? last - 32 : last);

		if (last && at) {
			shift = 10 * (unsigned)(at - size_names + 1);
			t.n--;
		}
	}
	if (!text_u64(t, &count) || __builtin_mul_overflow(count, UINT64_C(1) << shift, &result))
		return false;
	*bytes = result;
	return true;
}

char *size_format(uint64_t bytes, char dst[24])
{
	unsigned unit = 0;

	while (unit < sizeof(size_names) - 1 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	struct buf b = buf_over(dst, 24);
	buf_printf(&b, "%" PRIu64, bytes);
	if (unit > 0)
		buf_char(&b, size_names[unit - 1]);
	return dst;
}
