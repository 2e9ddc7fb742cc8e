/* A question to bytes, and (by ldns) bytes to an answer.  None of its *2str functions is used: they
 * have met their asserts on what the network sends. */
#include "worker/io/dns_message.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdlib.h>

enum {
	CNAMES_MAX = 12,
	WIRE_NAME_MAX = 255,
	SOA_MINIMUM = 6, /* its place in the record's data */
};

/* ---- Names */

struct wire_name {
	uint8_t b[WIRE_NAME_MAX];
	size_t n;
};

/* Dots part labels, whatever else is in them; `name` is dns_name_ok(). */
static void name_to_wire(struct text name, struct wire_name *out)
{
	struct text label, rest = name;

	out->n = 0;
	while (rest.n > 0) {
		text_split(rest, '.', &label, &rest);
		out->b[out->n++] = (uint8_t)label.n;
		memcpy(out->b + out->n, label.p, label.n);
		out->n += label.n;
	}
	out->b[out->n++] = 0;
}

/* Lengths of labels are no letters, so all bytes may be compared alike. */
static bool same_name(const uint8_t *a, size_t an, const uint8_t *b, size_t bn)
{
	return text_ieq(text_make((const char *)a, an), text_make((const char *)b, bn));
}

static bool name_is(const ldns_rdf *rdf, const struct wire_name *name)
{
	return rdf && ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME &&
	       same_name(ldns_rdf_data(rdf), ldns_rdf_size(rdf), name->b, name->n);
}

static bool name_take(const ldns_rdf *rdf, struct wire_name *out)
{
	if (!rdf || ldns_rdf_get_type(rdf) != LDNS_RDF_TYPE_DNAME ||
	    ldns_rdf_size(rdf) > WIRE_NAME_MAX)
		return false;
	out->n = ldns_rdf_size(rdf);
	memcpy(out->b, ldns_rdf_data(rdf), out->n);
	return true;
}

/* As text: lower case; what could be taken for something else as \DDD. */
static void put_label(struct buf *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '.' || p[i] == '\\')
			buf_printf(b, "\\%03u", p[i]);
		else
			buf_char(b, (char)tolower(p[i]));
	}
}

static void put_name(struct buf *b, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (at < n && p[at] != 0 && p[at] < n - at) {
		if (at > 0)
			buf_char(b, '.');
		put_label(b, p + at + 1, p[at]);
		at += p[at] + 1U;
	}
}

/* ---- Asking */

static size_t put16(uint8_t *out, size_t at, uint16_t v)
{
	out[at] = (uint8_t)(v >> 8);
	out[at + 1] = (uint8_t)v;
	return at + 2;
}

/* By hand: ldns writes through a null pointer when it has no memory. */
uint8_t *dns_message_ask(struct text name, uint16_t type, uint16_t id, size_t *n)
{
	/* recursion desired, AD wanted (RFC 6840 5.7); one question, one additional record */
	const uint16_t header[] = {id, 0x0120, 1, 0, 0, 1};
	/* EDNS (RFC 6891 6.1.2): OPT, our size, no flags, no data */
	const uint16_t opt[] = {41, DNS_UDP_BYTES, 0, 0, 0};
	struct wire_name wire;
	size_t at = 0;

	name_to_wire(name, &wire);
	uint8_t *out = malloc(sizeof(header) + wire.n + 4 + 1 + sizeof(opt));

	if (!out)
		return NULL;
	for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
		at = put16(out, at, header[i]);
	memcpy(out + at, wire.b, wire.n);
	at = put16(out, at + wire.n, type);
	at = put16(out, at, LDNS_RR_CLASS_IN);
	out[at++] = 0; /* the root's name */
	for (size_t i = 0; i < sizeof(opt) / sizeof(opt[0]); i++)
		at = put16(out, at, opt[i]);
	*n = at;
	return out;
}

/* ---- Reading */

struct reading {
	const ldns_pkt *pkt;
	uint16_t type;
	struct wire_name name; /* where the records stand, CNAMEs followed */
	uint32_t ttl;
};

