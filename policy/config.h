/* A configuration: one file and the files that it names, read, checked and compiled.  It never
 * changes inside a process; a reload is a new generation of processes.
 *
 * The master reads it from disk (config_load).  Children get the very bytes that the master read,
 * in a sealed memfd (config_bundle), and load from there: they see the same configuration whatever
 * happens to the files, and need no right to read them. */
#ifndef POLICY_CONFIG_H
#define POLICY_CONFIG_H

#include "policy/settings.h"
#include "shm/base/arena.h"
#include "shm/base/dns.h"

#include <stdio.h>

/* One address of a next hop, resolved at load (addresses, or names from /etc/hosts). */
struct hop_address {
	enum { HOP_SMTP, HOP_LMTP, HOP_MAILDIR } kind;
	struct text name; /* as configured, for log and status: "smtp://store1:25" */
	struct text path; /* unix socket, or Maildir */
	struct text host; /* as configured, without the port */
	struct ip ip;
	uint16_t port;
	bool tls_first; /* smtps, lmtps */
};

/* A certificate and its key.  What they hold is known to the process that read the files and to the
 * workers alone: bundles are without it (config_keys_write). */
struct certificate_pair {
	struct text chain_path, key_path;
	struct text owner;        /* for messages: `certificate "mx1.example.net"` */
	int line;                 /* of the chain, in the configuration */
	struct text chain, key;   /* PEM */
	int kind;                 /* of key, as OpenSSL numbers them; 0: not known here */
	int64_t not_after_s;      /* wall clock; 0: not known here */
	int64_t chain_ns, key_ns; /* when the files were written, as they were read */
};

struct certificate {
	struct certificate_settings set;
	struct certificate_pair *pairs; /* of different types; one at least */
	size_t pair_count;
};

struct route {
	struct route_settings set;
	struct hop_address *hosts;
	size_t host_count;
	unsigned index;                  /* in config->routes */
	struct text authorities;         /* PEM; where TLS is verified */
	struct certificate_pair *client; /* what we show to its hosts; NULL: nothing */
};

struct listen_address {
	struct ip ip;
	uint16_t port;
	bool any;         /* 0.0.0.0 or [::] */
	struct text text; /* as configured */
};

struct listener {
	struct listener_settings set;
	struct listen_address *addresses;
	size_t address_count;
	const struct route *route; /* of all recipients; NULL: each domain has its own */
	unsigned index;
};

struct domain {
	struct domain_settings set;
	struct text name; /* A-label, lower case; without "*." */
	bool subdomains;  /* "*.example.net" */
	const struct route *route;
	const struct route *verify_route; /* recipients = "verify": who is asked; else NULL */
	const struct settings *settings;  /* its own where it overrides checks, else the base's */
	/* Domains of one group go the same way and judge content alike: their recipients may share
	 * a message. */
	unsigned group;
};

enum limit_by {
	LIMIT_BY_CLIENT,
	LIMIT_BY_SENDER,
	LIMIT_BY_SENDER_DOMAIN,
	LIMIT_BY_RECIPIENT_DOMAIN,
	LIMIT_BY_LOGIN
};
enum limit_unit { UNIT_CONNECTIONS, UNIT_MESSAGES, UNIT_RECIPIENTS, UNIT_BYTES, UNIT_COUNT };
const char *limit_unit_name(enum limit_unit u);

struct limit {
	struct limit_settings set;
	enum limit_by by;
	unsigned bits4,
	    bits6; /* LIMIT_BY_CLIENT: prefix lengths as written; 0: that family doesn't count */
	const struct rate_list *windows[UNIT_COUNT];
	uint64_t listeners; /* bit mask of listener indexes */
};

/* A set of answers of a DNS list: each octet is in a range, or has one of these bits. */
struct dnsbl_code {
	struct dnsbl_octet {
		uint8_t from, to, bits; /* bits: 0, or what counts in place of the range */
	} octets[4];
};

