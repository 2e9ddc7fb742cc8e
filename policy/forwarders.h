/* Trusted forwarders: lists and hosts that pass on the mail of others, which SPF and DMARC can't
 * vouch for any more.  Option trusted-forwarders of check "dmarc", for each recipient domain. */
#ifndef POLICY_FORWARDERS_H
#define POLICY_FORWARDERS_H

#include "policy/session.h"

/* Does one of them vouch for the message: by the client's confirmed name, or (from the end of data
 * on) by a DKIM signature that passes?  YES: *by is "host lists.example.org" or "signature of
 * lists.example.org", with the entry of the configuration.  UNKNOWN: one might, were the DNS or an
 * inspector to answer.  Yields. */
enum answer forwarders_vouch(const struct session *s, const struct settings *set, struct text *by);

#endif
