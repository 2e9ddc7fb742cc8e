/* The process log: starts, deaths, alarms.  (Mail has its own log: events in the rings, written by
 * the keeper.)  One line a call, to stderr, syslog or the journal, as the configuration says.
 *
 * No call blocks for more than a moment, fails or changes errno.  What can't be written is dropped,
 * and the next line that goes through says how many were.  Where syslog or the journal is away,
 * lines go to stderr.  Control characters are shown as '?', so that one call stays one line. */
#ifndef SHM_BASE_LOG_H
#define SHM_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_to { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL };
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* `role` stands in each line ("master", "worker 3"); it is copied.  Call it in each process after
 * the descriptors that it inherited are sorted out, and before its sandbox closes: it may keep a
 * socket, and replaces descriptor 2 by a non-blocking one of this process alone.  May be called
 * again. */
void log_open(enum log_to to, const char *role);

/* Lines above this level are not written; INFO to begin with. */
void log_set_level(enum log_level most);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line that an attacker or a full disk could repeat a million times: at most one a `period_us`
 * per place, with the number that were held back.  True if the caller should log now. */
struct log_limit {
	int64_t next_us;
	uint64_t held;
};
bool log_allowed(struct log_limit *l, int64_t period_us, uint64_t *held_back);

/* Writes one finished line (without newline) of the mail log, where log_open said. */
void log_line(enum log_level level, const char *line, int length);
/* Many of them, each ended by a newline: the same in fewer writes. */
void log_lines(enum log_level level, const char *lines, size_t n);

#endif
