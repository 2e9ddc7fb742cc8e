/* Telling the next hop who the client is: Postfix's XFORWARD and XCLIENT, and the PROXY protocol.
 */
#ifndef WORKER_DELIVERY_CLIENT_INFO_H
#define WORKER_DELIVERY_CLIENT_INFO_H

#include "worker/delivery/hop.h"

/* The attributes in the parameter of the EHLO keyword, as bits for hop->info. */
unsigned client_info_attributes(struct text parameter);

/* The PROXY header (v1), before anything else is said. */
void client_info_put_proxy(struct hop *h, const struct session *s);
/* One XCLIENT command with all that the hop takes; false if that is nothing. */
bool client_info_put_xclient(struct hop *h, const struct session *s);

/* XFORWARD may need several commands, for the lines are short: how many, and the i-th. */
unsigned client_info_xforward_count(const struct hop *h);
void client_info_put_xforward(struct hop *h, const struct session *s, unsigned i);

#endif
