/* The names of an anti-virus engine, and what they mean. */
#include "policy/antivirus.h"

const char *scan_kind_name(enum scan_kind k)
{
	static const char *const names[SCAN_KINDS] = {
	    [SCAN_SIGNATURE] = "signature", [SCAN_PUA] = "unwanted program",
	    [SCAN_PHISHING] = "phishing",   [SCAN_MACROS] = "macros",
	    [SCAN_BROKEN] = "broken file",  [SCAN_HEURISTIC] = "heuristic",
	    [SCAN_ENCRYPTED] = "encrypted", [SCAN_LIMITS] = "limits exceeded",
	    [SCAN_TIME] = "out of time",
	};

	return names[k];
}

/* The first that fits decides. */
static const struct {
	struct text prefix;
	enum scan_kind kind;
} prefixes[] = {
    {LIT("PUA."), SCAN_PUA},
    {LIT("Heuristics.Limits.Exceeded.MaxScanTime"), SCAN_TIME},
    {LIT("Heuristics.Limits.Exceeded"), SCAN_LIMITS},
    {LIT("Heuristics.Encrypted"), SCAN_ENCRYPTED},
    {LIT("Heuristics.OLE2.ContainsMacros"), SCAN_MACROS},
    {LIT("Heuristics.Phishing"), SCAN_PHISHING},
    {LIT("Heuristics.Broken"), SCAN_BROKEN},
    {LIT("Heuristics."), SCAN_HEURISTIC},
    {LIT("BC.Heuristics."), SCAN_HEURISTIC},
};

enum scan_kind scan_kind_of(struct text name)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (text_istarts(name, prefixes[i].prefix))
			return prefixes[i].kind;
	}
	return SCAN_SIGNATURE;
}

bool scan_name_ok(struct text name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	return name.n > 0 && name.n <= SCAN_NAME_MAX;
}
