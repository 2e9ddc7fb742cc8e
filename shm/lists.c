/* What an entry of a list may name, and the form in which the list holds it. */
#include "shm/lists.h"

#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOMAIN_MAX = 253, LABEL_MAX = 63 };

static const char *const key_names[LIST_KEYS] = {
    [LIST_CLIENT] = "client",       [LIST_HOST] = "host",           [LIST_DOMAIN] = "domain",
    [LIST_ADDRESS] = "address",     [LIST_LOGIN] = "login",         [LIST_RECIPIENT] = "recipient",
    [LIST_SIGNATURE] = "signature", [LIST_EXTENSION] = "extension",
};

const char *list_key_name(enum list_key k)
{
	return key_names[k];
}

bool list_key_find(struct text name, enum list_key *out)
{
	for (int i = 0; i < LIST_KEYS; i++) {
		if (text_eq(name, text_of(key_names[i]))) {
			*out = (enum list_key)i;
			return true;
		}
	}
	return false;
}

static bool refuse(struct buf *err, struct text t, const char *what)
{
	buf_char(err, '"');
	buf_escaped(err, t);
	buf_printf(err, "\": %s", what);
	return false;
}

/* ---- networks ---- */

static bool normalize_network(struct text t, char *out, struct buf *err)
{
	struct text address, length;
	struct net net;
	struct ip ip;
	uint64_t bits;

	if (!text_split(t, '/', &address, &length)) {
		if (!net_parse(t, &net))
			return refuse(err, t, "neither an address nor a network");
		net_format(&net, out);
		return true;
	}
	if (!ip_parse(address, &ip) || !text_u64(length, &bits))
		return refuse(err, t, "neither an address nor a network");
	bool v4 = text_find(address, ':') == address.n;

	if (bits > (v4 ? 32 : 128))
		return refuse(err, t,
			      v4 ? "an IPv4 network has at most /32"
				 : "an IPv6 network has at most /128");
	net.bits = (uint8_t)(bits + (v4 ? 96 : 0));
	net.ip = ip_mask(&ip, net.bits);
	net_format(&net, out);
	return true;
}

/* ---- domains ---- */

static bool domain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Of host names; with the underscore, which real names have. */
static bool domain_syntax(struct text t)
{
	size_t label = 0;

	if (t.n == 0 || t.n > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!domain_char(t.p[i]) || ++label > LABEL_MAX) {
			return false;
		}
	}
	return label > 0;
}

static bool is_ascii(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] >= 0x80)
			return false;
	}
	return true;
}

/* Into A-label form; out has room for LIST_KEY_MAX and a NUL. */
static bool to_alabel(struct text t, char *out)
{
	char name[LIST_KEY_MAX + 1];
	char *ascii = NULL;
	size_t n = 0;

	if (t.n > LIST_KEY_MAX || text_find(t, '\0') < t.n)
		return false;
	text_cstr(t, name, sizeof(name));
	if (idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	n = text_cstr(text_of(ascii), out, LIST_KEY_MAX + 1);
	free(ascii);
	text_lower(text_make(out, n), out);
	return domain_syntax(text_make(out, n));
}

static bool normalize_domain(struct text t, char *out)
{
	if (t.n > 0 && t.p[t.n - 1] == '.')
		t.n--;
	if (!is_ascii(t))
		return to_alabel(t, out);
	if (t.n > DOMAIN_MAX)
		return false;
	text_lower(t, out);
	out[t.n] = '\0';
	return domain_syntax(text_make(out, t.n));
}

/* ".example.org", "@example.org" and "example.org" are the same. */
static struct text without_mark(struct text t)
{
	return t.n > 0 && (t.p[0] == '.' || t.p[0] == '@') ? text_make(t.p + 1, t.n - 1) : t;
}

/* ---- addresses and logins ---- */

/* Controls, and whatever else comes before `least`. */
static bool has_below(struct text t, char least)
{
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] < (unsigned char)least || t.p[i] == 0x7f)
			return true;
	}
	return false;
}