static ldns_rr *next_record(const ldns_rr_list *list, size_t *i, const struct wire_name *name,
			    uint16_t type)
{
	while (*i < ldns_rr_list_rr_count(list)) {
		ldns_rr *rr = ldns_rr_list_rr(list, (*i)++);

		if (ldns_rr_get_type(rr) == (ldns_rr_type)type &&
		    ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN && name_is(ldns_rr_owner(rr), name))
			return rr;
	}
	return NULL;
}

/* RFC 2181 8: the highest bit makes it zero. */
static void lower_ttl(struct reading *r, uint32_t ttl)
{
	if (ttl > INT32_MAX)
		ttl = 0;
	if (ttl < r->ttl)
		r->ttl = ttl;
}

/* False: they go round, or on and on. */
static bool follow_cnames(struct reading *r)
{
	const ldns_rr_list *list = ldns_pkt_answer(r->pkt);

	if (r->type == DNS_CNAME)
		return true;
	for (unsigned hops = 0; hops < CNAMES_MAX; hops++) {
		size_t i = 0;
		const ldns_rr *rr = next_record(list, &i, &r->name, DNS_CNAME);

		if (!rr)
			return true;
		if (!name_take(ldns_rr_rdf(rr, 0), &r->name))
			return false;
		lower_ttl(r, ldns_rr_ttl(rr));
	}
	return false;
}

/* Of a negative answer (RFC 2308 5): the SOA's own, and its last field. */
static void lower_ttl_by_soa(struct reading *r)
{
	const ldns_rr_list *list = ldns_pkt_authority(r->pkt);

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		const ldns_rdf *minimum = ldns_rr_rdf(rr, SOA_MINIMUM);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA || !minimum ||
		    ldns_rdf_size(minimum) != 4)
			continue;
		lower_ttl(r, ldns_rr_ttl(rr));
		lower_ttl(r, ldns_rdf2native_int32(minimum));
		return;
	}
	r->ttl = 0;
}

/* The bytes that its text takes at most. */
static size_t text_room(const ldns_rr *rr)
{
	size_t room = 1;

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
		room += 4 * ldns_rdf_size(ldns_rr_rdf(rr, i));
	return room;
}

static bool read_ip(const ldns_rdf *rdf, struct ip *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!rdf)
		return false;
	if (ldns_rdf_size(rdf) == 16) {
		memcpy(out->b, ldns_rdf_data(rdf), 16);
		return true;
	}
	if (ldns_rdf_size(rdf) != 4)
		return false;
	memcpy(out->b, mapped, sizeof(mapped));
	memcpy(out->b + 12, ldns_rdf_data(rdf), 4);
	return true;
}

static bool read_name(const ldns_rdf *rdf, struct buf *b)
{
	if (!rdf || ldns_rdf_get_type(rdf) != LDNS_RDF_TYPE_DNAME)
		return false;
	put_name(b, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	return true;
}

static bool read_strings(const ldns_rr *rr, struct buf *b)
{
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

		if (ldns_rdf_size(rdf) > 0)
			buf_put(b, ldns_rdf_data(rdf) + 1, ldns_rdf_size(rdf) - 1);
	}
	return ldns_rr_rd_count(rr) > 0;
}

/* `b` has room for its text.  False: a record without its data, which is none. */
static bool read_record(const ldns_rr *rr, struct dns_record *out, struct buf *b)
{
	const ldns_rdf *first = ldns_rr_rdf(rr, 0);
	bool ok = true;

	switch ((enum dns_type)ldns_rr_get_type(rr)) {
	case DNS_A:
	case DNS_AAAA:
		ok = read_ip(first, &out->ip);
		break;
	case DNS_MX:
		ok = first && ldns_rdf_size(first) == 2 && read_name(ldns_rr_rdf(rr, 1), b);
		if (ok)
			out->preference = ldns_rdf2native_int16(first);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		ok = read_name(first, b);
		break;
	case DNS_TXT:
		ok = read_strings(rr, b);
		break;
	default:
		break;
	}
	out->text = buf_view(b);
	return ok;
}

static struct dns_answer *answer_new(size_t records, size_t text, size_t wire)
{
	return calloc(1, sizeof(struct dns_answer) + records * sizeof(struct dns_record) + text +
			     wire);
}

