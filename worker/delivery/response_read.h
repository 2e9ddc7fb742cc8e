/* One reply of a server, read from its connection. */
#ifndef WORKER_DELIVERY_RESPONSE_READ_H
#define WORKER_DELIVERY_RESPONSE_READ_H

#include "worker/delivery/response.h"
#include "worker/io/conn.h"

/* Sends what is pending and reads a whole reply; yields.  `each` (may be NULL) gets what stands
 * behind code and separator of its second and later lines.  On anything but CONN_OK r->code is 0;
 * `*nonsense`: it was no reply. */
enum conn_result response_read(struct conn *c, int64_t deadline_us, struct response *r,
			       void (*each)(void *arg, struct text line), void *arg,
			       bool *nonsense);

#endif
