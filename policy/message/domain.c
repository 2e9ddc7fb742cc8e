/* Domain names: their syntax and the form for look-ups (RFC 5321 4.1.2, RFC 5890, UTS 46). */
#include "policy/message/domain.h"

#include "policy/message/utf8.h"

#include <idn2.h>

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

static enum address_error check_label(struct text label)
{
	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return ADDRESS_DOMAIN;
	for (size_t i = 0; i < label.n; i++) {
		if (!is_label_char(label.p[i]))
			return ADDRESS_DOMAIN;
	}
	return label.n > ADDRESS_LABEL_MAX ? ADDRESS_DOMAIN_TOO_LONG : ADDRESS_OK;
}

static enum address_error check_ascii(struct text t)
{
	struct text label, rest = t;
	bool more;

	do {
		more = text_split(rest, '.', &label, &rest);
		enum address_error e = check_label(label);

		if (e != ADDRESS_OK)
			return e;
	} while (more);
	return t.n > ADDRESS_DOMAIN_MAX ? ADDRESS_DOMAIN_TOO_LONG : ADDRESS_OK;
}

bool domain_is_valid(struct text t)
{
	return check_ascii(t) == ADDRESS_OK;
}

static enum address_error u_labels_to_ascii(struct text t, struct arena *a, struct text *out)
{
	char name[ADDRESS_DOMAIN_MAX + 1];
	char *ascii = NULL;
	enum address_error e;
	int rc;

	if (t.n >= sizeof(name))
		return ADDRESS_DOMAIN_TOO_LONG;
	text_cstr(t, name, sizeof(name));
	rc = idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc == IDN2_MALLOC)
		arena_no_memory(a);
	if (rc == IDN2_TOO_BIG_DOMAIN || rc == IDN2_TOO_BIG_LABEL || rc == IDN2_PUNYCODE_BIG_OUTPUT)
		return ADDRESS_DOMAIN_TOO_LONG;
	if (rc != IDN2_OK)
		return ADDRESS_DOMAIN;
	/* the mapping can make ASCII out of anything: U+FF20 becomes '@' */
	e = check_ascii(text_of(ascii));
	if (e == ADDRESS_OK) /* out of malloc's memory before the arena may jump away */
		text_cstr(text_of(ascii), name, sizeof(name));
	idn2_free(ascii);
	if (e == ADDRESS_OK) {
		*out = arena_text(a, text_of(name));
		text_lower(*out, (char *)out->p);
	}
	return e;
}

enum address_error domain_parse(struct text t, bool smtputf8, struct arena *a, struct text *out)
{
	enum address_error e;

	if (t.n == 0)
		return ADDRESS_NO_DOMAIN;
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
			return ADDRESS_CONTROL;
	}
	if (!text_is_ascii(t)) {
		if (!smtputf8)
			return ADDRESS_NEEDS_SMTPUTF8;
		return utf8_is_valid(t) ? u_labels_to_ascii(t, a, out) : ADDRESS_BAD_UTF8;
	}
	e = check_ascii(t);
	if (e == ADDRESS_OK) {
		*out = arena_text(a, t);
		text_lower(*out, (char *)out->p);
	}
	return e;
}

bool domain_to_ascii(struct text t, struct arena *a, struct text *out)
{
	return domain_parse(t, true, a, out) == ADDRESS_OK;
}
