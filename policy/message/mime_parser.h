/* What the files mime*.c share; nobody else includes it.
 *
 * A stream is a sequence of bytes that is read as MIME: the message itself, or the decoded body of
 * a container that is encoded.  It cuts lines, knows the boundaries, reads header blocks (an entity
 * each) and has the parts that are open.  A reader takes the bytes of an open part, decodes them
 * and looks at the first; for an encoded container it feeds a stream of its own, for a winmail.dat
 * the parser of TNEF, for a signed message the reader of its content. */
#ifndef POLICY_MESSAGE_MIME_PARSER_H
#define POLICY_MESSAGE_MIME_PARSER_H

#include "policy/message/mime_decode.h"
#include "policy/message/mime_magic.h"

enum {
	MIME_LINE_KEPT = 1100,     /* of a line that comes in pieces; more than any boundary */
	MIME_BOUNDARY_BYTES = 998, /* longer ones are cut: they match by their beginning */
	MIME_TYPES = 16,           /* that are kept of an entity */
	MIME_BOUNDARIES = 64,      /* of a stream, closed ones included */
	MIME_ADOPTED = 8,          /* boundaries guessed for a multipart that names none */
	MIME_OPEN = 128,           /* parts of a stream that are open at once */
	MIME_LAYERS = 4, /* encoded containers in one another, winmail.dat in winmail.dat */
	MIME_FIELD_BYTES = 65536,  /* of a field that may hold a name */
	MIME_WORK_BYTES = 1048576, /* of all values that are looked into for names */
};

/* A list with its end. */
struct mime_list {
	const struct mime_text *first;
	struct mime_text *last;
	size_t count;
};
/* Appends t, which has to live in the arena, unless it is there already: whether it was new. */
bool mime_list_add(struct mime_list *l, struct text t, struct arena *a);

struct mime {
	struct arena *arena;
	struct mime_bounds bounds;
	struct mime_facts facts;
	struct mime_part *parts;
	size_t capacity;
	size_t looked_into; /* bytes of values, against MIME_WORK_BYTES */
	bool over;          /* a limit was exceeded: reads no further */
	struct mime_stream *top;
	struct mime_reader *free_readers;
	struct mime_open *free_open;
};

/* Notes the limit and reads no further. */
void mime_give_up(struct mime *m, enum mime_limit limit);
/* A new part, all zero; NULL: there are too many.  Good until the next one. */
struct mime_part *mime_part_add(struct mime *m, int *index);

/* --- mime_entity.c: a header block, and what its fields say */
struct mime_entity {
	unsigned depth;
	unsigned by; /* the boundary that began it; 0: none */
	bool loose;  /* only some programs see a header block here: no part without a MIME field */
	bool forked; /* a blank line was read as its end, and as none */
	bool begun;  /* a line of it has been read */
	bool any;    /* it has a MIME field */
	bool multipart, message;
	unsigned char encodings;
	struct mime_list names, types, boundaries;
	struct text location;
	/* the field at hand */
	enum mime_field {
		MIME_FIELD_OTHER,
		MIME_FIELD_TYPE,
		MIME_FIELD_DISPOSITION,
		MIME_FIELD_ENCODING,
		MIME_FIELD_LOCATION,
		MIME_FIELD_NAME
	} field;
	char *value; /* room is kept from field to field */
	size_t value_n, value_room;
};

/* A header block begins; room for values is kept. */
void mime_entity_begin(struct mime_entity *e, unsigned depth, unsigned by, bool loose);
/* A line without its end, not empty. */
void mime_entity_line(struct mime *m, struct mime_entity *e, struct text line);
/* More of the same line. */
void mime_entity_more(struct mime *m, struct mime_entity *e, struct text piece);
/* The block is over: the last field is read. */
void mime_entity_end(struct mime *m, struct mime_entity *e);

/* --- mime_params.c: names and boundaries in a value that stands on one line */
void mime_params_find(struct mime *m, struct mime_entity *e, struct text value);

/* --- mime_names.c: a name as it stands in a field, in all its readings */
void mime_name_add(struct mime *m, struct mime_list *names, struct text raw);
/* The same for bytes in a charset; an empty one is UTF-8. */
void mime_name_add_charset(struct mime *m, struct mime_list *names, struct text charset,
			   struct text bytes);
/* %XX decoded, into dst, which has room for t.n bytes; how many. */
size_t mime_percent_decode(struct text t, char *dst);

