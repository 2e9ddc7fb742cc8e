/* A connection: buffered lines and blocks in, coalesced writes out, absolute deadlines.
 *
 * The calls look as if they blocked; they yield.  One task reads and writes a connection.  Buffers
 * come from a pool of the loop when they are needed and go back when they are empty, so an idle
 * connection holds none.
 *
 * Output is collected and leaves in one write when the connection is about to wait for input, when
 * its buffer is full, or at conn_flush(): a burst of pipelined commands gets one packet of replies.
 *
 * Deadlines are absolute (CLOCK_MONOTONIC, microseconds): bytes that trickle in don't move them. */
#ifndef WORKER_IO_CONN_H
#define WORKER_IO_CONN_H

#include "shm/base/text.h"
#include "worker/io/loop.h"

#include <stdarg.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

enum conn_result {
	CONN_OK,
	CONN_EOF,           /* the peer has closed its side */
	CONN_TIMEOUT,       /* the deadline has passed */
	CONN_LINE_TOO_LONG, /* conn_getline: the line has been swallowed, the next call reads the
			       next one */
	CONN_FLOOD,         /* conn_getline: a line without end, over CONN_SWALLOW_MAX: hang up */
	CONN_CANCELLED,     /* the task has been cancelled */
	CONN_ERROR,         /* the connection is broken; c->error is an errno value */
	CONN_NO_MEMORY,     /* nothing is lost: may be tried again, or answered with 421 */
};
/* For logs: "end of file", "timeout" ... and for CONN_ERROR what the errno says. */
struct conn;
const char *conn_result_text(const struct conn *c, enum conn_result r);

/* Buffers are held by those alone who have something unread or unsent, so a large one costs little;
 * and each read saves the sender a wake-up. */
#define CONN_BUFFER_BYTES 65536
/* The longest line that conn_getline() can return. */
#define CONN_LINE_MAX (CONN_BUFFER_BYTES - 2)
/* How much of a too long line is swallowed before it is a flood. */
#define CONN_SWALLOW_MAX (1024 * 1024)

enum conn_eol { CONN_EOL_CRLF, CONN_EOL_LF };

/* What stands between a connection and its socket: plain, or TLS later.  All are called with the
 * conn's descriptor non-blocking and never wait themselves.
 *
 * read and writev return the bytes moved (read: 0 is the end of the file), or one of conn_want.  On
 * CONN_WANT_READ or _WRITE the descriptor has said EAGAIN in that direction, whichever call it was
 * (TLS may have to read in order to write); the caller waits for it and calls again with the same
 * bytes, which may have moved (SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) and of which any number may be
 * taken (SSL_MODE_ENABLE_PARTIAL_WRITE). */
enum conn_want {
	CONN_WANT_READ = -1,
	CONN_WANT_WRITE = -2,
	CONN_BROKEN = -3, /* with c->error set */
};
struct conn_transport {
	ssize_t (*read)(struct conn *c, void *p, size_t n);
	ssize_t (*writev)(struct conn *c, const struct iovec *iov, int n);
	/* True if read() would give bytes without the descriptor being readable.  NULL: never. */
	bool (*pending)(struct conn *c);
	/* Says good-bye (close_notify, SHUT_WR): 0, or conn_want. */
	int (*shutdown)(struct conn *c);
	/* Frees transport_state; NULL if there is nothing to free. */
	void (*free)(struct conn *c);
};

/* Read its fields, write them by the functions.  Embedded in its owner; it must not move while
 * open. */
struct conn {
	struct watch watch;
	const struct conn_transport *transport;
	void *transport_state;
	char *in;  /* NULL, a buffer of the pool, or `in_kept` bytes of malloc */
	char *out; /* NULL or a buffer of the pool */
	uint32_t in_start, in_end, in_lf; /* unread bytes; the line end is not before in_lf */
	uint32_t out_start, out_end;      /* unsent bytes */
	uint32_t in_kept;         /* `in` is a small block that keeps a half line while we wait */
	uint32_t in_swallowed;    /* bytes so far of a too long line that is being swallowed */
	int error;                /* errno of the failure; sticky: every later call fails */
	int64_t write_timeout_us; /* for writes that conn_put() has to make by itself */
	uint64_t bytes_in, bytes_out; /* of the peer's stream, without TLS */
	enum conn_eol eol;            /* how the last line of conn_getline() ended */
	bool eof;
	bool parting;                /* what is written now is the last: it may wait for the end */
	uint8_t streak;              /* reads since it last had to wait, for fairness */
	enum conn_result put_result; /* why conn_put() could not send; CONN_OK if it could */
};

/* Takes the descriptor of a connected stream socket (non-blocking, close-on-exec) over.  False with
 * errno: the descriptor is still the caller's. */
bool conn_init(struct conn *c, struct loop *l, int fd);

/* Connects; yields.  `c` is ready for use on CONN_OK; otherwise nothing is left open and *err is an
 * errno value (ETIMEDOUT, ECANCELED, ECONNREFUSED, EMFILE ...).  TCP (v4, v6, TCP_NODELAY set) and
 * unix stream sockets. */
