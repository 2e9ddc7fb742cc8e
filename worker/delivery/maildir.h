/* Final delivery into Maildirs: tmp, fsync, new, fsync of the directory.
 *
 * The path of a route is a template: %d is the recipient's domain, %u its local part without +tag,
 * both in lower case.  What stands before the first of them is the base, opened when the worker
 * starts; nothing is ever opened outside of it, whatever a recipient is called. */
#ifndef WORKER_DELIVERY_MAILDIR_H
#define WORKER_DELIVERY_MAILDIR_H

#include "worker/delivery/delivery.h"

struct maildir;

/* Makes the base if it is missing and opens it, as the user that the process still is.  NULL with a
 * line in `err`. */
struct maildir *maildir_open(struct routes *r, const struct route *route, struct buf *err);
void maildir_close(struct maildir *m); /* NULL is allowed */

/* Could this recipient's Maildir be written?  NO: no such mailbox can be (a local part with a
 * slash, or a leading dot ...); UNKNOWN: it can't be now.  Yields. */
enum answer maildir_ask(struct maildir *m, struct arena *arena, const struct recipient *r,
			struct hop_reply *out);

/* Writes the message, with Return-Path before it, into the Maildir of each recipient.  All are
 * written and synced, then all are renamed; if one can't be, the others are removed again. Yields;
 * can't be called off between writing and removing. */
void maildir_deliver(struct maildir *m, const struct transaction *tx, const struct payload *p,
		     struct hop_reply *out);

#endif
