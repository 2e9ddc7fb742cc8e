/* From a recipient to the path of its Maildir: a template and values that can't leave the base. */
#ifndef WORKER_DELIVERY_MAILDIR_PATH_H
#define WORKER_DELIVERY_MAILDIR_PATH_H

#include "policy/session.h"

#define MAILDIR_PATH_MAX 1024

/* The part of a template before the component with the first '%': what exists, or is made, at the
 * start; never empty ("." for a relative template that begins with one). */
struct text maildir_base(struct text template, struct text *rest);

/* Expands the rest of a template for a recipient, whose tag (from `delimiter` on; empty: no tags)
 * does not count, into a path relative to the base ("." where there is nothing to expand).  False:
 * the recipient's names would make a component that is empty, "." or
 * "..", begins with a dot, holds '/', a control character or NUL, or is too long. */
bool maildir_path(struct text rest, const struct mailbox *m, struct text delimiter,
		  char dst[MAILDIR_PATH_MAX]);

#endif
