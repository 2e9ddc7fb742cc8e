/* The message on its way out: pieces of the spool gathered into writev(), never copied. */
#ifndef WORKER_DELIVERY_OUTFLOW_H
#define WORKER_DELIVERY_OUTFLOW_H

#include "worker/delivery/hop.h"
#include "worker/delivery/payload.h"

#define OUTFLOW_PIECES 96

struct outflow {
	struct hop *hop;
	int64_t timeout_us; /* for each write, of at most OUTFLOW_PIECES pieces */
	bool stuff;         /* for DATA: dots are doubled, and the end is CR LF . CR LF */
	bool line_start;    /* the last two bytes were CR LF, or nothing has gone out */
	bool cr;            /* the last byte was CR */
	int n;
	struct iovec pieces[OUTFLOW_PIECES];
};

/* Sends what is pending on the connection, and the message; yields.  HOP_OK: the last byte has been
 * handed to the kernel; anything else: it has not. */
enum hop_result outflow_send(struct hop *hop, int64_t timeout_us, bool stuff,
			     const struct payload *p);

#endif
