/* The lines of Dovecot's auth protocol (version 1), as its clients read them: a verb and fields,
 * separated by tabs, in which a few bytes are escaped. */
#ifndef WORKER_AUTH_DOVECOT_LINE_H
#define WORKER_AUTH_DOVECOT_LINE_H

#include "shm/base/arena.h"

/* Ours are this long at most: Dovecot hangs up on a longer one, with all that others asked. */
#define DOVECOT_LINE_MAX 8192

enum dovecot_verb {
	DOVECOT_VERSION, /* id: its major number */
	DOVECOT_MECH,    /* text: its name */
	DOVECOT_DONE,    /* the handshake is over */
	DOVECOT_OK,
	DOVECOT_FAIL,
	DOVECOT_CONT, /* text: base64 */
	DOVECOT_OTHER,
};

struct dovecot_line {
	enum dovecot_verb verb;
	uint32_t id;         /* of OK, FAIL, CONT */
	struct text text;    /* a view of the line */
	struct text user;    /* OK, FAIL: a view of the line, escaped; empty: not said */
	struct text senders; /* OK: field "sender" of the password database; the same */
	bool temporary;      /* FAIL: nothing was judged */
};

/* False: no such line, and whoever sent it isn't Dovecot. */
bool dovecot_line_parse(struct text line, struct dovecot_line *out);

/* Without the escapes, in the arena. */
struct text dovecot_unescape(struct text t, struct arena *a);

#endif