/* --- mime_cms.c */
/* Of the content of a signed S/MIME message; NULL: it is none, or it has been read. */
struct mime_cms {
	struct mime_decoder decoder;
	struct mime_reader *content; /* NULL: nothing has come of it */
};
/* A file begins with c: may it be one? */
bool mime_cms_may_begin(char c);
struct mime_cms *mime_cms_new(struct mime *m);
/* Bytes of the part.  False: there is no more to be read. */
bool mime_cms_feed(struct mime *m, struct mime_cms *cms, int part, const char *p, size_t n);
/* The part has ended, after so many bytes. */
void mime_cms_end(struct mime *m, struct mime_cms *cms, uint64_t length);

/* --- mime_reader.c */
struct mime_reader {
	struct mime_reader *next;
	struct mime_decoder decoder;
	int part;
	bool looked; /* the head has been judged */
	bool container;
	size_t head_n;
	unsigned char head[MIME_HEAD];
	unsigned char disc[MIME_DISC_BYTES];
	uint64_t decoded;
	struct mime_stream *stream; /* of an encoded container */
	struct mime_tnef *tnef;
	struct mime_cms *cms;
};
struct mime_reader *mime_reader_new(struct mime *m, int part, enum mime_encoding encoding);
/* False: it has seen enough. */
bool mime_reader_feed(struct mime *m, struct mime_reader *r, const char *p, size_t n);
/* The part has ended; the reader is free. */
void mime_reader_end(struct mime *m, struct mime_reader *r);
/* How many decoded bodies a part stands in. */
unsigned mime_layer_of(const struct mime *m, int part);

/* --- mime_tnef.c */
struct mime_tnef *mime_tnef_new(struct mime *m, int part, unsigned layer);
void mime_tnef_feed(struct mime *m, struct mime_tnef *t, const char *p, size_t n);

/* --- mime_stream.c */
struct mime_boundary {
	struct text t;
	unsigned id, depth; /* of the parts that it separates */
	bool live;          /* not closed */
};

struct mime_open {
	struct mime_open *next; /* the one that was opened before */
	int part;
	unsigned depth, by;
	bool loose, in_text;
	struct mime_reader *readers;
};

struct mime_stream {
	int inside; /* the part whose decoded body this is; -1: the message */
	unsigned layer;
	bool cr;           /* a decoded body: its last byte was a CR */
	uint64_t at;       /* where the line at hand begins */
	unsigned line_end; /* bytes of the end of the line before, 0 to 2 */
	bool in_rest;      /* of a line whose beginning has been read */
	bool rest_is_header;
	bool rest_cr; /* its last byte so far was a CR ... */
	bool held_cr; /* ... which the field has not got yet */
	bool in_header;
	unsigned depth; /* of the part whose body is read */
	unsigned adopt; /* depth of a multipart without boundary, plus 1; 0: none */
	unsigned adopted;
	unsigned next_id;
	size_t boundary_count, open_count, reading;
	struct mime_open *open; /* the last one first */
	struct mime_entity entity;
	size_t kept_n;
	char kept[MIME_LINE_KEPT];
	struct mime_boundary boundaries[MIME_BOUNDARIES];
};
struct mime_stream *mime_stream_new(struct mime *m, int inside, unsigned layer);
/* The body of a container that is read as a message. */
void mime_stream_header(struct mime_stream *st, unsigned depth, bool loose);
void mime_stream_feed(struct mime *m, struct mime_stream *st, const char *p, size_t n);
void mime_stream_end(struct mime *m, struct mime_stream *st);

/* --- mime_open.c */
void mime_open_part(struct mime *m, struct mime_stream *st, int part, unsigned by, bool loose);
/* `end` is where its body ends. */
void mime_close_part(struct mime *m, struct mime_stream *st, struct mime_open **link, uint64_t end);
/* The bytes at hand belong to every open part. */
void mime_open_feed(struct mime *m, struct mime_stream *st, const char *p, size_t n);

/* --- mime_boundary.c */
/* The body of a container is read with these. */
void mime_boundaries_add(struct mime *m, struct mime_stream *st, const struct mime_list *list,
			 unsigned depth, bool adopt);
/* How a line that starts with "--" fits a boundary; the larger, the stricter a program may be. */
enum mime_fit { FIT_NONE, FIT_LOOSE, FIT_CLOSED, FIT_LIVE };
/* That of a line, t being what follows its "--"; one may be made of it.  NULL: it is none. */
struct mime_boundary *mime_boundary_find(struct mime *m, struct mime_stream *st, struct text t,
					 enum mime_fit *fit, bool *closes);

/* --- mime_inline.c */
/* May a line that begins like that be one of them? */
bool mime_inline_may_be(char c);
/* A line of a body, `whole` bytes with its end: does a file begin behind it, or end before it? */
void mime_inline_line(struct mime *m, struct mime_stream *st, struct text line, size_t whole);

static inline struct text mime_trim_right(struct text t)
{
	while (t.n > 0 && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
		t.n--;
	return t;
}

#endif
