/* The parameters behind a path of MAIL and RCPT (RFC 5321 4.1.2), and xtext (RFC 3461 4). */
#ifndef POLICY_MESSAGE_ESMTP_PARAMS_H
#define POLICY_MESSAGE_ESMTP_PARAMS_H

#include "shm/base/arena.h"
#include "shm/base/text.h"

/* Views of the line. */
struct esmtp_param {
	struct text keyword; /* compare with text_ieq */
	struct text value;   /* without '='; never empty if has_value */
	struct text whole;   /* "keyword=value" as given, for passing on */
	bool has_value;
};

enum esmtp_next { ESMTP_PARAM, ESMTP_END, ESMTP_SYNTAX };

/* Takes the next parameter off *rest, which starts behind the path or is what the last call left.
 * Spaces at the end and more than one between parameters are allowed.  ESMTP_SYNTAX: what follows
 * is no parameter; *rest then stands at it. */
enum esmtp_next esmtp_param_next(struct text *rest, struct esmtp_param *out);

/* False if t is no xtext.  The decoded bytes, in the arena, may be any, CR, LF and NUL too: they
 * must never reach a peer or a log but through xtext_encode or buf_escaped. */
bool xtext_decode(struct text t, struct arena *a, struct text *out);
bool xtext_is_valid(struct text t);
void xtext_encode(struct buf *b, struct text t);

#endif
