/* The Authentication-Results field that we put before a message (RFC 8601): who sends it, as far as
 * that was judged.
 *
 *   Authentication-Results: mx1.example.net;
 *           iprev=pass (mout.example.org) policy.iprev=192.0.2.1;
 *           spf=pass smtp.mailfrom=example.org; ...
 *
 * What the sender chose stands in it as a value only, in an alphabet that leaves no room for a
 * second reading: letters, digits and a few others; the rest is '?'. */
#ifndef POLICY_RESULTS_H
#define POLICY_RESULTS_H

#include "policy/dmarc.h"
#include "policy/message/forged.h"
#include "policy/session.h"

/* CR LF ended, in the transaction's arena: at most a few KB, in lines of 78 characters where values
 * allow.  Of own clients only the login is told. */
struct text results_field(const struct session *s);

/* The same for the log, of what was judged: "pass example.org", "fail example.org reject".  Empty:
 * it wasn't. */
void results_spf(const struct session *s, struct buf *out);
void results_dkim(const struct session *s, struct buf *out);
void results_dmarc(const struct session *s, struct buf *out);

/* The fields in this section (the message's first bytes) that bear our name, or another that the
 * configuration counts as ours. */
struct cuts results_forged(const struct session *s, struct text section);

#endif
