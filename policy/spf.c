/* The names of SPF's results and identities (RFC 8601 2.7.2, 7208 8). */
#include "policy/spf.h"

const char *spf_code_name(enum spf_code c)
{
	static const char *const names[] = {
	    [SPF_UNDECIDED] = "temperror", [SPF_NONE] = "none",
	    [SPF_NEUTRAL] = "neutral",     [SPF_PASS] = "pass",
	    [SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail",
	    [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
	};

	return names[c];
}

const char *spf_identity_name(enum spf_identity i)
{
	return i == SPF_HELO ? "helo" : "mailfrom";
}
