/* Addresses of the envelope: the paths of MAIL and RCPT (RFC 5321 4.1.2, RFC 6531 3.3), domain
 * names, and the forms in which they are looked up.
 *
 * Two things are taken that the grammar forbids, because honest mail has them: dots at odd places
 * of a local part (large Japanese providers gave out "name.@..."; see `odd_dots`), and '_' in
 * domain names. */
#ifndef POLICY_MESSAGE_ADDRESS_H
#define POLICY_MESSAGE_ADDRESS_H

#include "shm/base/arena.h"
#include "shm/base/text.h"

/* Octets (RFC 5321 4.5.3.1). */
enum {
	ADDRESS_LOCAL_MAX = 64,
	ADDRESS_DOMAIN_MAX = 255,
	ADDRESS_LABEL_MAX = 63,
	ADDRESS_PATH_MAX = 256
};

/* All texts live in the arena given to the parser.  All are empty for the null sender. */
struct mailbox {
	struct text local;  /* unquoted, in the sender's spelling */
	struct text domain; /* for look-ups: lower case, A-labels; a literal as "[192.0.2.1]" or
			       "[ipv6:2001:db8::1]"; empty for <Postmaster> */
	struct text
	    whole; /* as given, byte for byte, for passing on: without brackets and source route */
	bool quoted;   /* the local part was a quoted string */
	bool literal;  /* the domain is an address literal */
	bool utf8;     /* local part or domain have characters outside ASCII: needs SMTPUTF8 */
	bool odd_dots; /* unquoted, with a dot at an end or two in a row */
};

enum address_error {
	ADDRESS_OK,
	ADDRESS_NO_BRACKETS,    /* no '<', no '>', or something behind it that is no space */
	ADDRESS_NULL,           /* <> where a mailbox must be */
	ADDRESS_ROUTE,          /* a source route that is none */
	ADDRESS_LOCAL,          /* local part empty, or with characters that must be quoted */
	ADDRESS_QUOTING,        /* a quoted string that does not end or is empty */
	ADDRESS_NO_DOMAIN,      /* no '@', or nothing behind it */
	ADDRESS_DOMAIN,         /* no domain name (RFC 5321 4.1.2, RFC 5890) */
	ADDRESS_LITERAL,        /* no address literal (RFC 5321 4.1.3) */
	ADDRESS_CONTROL,        /* a control character, NUL or DEL */
	ADDRESS_NEEDS_SMTPUTF8, /* characters outside ASCII without SMTPUTF8 */
	ADDRESS_BAD_UTF8,       /* bytes outside ASCII that are no UTF-8 */
	ADDRESS_LOCAL_TOO_LONG,
	ADDRESS_DOMAIN_TOO_LONG, /* the name or one of its labels */
	ADDRESS_PATH_TOO_LONG,
	ADDRESS_ERROR_COUNT
};

/* "the local part is longer than 64 octets": for people; never NULL. */
const char *address_error_text(enum address_error e);

enum path_kind { PATH_REVERSE, PATH_FORWARD };

/* The path at the start of t, which is what follows "MAIL FROM:" (PATH_REVERSE: <> is allowed) or
 * "RCPT TO:" (PATH_FORWARD: <Postmaster> is allowed); spaces before it are skipped.  *rest gets
 * what follows it (the parameters, with their leading space, or nothing).  A source route is
 * checked and dropped.  `smtputf8`: whether UTF-8 is allowed; for MAIL, whose SMTPUTF8 parameter
 * comes behind the path, pass true and look at out->utf8 afterwards.  On an error *out and *rest
 * are not touched. */
enum address_error path_parse(struct text t, enum path_kind kind, bool smtputf8, struct arena *a,
			      struct mailbox *out, struct text *rest);

/* "local@domain", nothing around it: what options and the admin tool hold. */
enum address_error address_parse(struct text t, bool smtputf8, struct arena *a,
				 struct mailbox *out);

/* A host or domain name in ASCII (letters, digits, '-' and '_' in labels, no dot at the end): what
 * a HELO may be beside an address literal. */
bool domain_is_valid(struct text t);

/* The form for look-ups: lower case, U-labels as A-labels (IDNA 2008 with the mapping of UTS 46,
 * non- transitional).  False if t is no domain name.  *out lives in the arena. */
bool domain_to_ascii(struct text t, struct arena *a, struct text *out);

/* The key for look-ups: "local@domain", ASCII lower case, unquoted, in the arena.  (The last '@'
 * separates; <Postmaster> gives "postmaster@".) */
struct text mailbox_key(const struct mailbox *m, struct arena *a);
/* The same without "+tag"; equal to mailbox_key if there is none. */
struct text mailbox_key_untagged(const struct mailbox *m, struct arena *a);
/* A local part without "+tag": a view of it.  "+x" has no tag: there must be something before it.
 */
struct text local_without_tag(struct text local);

/* postmaster@ or abuse@ (RFC 5321 4.5.1, RFC 2142), in any case, at any domain: whether the domain
 * is one of ours is the caller's to know.  Also <Postmaster>. */
bool mailbox_is_postmaster(const struct mailbox *m);

#endif
