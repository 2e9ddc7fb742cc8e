/* The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): who the client behind a load
 * balancer is. */
#ifndef WORKER_SMTP_PROXY_H
#define WORKER_SMTP_PROXY_H

#include "shm/base/ip.h"
#include "shm/base/text.h"

/* The longest header of version 1, with its CR LF. */
#define PROXY_V1_MAX 107
/* The fixed part of version 2, and the most that may follow it (addresses and TLVs). */
#define PROXY_V2_FIXED 16
#define PROXY_V2_MAX   4096

struct proxy_header {
	size_t length;    /* octets of the header */
	bool local;       /* LOCAL, or an address family that says nothing: the peer speaks for
			     itself (a health check) */
	struct ip client; /* unless local */
	uint16_t client_port;
};

enum proxy_result {
	PROXY_MORE, /* so far it may become a header: more bytes are needed */
	PROXY_DONE,
	PROXY_BAD,
};

/* Reads the header at the start of `t`, which is what has come so far.  A pure function: says MORE
 * only while some continuation would be a header. */
enum proxy_result proxy_parse(struct text t, struct proxy_header *out);

#endif
