/* What the DNS said, as all layers see it (the transport is worker/io/dns.h), and the names that
 * are asked for.
 *
 * Three statuses are facts: OK, NXDOMAIN, NODATA.  All others mean "not known": a check that meets
 * one is undecided, and never refuses for it. */
#ifndef SHM_BASE_DNS_H
#define SHM_BASE_DNS_H

#include "shm/base/ip.h"

enum dns_status {
	DNS_OK,        /* at least one record of the type */
	DNS_NXDOMAIN,  /* no such name; also of a name that can't be asked (dns_name_ok) */
	DNS_NODATA,    /* the name exists, but has no record of the type */
	DNS_TIMEOUT,   /* nobody answers, or not in time */
	DNS_SERVFAIL,  /* the resolver couldn't find out; of several, none could */
	DNS_REFUSED,   /* REFUSED, NOTIMP, FORMERR and what else an answer may say */
	DNS_MALFORMED, /* an answer that is no DNS message, or not one to our question */
	DNS_OURS,      /* no memory, too many queries, or we are stopping */
};

/* Types of records (IANA); any other may be asked for too, and is read from `wire`. */
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6, /* its data is not read */
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52, /* nor its */
};

struct dns_record {
	struct ip ip;        /* A, AAAA */
	uint16_t preference; /* MX */
	/* PTR, CNAME, MX, NS: a name in lower case without the final dot (the root is "", as in a
	 * null MX of RFC 7505), odd bytes as \DDD; it may be anything that the peer's DNS wants.
	 * TXT: the bytes of all strings of the record, concatenated.  Ends with a NUL that doesn't
	 * count. */
	struct text text;
};

struct dns_answer {
	enum dns_status status;
	/* In the order of the answer; none unless DNS_OK.  Of types that enum dns_type doesn't
	 * name they are empty ones: read `wire`. */
	const struct dns_record *records;
	size_t count;
	uint32_t ttl;     /* seconds: the lowest of what was used; of a negative answer its SOA's */
	bool authentic;   /* the resolver says that it has validated it (AD bit) */
	struct text name; /* the name that the records stand at: CNAMEs have been followed */
	struct text wire; /* the whole message; empty where there is none */
};

/* Is it a fact, or not known? */
static inline bool dns_known(enum dns_status status)
{
	return status <= DNS_NODATA;
}

/* "timeout", "SERVFAIL" ...: for people. */
const char *dns_status_text(enum dns_status status);

/* A name without its final dot, with it 253 bytes. */
#define DNS_NAME_MAX 253
/* Room for a name made here, and NUL. */
#define DNS_NAME_SIZE (DNS_NAME_MAX + 1)

/* Labels of 1 to 63 bytes, at most 253 in all; one dot at the end may stand.  Bytes are not looked
 * at. */
bool dns_name_ok(struct text name);

/* The name that holds the PTR record of an address: "1.2.0.192.in-addr.arpa", or 32 nibbles and
 * ip6.arpa.  Returns a view of dst. */
struct text dns_reverse_name(const struct ip *ip, char dst[DNS_NAME_SIZE]);

/* The name under which a list of addresses answers for one (RFC 5782): "1.2.0.192." and the zone.
 * Empty if the whole is too long. */
struct text dns_list_name(const struct ip *ip, struct text zone, char dst[DNS_NAME_SIZE]);

/* "example.com." and the zone: lists of domains.  Empty if it is too long or no name. */
struct text dns_domain_list_name(struct text domain, struct text zone, char dst[DNS_NAME_SIZE]);

#endif
