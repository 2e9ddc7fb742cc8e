/* A walk over all records of a message, before a library reads them. */
#include "worker/io/dns_message.h"

enum {
	HEADER_BYTES = 12,
	NAME_BYTES = 255,
	/* A compressor makes one; some chain a few. */
	POINTERS_MAX = 16,
	/* The most that 64 KB of honest answer hold are some 2,000 addresses. */
	RECORDS_MAX = 2048,
	TYPE_MINFO = 14,
	TYPE_DNAME = 39,
	TYPE_TSIG = 250,
};

struct walk {
	const uint8_t *p;
	size_t n, at;
};

static bool pass_name(struct walk *w)
{
	size_t at = w->at, floor = w->at, end = 0, length = 0;
	unsigned pointers = 0;

	while (at < w->n) {
		const uint8_t c = w->p[at];

		if ((c & 0xc0) == 0xc0) {
			if (at + 1 >= w->n || ++pointers > POINTERS_MAX)
				return false;
			if (!end)
				end = at + 2;
			at = (size_t)(c & 0x3f) << 8 | w->p[at + 1];
			if (at >= floor)
				return false;
			floor = at;
			continue;
		}
		length += c + 1U;
		if (c & 0xc0 || length > NAME_BYTES)
			return false;
		at += c + 1U;
		if (c == 0) {
			w->at = end ? end : at;
			return at <= w->n;
		}
	}
	return false;
}

static bool take16(struct walk *w, unsigned *out)
{
	if (w->n - w->at < 2)
		return false;
	*out = (unsigned)w->p[w->at] << 8 | w->p[w->at + 1];
	w->at += 2;
	return true;
}

static bool pass_bytes(struct walk *w, size_t n)
{
	if (w->n - w->at < n)
		return false;
	w->at += n;
	return true;
}

/* The names in the data of a record which may be compressed (RFC 1035, and DNAME for which some
 * do). */
static bool names_ok(const struct walk *w, unsigned type, size_t n)
{
	struct walk data = {w->p, w->at + n, w->at};
	bool ok;

	if (n == 0)
		return true;
	switch (type) {
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case TYPE_DNAME:
		return pass_name(&data);
	case DNS_MX:
		return pass_bytes(&data, 2) && pass_name(&data);
	case DNS_SOA:
	case TYPE_MINFO:
		ok = pass_name(&data);
		return ok && pass_name(&data);
	default:
		return true;
	}
}

static bool pass_record(struct walk *w)
{
	unsigned type, length;

	if (!pass_name(w) || !take16(w, &type) || !pass_bytes(w, 6) || !take16(w, &length))
		return false;
	if (type == TYPE_TSIG || w->n - w->at < length || !names_ok(w, type, length))
		return false;
	return pass_bytes(w, length);
}

bool dns_message_sane(const uint8_t *wire, size_t n)
{
	struct walk w = {wire, n, 4};
	unsigned questions, records = 0;

	if (n < HEADER_BYTES || !take16(&w, &questions) || questions > 1)
		return false;
	while (w.at < HEADER_BYTES) {
		unsigned section;

		if (!take16(&w, &section))
			return false;
		records += section;
	}
	if (records > RECORDS_MAX)
		return false;
	if (questions == 1 && !(pass_name(&w) && pass_bytes(&w, 4)))
		return false;
	while (records-- > 0) {
		if (!pass_record(&w))
			return false;
	}
	return true;
}
