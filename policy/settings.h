/* The options as structs, made from settings.def: `struct helo_ip_settings { ... bool literals; }`.
 *
 * struct settings is what a check sees: the groups of all checks, each with its mode, as they hold
 * for one recipient domain.  struct config (policy/config.h) is the whole file. */
#ifndef POLICY_SETTINGS_H
#define POLICY_SETTINGS_H

#include "shm/base/ip.h"
#include "shm/limit.h"

#include <stddef.h>

struct text_list {
	struct text *v;
	size_t n;
};
struct net_list {
	struct net *v;
	size_t n;
};
struct rate_list {
	struct rate *v;
	size_t n;
};

bool nets_contain(const struct net_list *nets, const struct ip *ip);

enum check_mode { MODE_OFF, MODE_MONITOR, MODE_ENFORCE };
enum run_mode { RUN_ENFORCE, RUN_MONITOR, RUN_SOFT };

/* These read as tables. */
/* clang-format off */
#define FIELD_BOOL     bool
#define FIELD_INT      int64_t
#define FIELD_SIZE     uint64_t
#define FIELD_DURATION int64_t
#define FIELD_RATE     struct rate
#define FIELD_RATES    struct rate_list
#define FIELD_STRING   struct text
#define FIELD_STRINGS  struct text_list
#define FIELD_CHOICE   int
#define FIELD_NETS     struct net_list
#define FIELD_FILE     struct file_text

/* A file that an option names, and what was in it when the configuration was read. */
struct file_text {
	struct text path; /* empty: none */
	struct text content;
};

/* Where an option group was written, and each of its options (in the order of the table, a check's
 * `mode` first): the line in the file, 0: nowhere, it has its default, -1: on the command line. */
#define GROUP_FIELDS_ONE   int line; const int *lines;
#define GROUP_FIELDS_MANY  int line; const int *lines; struct text name;
#define GROUP_FIELDS_CHECK int line; const int *lines; enum check_mode mode;

#define GROUP(group, kind, help)                        struct group##_settings { GROUP_FIELDS_##kind
#define SETTING(group, name, type, def, range, help)    FIELD_##type name;
#define END(group)                                      };
#include "policy/settings.def"
#undef GROUP
#undef SETTING
#undef END

/* clang-format on */

struct settings {
	/* One member a check, named after it. */
#define CHECK(name, phase, mode, who, help) struct name##_settings name;
#include "policy/checks.def"
#undef CHECK
	/* What a check needs of the rest of the file. */
	const struct global_settings *global;
	/* Options with a compiled form: made at load, never per message. */
	struct pattern_list *subject_patterns;
	const struct extension_list *extensions; /* policy/extensions.h */
};

/* The words of a CHOICE as indexes: enum global_bare_newline { ... } would be one enum a setting;
 * these are the ones that code compares with. */
enum { BARE_NEWLINE_NORMALIZE, BARE_NEWLINE_REJECT };
enum { DMARC_MARK, DMARC_REJECT };
enum { RESULTS_ON, RESULTS_REMOVE, RESULTS_OFF };
enum { SPF_AT_DATA, SPF_AT_RCPT };
enum { SPF_TEMPERROR_PASS, SPF_TEMPERROR_DEFER };
enum { DOMAIN_TLS_OFFERED, DOMAIN_TLS_REQUIRED };
enum { RECIPIENTS_LIST, RECIPIENTS_LIVE, RECIPIENTS_ANY, RECIPIENTS_VERIFY };
enum { UNKNOWN_LIVE, UNKNOWN_DEFER, UNKNOWN_PASS };
enum { NO_ANSWER_PASS, NO_ANSWER_DEFER }; /* `unknown` of the checks that ask the DNS */
enum { LIMITS_PASS, LIMITS_DEFER, LIMITS_REFUSE };
enum { KILLERS_DEFER, KILLERS_REFUSE };
enum { HEADER_RULE_REFUSE, HEADER_RULE_DEFER, HEADER_RULE_NOTE };
enum { BALANCE_FAILOVER, BALANCE_ROUND_ROBIN };
enum { LISTENER_TLS_OFF, LISTENER_TLS_OFFERED, LISTENER_TLS_REQUIRED, LISTENER_TLS_IMPLICIT };
enum { LISTENER_AUTH_OFF, LISTENER_AUTH_OFFERED, LISTENER_AUTH_REQUIRED };
enum {
	ROUTE_TLS_AUTO,
	ROUTE_TLS_OFF,
	ROUTE_TLS_OPPORTUNISTIC,
	ROUTE_TLS_REQUIRED,
	ROUTE_TLS_VERIFIED
};
enum { CONNECTION_POOLED, CONNECTION_HOLD };
enum { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum { CLIENT_INFO_NONE, CLIENT_INFO_XFORWARD, CLIENT_INFO_XCLIENT, CLIENT_INFO_PROXY };

#endif