enum conn_result conn_connect(struct loop *l, const struct sockaddr *sa, socklen_t len,
			      int64_t deadline_us, struct conn *c, int *err);

/* Closes at once; unsent output and unread input are lost, buffers go back.  May be called twice.
 */
void conn_close(struct conn *c);
/* Ends politely: flushes, shuts the write side, reads and drops what the peer still sends until it
 * closes too or the deadline has passed (else a reset could overtake our last reply), then closes.
 */
void conn_finish(struct conn *c, int64_t deadline_us);
/* The same for a peer that has said that it sends nothing more (QUIT): if nothing of it is unread,
 * the last reply and the end leave in one packet, and nothing is waited for. */
void conn_part(struct conn *c, int64_t deadline_us);

static inline bool conn_is_open(const struct conn *c)
{
	return c->watch.fd >= 0 && c->watch.loop != NULL;
}
static inline int conn_fd(const struct conn *c)
{
	return c->watch.fd;
}

/* ---- Reading
 * -------------------------------------------------------------------------------------------- */

/* One line without its end, which is CRLF or a bare LF (c->eol tells; a CR elsewhere is part of the
 * line).  `max` counts the bytes without the end and is at most CONN_LINE_MAX.  *line is valid
 * until the next call that reads.  Pending output is flushed before it waits. */
enum conn_result conn_getline(struct conn *c, struct text *line, size_t max, int64_t deadline_us);

/* At least one and at most `max` bytes, in place; they stay unread until conn_consume().  Gives
 * what is buffered without waiting; otherwise flushes and reads.  *block is valid until the next
 * call that reads. */
enum conn_result conn_read_some(struct conn *c, struct text *block, size_t max,
				int64_t deadline_us);
/* As conn_read_some(), but wants more bytes than are buffered now (a look-ahead, a PROXY header):
 * the block starts at the first unread byte and has grown.  CONN_LINE_TOO_LONG when the buffer is
 * full. */
enum conn_result conn_read_more(struct conn *c, struct text *block, int64_t deadline_us);
void conn_consume(struct conn *c, size_t n);

/* Waits until there is unread input, without consuming or flushing; looks at the socket once even
 * if the deadline has passed (0: only looks).  For early talkers. */
enum conn_result conn_await_input(struct conn *c, int64_t deadline_us);

static inline size_t conn_buffered(const struct conn *c)
{
	return c->in_end - c->in_start;
}
/* Something unread may be there: here, in the socket, or in between (a record of TLS). */
bool conn_input_may_come(const struct conn *c);
/* Forgets what is buffered and unread (before STARTTLS: what came early was not encrypted). */
void conn_discard_input(struct conn *c);

/* ---- Writing
 * -------------------------------------------------------------------------------------------- */

/* Appends to the output.  When the buffer is full it is sent (yields, at most write_timeout_us); a
 * failure is kept and answered by the next conn_flush(), conn_getline() or conn_writev(). */
void conn_put(struct conn *c, const void *p, size_t n);
/* Last words for a peer whose reply found no memory: sent as they are, once and without waiting, if
 * conn_put() failed for that reason. */
void conn_put_last(struct conn *c, const void *p, size_t n);
/* Sends as much as the socket takes now, where nothing is pending: for words that nobody waits for.
 */
void conn_try(struct conn *c, const void *p, size_t n);
void conn_printf(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conn_vprintf(struct conn *c, const char *fmt, va_list ap);

/* Sends what is pending. */
enum conn_result conn_flush(struct conn *c, int64_t deadline_us);
/* Sends what is pending and then the iov, in as few writes as possible, without copying; yields for
 * a slow reader. All is sent on CONN_OK; after any other answer how much was sent is not known
 * (c->bytes_out tells). */
enum conn_result conn_writev(struct conn *c, const struct iovec *iov, int n, int64_t deadline_us);
void conn_set_write_timeout(struct conn *c, int64_t us);

/* ---- For transports
 * ------------------------------------------------------------------------------------- */

/* Puts a transport between (its handshake done or about to begin).  The former one is freed. */
void conn_set_transport(struct conn *c, const struct conn_transport *t, void *state);
/* Waits as a transport's return value asks; for handshakes.  CONN_OK: try again. */
enum conn_result conn_wait(struct conn *c, enum conn_want want, int64_t deadline_us);

/* ---- The rate rule
 * -------------------------------------------------------------------------------------- */

/* An absolute deadline for something large: a grace time, plus the time which the bytes so far may
 * take at the minimum rate, never past the limit.  Recompute it for each block. */
struct conn_rate {
	int64_t start_us, grace_us;
	int64_t limit_us;          /* absolute; NEVER_US for none */
	uint64_t bytes_per_second; /* 0: no credit for bytes */
};
int64_t conn_rate_deadline(const struct conn_rate *r, uint64_t bytes);

#endif