static struct dns_answer *failed(enum dns_status status)
{
	struct dns_answer *a = answer_new(0, 0, 0);

	if (a)
		a->status = status;
	return a;
}

static enum dns_status status_of(const ldns_pkt *pkt, size_t records)
{
	switch (ldns_pkt_get_rcode(pkt)) {
	case LDNS_RCODE_NOERROR:
		return records ? DNS_OK : DNS_NODATA;
	case LDNS_RCODE_NXDOMAIN:
		return DNS_NXDOMAIN;
	case LDNS_RCODE_SERVFAIL:
		return DNS_SERVFAIL;
	default:
		return DNS_REFUSED;
	}
}

/* Records of the question's type at the end of its CNAMEs. */
static void fill_records(struct reading *r, struct dns_answer *a, struct dns_record *records,
			 char *text, size_t room)
{
	const ldns_rr_list *list = ldns_pkt_answer(r->pkt);
	const ldns_rr *rr;
	size_t i = 0;

	while ((rr = next_record(list, &i, &r->name, r->type)) != NULL) {
		struct buf b = buf_over(text, room);

		lower_ttl(r, ldns_rr_ttl(rr));
		if (!read_record(rr, &records[a->count], &b))
			continue;
		a->count++;
		text += b.n + 1;
		room -= b.n + 1;
	}
	a->records = records;
}

static struct dns_answer *fill(struct reading *r, const uint8_t *wire, size_t n)
{
	const ldns_rr_list *list = ldns_pkt_answer(r->pkt);
	size_t count = 0, name_room = 4 * r->name.n + 1, room = 1, i = 0;
	struct dns_answer *a;
	const ldns_rr *rr;

	while ((rr = next_record(list, &i, &r->name, r->type)) != NULL) {
		count++;
		room += text_room(rr);
	}
	a = answer_new(count, name_room + room, n);
	if (!a)
		return NULL;

	struct dns_record *records = (struct dns_record *)(a + 1);
	char *const name = (char *)(records + count);
	struct buf b = buf_over(name, name_room);
	put_name(&b, r->name.b, r->name.n);
	a->name = buf_view(&b);
	fill_records(r, a, records, name + name_room, room);
	memcpy(name + name_room + room, wire, n);
	a->wire = text_make(name + name_room + room, n);
	a->authentic = ldns_pkt_ad(r->pkt);
	a->status = status_of(r->pkt, a->count);
	if (a->status != DNS_OK) {
		a->count = 0;
		lower_ttl_by_soa(r);
	}
	a->ttl = r->ttl;
	return a;
}

/* Is it an answer, whole, and to this question? */
static bool answers(const ldns_pkt *pkt, struct text name, uint16_t type, struct wire_name *asked)
{
	const ldns_rr_list *list = ldns_pkt_question(pkt);
	const ldns_rr *q = ldns_rr_list_rr_count(list) == 1 ? ldns_rr_list_rr(list, 0) : NULL;

	name_to_wire(name, asked);
	return ldns_pkt_qr(pkt) && !ldns_pkt_tc(pkt) &&
	       ldns_pkt_get_opcode(pkt) == LDNS_PACKET_QUERY && q &&
	       ldns_rr_get_type(q) == (ldns_rr_type)type &&
	       ldns_rr_get_class(q) == LDNS_RR_CLASS_IN && name_is(ldns_rr_owner(q), asked);
}

struct dns_answer *dns_message_read(const uint8_t *wire, size_t n, struct text name, uint16_t type)
{
	struct reading r = {.type = type, .ttl = UINT32_MAX};
	struct dns_answer *a;
	ldns_pkt *pkt = NULL;

	if (!dns_message_sane(wire, n))
		return failed(DNS_MALFORMED);
	const ldns_status read = ldns_wire2pkt(&pkt, wire, n);
	if (read != LDNS_STATUS_OK)
		return read == LDNS_STATUS_MEM_ERR ? NULL : failed(DNS_MALFORMED);
	r.pkt = pkt;
	if (answers(pkt, name, type, &r.name) && follow_cnames(&r))
		a = fill(&r, wire, n);
	else
		a = failed(DNS_MALFORMED);
	ldns_pkt_free(pkt);
	return a;
}
