/* The extension of a file's name, as the program that will open it might see it. */
#ifndef POLICY_MESSAGE_EXTENSION_H
#define POLICY_MESSAGE_EXTENSION_H

#include "shm/base/text.h"

enum {
	EXTENSION_MAX = 32,     /* bytes; longer ones are none */
	EXTENSION_READINGS = 4, /* of one name */
};

/* In lower case, without the dot.  "{clsid}" stands for any of the form {0000-...}, which Windows
 * takes for the kind of a file. */
struct extension {
	char s[EXTENSION_MAX + 1];
};

/* The extensions of a name (UTF-8), 0 to EXTENSION_READINGS.  Dots, blanks, quotes and slashes at
 * its end don't count, nor characters that nobody sees or that turn the direction of writing; wide
 * letters and dots count as plain ones.  A name may also end at a control character or, as for
 * streams of NTFS, at a colon. */
size_t extensions_of(struct text name, struct extension out[EXTENSION_READINGS]);

/* "*.EXE", ".exe" or "exe" as lists hold it, "exe"; false: it is none. */
bool extension_normalize(struct text t, struct extension *out);

#endif
