/* What an anti-virus engine says of a message: the names that matched, and of what kind each is.
 * Only a real signature says that something is malicious; the rest are opinions of the engine, or
 * say that it could not look at everything. */
#ifndef POLICY_ANTIVIRUS_H
#define POLICY_ANTIVIRUS_H

#include "shm/base/text.h"

enum scan_kind {
	SCAN_SIGNATURE, /* a real one, of the database or of the administrator's own */
	SCAN_PUA,       /* an unwanted program: tools, adware, miners */
	SCAN_PHISHING,  /* deceptive links, by heuristics */
	SCAN_MACROS,    /* a document with macros */
	SCAN_BROKEN,    /* a program or picture that is malformed */
	SCAN_HEURISTIC, /* any other guess */
	SCAN_ENCRYPTED, /* an archive or document that can't be looked into */
	SCAN_LIMITS,    /* more, deeper or larger than is scanned: what is behind it is not known */
	SCAN_TIME,      /* the same for want of time, which is ours */
	SCAN_KINDS
};
const char *scan_kind_name(enum scan_kind k); /* "signature", "unwanted program" ... */
/* By the engine's own naming: "PUA.Win.Tool.X", "Heuristics.Encrypted.Zip". */
enum scan_kind scan_kind_of(struct text name);

enum { SCAN_NAME_MAX = 128, SCAN_MATCHES_MAX = 16 };

struct scan_match {
	enum scan_kind kind;
	struct text name; /* printable ASCII without space, 1 to SCAN_NAME_MAX bytes */
};

enum scan_code {
	SCAN_FAILED, /* ours: no answer in time, an inspector died, the engine has an error */
	SCAN_ABSENT, /* ours: there is no engine, or it has no database */
	SCAN_KILLER, /* inspectors have died of this message, and more than one */
	SCAN_DONE,   /* scanned: the matches tell */
};

struct scan_result {
	enum scan_code code;
	struct text reason; /* for people; of SCAN_DONE empty */
	struct scan_match matches[SCAN_MATCHES_MAX];
	size_t match_count;
};

/* What may stand as a name. */
bool scan_name_ok(struct text name);

#endif
