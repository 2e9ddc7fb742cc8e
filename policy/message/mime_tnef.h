/* What mime_tnef.c and mime_mapi.c share; nobody else includes it.
 *
 * TNEF (winmail.dat) is a signature, a key, and a row of attributes, each with its length; one of
 * an attachment's attributes is a list of MAPI properties ([MS-OXTNEF] 2.1.3, [MS-OXPROPS]).  Both
 * are read as bytes come by, by small fixed amounts: only names are kept. */
#ifndef POLICY_MESSAGE_MIME_TNEF_H
#define POLICY_MESSAGE_MIME_TNEF_H

#include "policy/message/mime_parser.h"

/* Bytes that are wanted whole. */
struct tnef_want {
	unsigned char b[16];
	unsigned n;
};

/* What a value's bytes are for. */
struct tnef_value {
	uint64_t left; /* bytes to come */
	enum tnef_use { TNEF_SKIP, TNEF_NAME, TNEF_FILE, TNEF_MESSAGE } use;
	struct text charset; /* of a name */
	char *name;
	size_t n, room;
	unsigned char head[MIME_HEAD]; /* of a file */
	size_t head_n;
};

struct mime_mapi {
	enum {
		MAPI_COUNT,
		MAPI_TAG,
		MAPI_GUID,
		MAPI_KIND,
		MAPI_NUMBER,
		MAPI_NAME_LENGTH,
		MAPI_NAME,
		MAPI_VALUES,
		MAPI_LENGTH,
		MAPI_VALUE,
		MAPI_PADDING,
		MAPI_END
	} state;
	struct tnef_want want;
	uint32_t properties, values; /* still to come */
	uint32_t length;
	unsigned type, id;
	bool multiple;
	unsigned padding;
};

struct mime_tnef {
	enum { TNEF_HEAD, TNEF_ATTRIBUTE, TNEF_DATA, TNEF_SUM, TNEF_END } state;
	int part; /* the winmail.dat */
	unsigned layer;
	uint64_t at;    /* in its decoded body */
	int attachment; /* -1: none so far */
	struct tnef_want want;
	uint32_t attribute, left;
	struct tnef_value value;
	struct mime_mapi mapi;
	struct mime_tnef *inner; /* a message in an attachment */
};

/* Takes bytes until `want` has `need` of them; whether it has.  *p and *n move on. */
bool tnef_gather(struct tnef_want *want, unsigned need, const char **p, size_t *n);
/* The attachment that is read, made if there is none; NULL: too many parts. */
struct mime_part *tnef_attachment(struct mime *m, struct mime_tnef *t);
void tnef_value_begin(struct mime *m, struct mime_tnef *t, enum tnef_use use, uint64_t length,
		      struct text charset);
/* Takes bytes of the value; how many.  t->at is that of p. */
size_t tnef_value_take(struct mime *m, struct mime_tnef *t, const char *p, size_t n);
/* It is none, or of another make: nobody reads on. */
void tnef_stop(struct mime *m, struct mime_tnef *t);
/* The properties of an attachment. */
void mime_mapi_begin(struct mime_mapi *mapi);
size_t mime_mapi_take(struct mime *m, struct mime_tnef *t, const char *p, size_t n);

#endif
