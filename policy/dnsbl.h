/* DNS lists (RFC 5782): what they are asked, what their answers mean, and whether they may be
 * believed.
 *
 * A list is used only while its test points answer as they must; worker/list_health.c asks them,
 * once a machine, and keeps the result here in the shared table, where every worker and `gatepost
 * status` read it.  A list that lists nearly everybody is set aside by what the sessions themselves
 * see. */
#ifndef POLICY_DNSBL_H
#define POLICY_DNSBL_H

#include "policy/session.h"

enum dnsbl_state {
	DNSBL_UNPROVEN, /* its test points have not been asked yet: not used */
	DNSBL_GOOD,
	DNSBL_SILENT,  /* the test points have no answer */
	DNSBL_REFUSES, /* it says that we may not ask: REFUSED, or 127.255.255.x */
	DNSBL_EMPTY,   /* it doesn't list what every list must */
	DNSBL_WILD,    /* it lists what no list may */
	DNSBL_LIES,    /* it answers outside of 127.0.0.0/8 */
	DNSBL_CROWDED, /* it lists a larger share of all clients than max-share: asked, not used */
};
/* "in use", "off: it has no answers to its test points" ... */
const char *dnsbl_state_text(enum dnsbl_state state);

/* What the two test points say together: 127.0.0.2 (TEST) and 127.0.0.1 (INVALID). */
enum dnsbl_state dnsbl_judge(const struct dns_answer *must, const struct dns_answer *must_not);
/* Their names; empty if there is no room for them. */
struct text dnsbl_test_name(const struct dnsbl *d, bool must, char dst[DNS_NAME_SIZE]);

/* How it is now. */
enum dnsbl_state dnsbl_state(const struct world *w, const struct dnsbl *d);
/* What its test points say, for that long; a change is told to the log and counted. */
void dnsbl_set_state(const struct world *w, const struct dnsbl *d, enum dnsbl_state state,
		     int64_t life_us);

/* The same for those who read the table itself: the marks of these spaces, their key is the list's
 * label. */
#define DNSBL_STATE "dnsbl state"
#define DNSBL_CROWD "dnsbl crowded"
struct dnsbl_health {
	enum dnsbl_state state;
	int64_t since_wall_us;
};
struct dnsbl_health dnsbl_health(uint64_t state_bits, uint64_t crowded_bits);

/* Whom a list is asked about. */
enum dnsbl_about { ABOUT_CLIENT, ABOUT_HELO, ABOUT_SENDER, ABOUT_COUNT };
/* The name to ask for; empty if the list isn't one for that, or there is nothing to ask. */
struct text dnsbl_name(const struct session *s, const struct dnsbl *d, enum dnsbl_about about,
		       char dst[DNS_NAME_SIZE]);
/* Is it asked at all, now? */
bool dnsbl_is_asked(const struct session *s, const struct dnsbl *d);
/* The first record of the answer that counts as listed; NULL: none does. */
const struct ip *dnsbl_listing(const struct dnsbl *d, const struct dns_answer *a);

/* Shares: is the client a new one in this period (and from now on not)?  Then each list's answer
 * about it counts. */
bool dnsbl_is_new_client(const struct session *s);
void dnsbl_count(const struct session *s, const struct dnsbl *d, bool listed);

#endif