/* A DNS list; `set` is that of a section rhsbl, too. */
struct dnsbl {
	struct dnsbl__settings set;
	bool domains;      /* an rhsbl: it is asked for domains, else for addresses */
	struct text label; /* `dnsbl "zen.spamhaus.org"`: for people, and names its state */
	struct text zone;  /* with its key: never to be shown */
	struct dnsbl_code *codes;
	size_t code_count;
};

/* Where a clamd listens; neither path nor port: nowhere. */
struct clamd_address {
	struct text path;
	struct ip ip;
	uint16_t port;
};

/* Networks with a threshold of their own for failed logins, in the order of the file. */
struct auth_network {
	struct auth_network_settings set;
};

/* Ways to log in (RFC 4616, the old LOGIN, RFC 7677), in the order in which EHLO lists them. */
enum mechanism { MECHANISM_PLAIN, MECHANISM_LOGIN, MECHANISM_SCRAM_SHA_256, MECHANISMS };
const char *mechanism_name(enum mechanism m); /* "SCRAM-SHA-256" */

/* A rule on header fields, in the order of the file. */
struct header_rule {
	struct header_rule_settings set;
	struct pattern_list *patterns;
};

struct config {
	struct arena arena; /* owns all of it */
	struct text file;
	struct global_settings global;
	struct log_settings log;
	struct auth_settings auth;
	struct auth_network *auth_networks;
	size_t auth_network_count;
	unsigned mechanisms;     /* 1 << enum mechanism */
	struct text auth_socket; /* Dovecot's; empty: the users are our own */
	struct clamav_settings clamav;
	struct clamd_address clamd;
	struct listener *listeners;
	size_t listener_count;
	struct certificate *certificates; /* the first is the default */
	size_t certificate_count;
	struct certificate_pair **pairs; /* all that are used, by certificates and routes */
	size_t pair_count;
	struct route *routes;
	size_t route_count;
	struct domain *domains; /* sorted by name */
	size_t domain_count;
	/* Names under which Authentication-Results are ours: that of our own first. */
	struct text_list authserv_ids;
	struct limit *limits;
	size_t limit_count;
	struct dnsbl *dnsbls; /* lists of addresses, then of domains */
	size_t dnsbl_count;
	struct header_rule *header_rules;
	size_t header_rule_count;
	struct settings base;
	struct pattern_list **patterns; /* freed with it */
	size_t pattern_count;
	const struct route *relay_route; /* of own clients' mail to other domains; NULL: none */
};

/* Reads `path` and what it names.  On failure returns NULL, having written one line for each
 * mistake to err: "gatepost.conf:12: unknown option "max-sesions"; nearest: max-sessions".  If
 * `bundle_fd` isn't NULL it gets a sealed memfd with all that was read but certificates and keys,
 * which are read and checked only then.  `overrides` are "name=value" strings of the command line
 * (NULL-terminated; may be NULL). */
struct config *config_load(const char *path, const char *const *overrides, FILE *err,
			   int *bundle_fd);
struct config *config_load_bundle(int fd, FILE *err);
void config_free(struct config *c);

/* The certificates and keys, which the bundle is without: a sealed memfd for the workers, of a
 * configuration that config_load() read with a bundle.  -1 with errno. */
int config_keys_write(const struct config *c);
/* The other side: fills in what a configuration from a bundle lacks.  False with errno. */
bool config_keys_read(struct config *c, int fd);
/* Forgets them. */
void config_keys_wipe(struct config *c);

/* The whole configuration as a file would say it, each option with a comment that says where its
 * value comes from (file:line or default): gatepostd -T. */
void config_print(const struct config *c, FILE *out);

/* The domain that a recipient belongs to: exact, then the longest "*." above it; NULL: not ours.
 * `name` is in lower-case A-label form. */
const struct domain *config_domain(const struct config *c, struct text name);
/* Is any mail scanned for viruses; by an engine of our own?  The largest message that may be. */
bool config_wants_scans(const struct config *c);
bool config_wants_engine(const struct config *c);
uint64_t config_scan_size(const struct config *c);
/* Does any listener offer AUTH, with users of our own? */
bool config_wants_users(const struct config *c);
bool config_trusted(const struct config *c, const struct ip *ip);

#endif
