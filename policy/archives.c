/* The words for what is found in archives. */
#include "policy/archives.h"

#include "policy/message/extension.h"

const char *archives_limit_text(unsigned limits)
{
	static const char *const texts[] = {
	    "archives are nested too deep",
	    "there are too many files in archives",
	    "the files in archives are too big",
	    "reading the archives takes too long",
	    "there are too many names of files in archives",
	    "a name of a file in an archive is too long",
	    "files in an archive overlap",
	    "reading the archives takes too much memory",
	    "there are too many archives",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (limits >> i & 1)
			return texts[i];
	}
	return "";
}

struct text archives_file_name(const struct archives_file *f)
{
	size_t start = f->path.n;

	while (start > 0 && f->path.p[start - 1] != '/' && f->path.p[start - 1] != '\\')
		start--;
	return text_make(f->path.p + start, f->path.n - start);
}

bool archives_named(struct text name)
{
	static const char *const names[] = {"zip", "zipx", "jar", "lzma", "tlz",
					    "rar", "cbr",  "7z",  "cab"};
	struct extension readings[EXTENSION_READINGS];
	const size_t n = extensions_of(name, readings);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			if (strcmp(readings[i].s, names[k]) == 0)
				return true;
		}
	}
	return false;
}
