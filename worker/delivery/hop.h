/* One connection to a next hop, as an SMTP or LMTP client: opening, commands out, replies in.
 *
 * Commands are collected in the connection's output and leave in one write when a reply is awaited.
 */
#ifndef WORKER_DELIVERY_HOP_H
#define WORKER_DELIVERY_HOP_H

#include "policy/session.h"
#include "worker/delivery/response.h"
#include "worker/io/conn.h"

struct host;

/* What its EHLO offers. */
enum {
	HOP_PIPELINING = 1 << 0,
	HOP_8BITMIME = 1 << 1,
	HOP_SIZE = 1 << 2,
	HOP_SMTPUTF8 = 1 << 3,
	HOP_DSN = 1 << 4,
	HOP_CHUNKING = 1 << 5,
	HOP_XFORWARD = 1 << 6,
	HOP_XCLIENT = 1 << 7,
	HOP_STARTTLS = 1 << 8,
};

struct hop {
	struct conn conn;
	struct host *host;
	struct hop *newer, *older; /* in the pool's list of idle ones */
	int64_t idle_since_us;
	unsigned offers;
	unsigned info;    /* attributes of XFORWARD or XCLIENT that it takes: client_info.h */
	bool reused;      /* has served before: its peer may have closed it without our knowing */
	bool transaction; /* MAIL has been said: RSET goes before the next */
	uint64_t owner;   /* whose transaction it is: delivery->serial; 0: nobody's */
	char tls[64];     /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plain */
	const char *tls_failure; /* of HOP_INSECURE */
};

enum hop_result {
	HOP_OK,
	HOP_REFUSED,  /* while opening: the greeting or EHLO was a 4xx or 5xx */
	HOP_GONE,     /* closed or broken; also a 421 */
	HOP_SILENT,   /* no reply, or no progress of a write, in time */
	HOP_NONSENSE, /* a reply that is none */
	HOP_INSECURE, /* while opening: no TLS, where it is wanted */
	HOP_CANCELLED,
	HOP_OURS, /* no memory, no descriptors, a spool that can't be read: not the hop's doing */
};
/* For the log. */
const char *hop_result_text(enum hop_result r);
enum hop_result hop_result_of(enum conn_result r);

/* Connects and says what comes before the first transaction: the PROXY header, greeting, EHLO or
 * LHLO (HELO where EHLO is refused for good), STARTTLS and EHLO again, XCLIENT.  Where the route
 * allows it, a second connection is opened in plain after a handshake that failed.  Yields. h->host
 * is set, the rest is zero. On anything but HOP_OK nothing is left open; `why` is an errno value or
 * 0, and `r` the last reply, code 0 if it was none. */
enum hop_result hop_open(struct hop *h, const struct session *s, struct response *r, int *why);
/* Closes at once; says QUIT if the hop is between two replies (`polite`).  Never waits. */
void hop_shut(struct hop *h, bool polite);

/* No memory, no descriptors: an errno value that says nothing of the peer. */
bool hop_error_is_ours(int error);

void hop_put(struct hop *h, struct text t);
void hop_put_u64(struct hop *h, uint64_t n);
/* Reads one reply; sends first what is pending.  A 421 is HOP_GONE, with `r` filled in. */
enum hop_result hop_read(struct hop *h, int64_t timeout_us, struct response *r);

static inline bool hop_offers(const struct hop *h, unsigned what)
{
	return (h->offers & what) == what;
}

#endif
