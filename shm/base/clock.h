/* The three clocks, in microseconds (design: limits by BOOTTIME, waits by MONOTONIC, wall time only
 * for what is shown or stored), and durations as people write them. */
#ifndef SHM_BASE_CLOCK_H
#define SHM_BASE_CLOCK_H

#include "shm/base/text.h"

#define SECOND_US INT64_C(1000000)

int64_t clock_mono_us(void);
int64_t clock_boot_us(void);
int64_t clock_wall_us(void);
/* What this process has used of the CPU: no load, no pause of the machine makes it run. */
int64_t clock_cpu_us(void);

/* Names the boot from which clock_boot_us counts; "" where the kernel doesn't say. */
#define CLOCK_BOOT_ID_SIZE 40
void clock_boot_id(char dst[CLOCK_BOOT_ID_SIZE]);

/* "90s", "10m", "1h", "7d", "2w", a bare number is seconds: false if it is none or out of range. */
bool duration_parse(struct text t, int64_t *us);
/* The shortest exact form, "1h" for an hour; returns dst. */
char *duration_format(int64_t us, char dst[24]);
/* Local time with zone, "2026-06-01 09:14:07 CEST". */
char *wall_format(int64_t wall_us, char dst[40]);
/* RFC 5322 date-time, "Mon, 01 Jun 2026 09:14:07 +0200". */
char *wall_format_rfc5322(int64_t wall_us, char dst[40]);
/* ISO 8601 UTC with milliseconds, for logs and JSON. */
char *wall_format_iso(int64_t wall_us, char dst[32]);

/* Sizes: "50M", "10K", "1G", a bare number is bytes (K = 1024). */
bool size_parse(struct text t, uint64_t *bytes);
char *size_format(uint64_t bytes, char dst[24]);

#endif