static bool normalize_address(struct text t, bool local_may_be_empty, char *out, struct buf *err)
{
	char domain[LIST_KEY_MAX + 1];
	size_t at = t.n;

	while (at > 0 && t.p[at - 1] != '@')
		at--;
	if (at == 0 || (at == 1 && !local_may_be_empty))
		return refuse(err, t, "no address");
	/* a space is only legal in a quoted local part */
	if (has_below(text_make(t.p, at), t.p[0] == '"' ? ' ' : '!'))
		return refuse(err, t, "no address");
	if (!normalize_domain(text_make(t.p + at, t.n - at), domain))
		return refuse(err, t, "what follows the @ is no domain name");
	if (at + strlen(domain) > LIST_KEY_MAX)
		return refuse(err, t, "too long");
	text_lower(text_make(t.p, at), out);
	memcpy(out + at, domain, strlen(domain) + 1);
	return true;
}

static bool normalize_login(struct text t, char *out, struct buf *err)
{
	if (t.n == 0 || t.n > LIST_KEY_MAX || has_below(t, '!'))
		return refuse(err, t, "no login name");
	text_lower(t, out);
	out[t.n] = '\0';
	return true;
}

/* As the log shows it: printable, without spaces. */
static bool normalize_signature(struct text t, char *out, struct buf *err)
{
	if (t.n == 0 || t.n > LIST_KEY_MAX || has_below(t, '!') || text_find(t, 0x7f) < t.n)
		return refuse(err, t, "no name of a signature");
	text_lower(t, out);
	out[t.n] = '\0';
	return true;
}

/* "*.exe", ".exe" and "exe" are the same; "@example.net" behind it is the recipients' domain. */
static bool normalize_extension(struct text t, char *out, struct buf *err)
{
	const size_t at = text_find(t, '@');
	struct text extension = text_make(t.p, at);
	char domain[LIST_KEY_MAX + 1] = "";

	if (extension.n > 0 && extension.p[0] == '*')
		extension = text_make(extension.p + 1, extension.n - 1);
	if (extension.n > 0 && extension.p[0] == '.')
		extension = text_make(extension.p + 1, extension.n - 1);
	if (extension.n == 0 || extension.n > LIST_EXTENSION_MAX || has_below(extension, '!') ||
	    text_find(extension, '.') < extension.n || !is_ascii(extension))
		return refuse(err, t, "no extension of a file's name");
	if (at < t.n && !normalize_domain(text_make(t.p + at + 1, t.n - at - 1), domain))
		return refuse(err, t, "what follows the @ is no domain name");
	/* 32 bytes and 253 at most: there is room */
	struct buf b = buf_over(out, LIST_KEY_MAX + 1);

	buf_text(&b, extension);
	text_lower(extension, out);
	if (at < t.n)
		buf_printf(&b, "@%s", domain);
	return true;
}

bool list_key_normalize(enum list_key kind, struct text t, char out[LIST_KEY_MAX + 1],
			struct buf *err)
{
	t = text_trim(t);
	switch (kind) {
	case LIST_CLIENT:
		return normalize_network(t, out, err);
	case LIST_HOST:
		out[0] = '.';
		return normalize_domain(without_mark(t), out + 1) || refuse(err, t, "no host name");
	case LIST_DOMAIN:
		return normalize_domain(without_mark(t), out) || refuse(err, t, "no domain name");
	case LIST_ADDRESS:
		return normalize_address(t, false, out, err);
	case LIST_LOGIN:
		return normalize_login(t, out, err);
	case LIST_RECIPIENT:
		return normalize_address(t, true, out, err);
	case LIST_SIGNATURE:
		return normalize_signature(t, out, err);
	case LIST_EXTENSION:
		return normalize_extension(t, out, err);
	default:
		return refuse(err, t, "of no known kind");
	}
}
