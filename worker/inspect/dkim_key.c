/* Key records (worker/inspect/dkim_key.h). */
#include "worker/inspect/dkim_key.h"

#include "worker/inspect/rsa_key.h"

#include <openssl/evp.h>

enum { ED25519_BYTES = 32, ED25519_BITS = 256 };

/* ---- Which record */

/* The one that is a key; several are as good as none, since nobody can tell which. */
static enum dkim_reason find_record(const struct known_answer *a, struct dkim_tags *out)
{
	enum dkim_reason none = DKIM_REASON_KEY_NONE;
	struct dkim_tags tags;
	size_t found = 0;

	if (!dns_known(a->status))
		return DKIM_REASON_NO_ANSWER;
	for (size_t i = 0; i < a->count; i++) {
		const struct text t = a->records[i].text;

		if (t.n > DKIM_KEY_RECORD_MAX)
			return DKIM_REASON_KEY_LONG;
		if (dkim_tags_parse(t, &tags) && dkim_tag(&tags, 'p')) {
			*out = tags;
			found++;
		} else if (text_istarts(t, LIT("v=DKIM1"))) {
			none = DKIM_REASON_KEY_SYNTAX;
		}
	}
	if (found == 1)
		return DKIM_REASON_NONE;
	return found ? DKIM_REASON_KEY_SYNTAX : none;
}

/* ---- May it be used */

static bool allows(const struct dkim_tags *tags, char name, struct text word, struct text other)
{
	const struct text *list = dkim_tag(tags, name);

	return !list || dkim_tag_lists(*list, word) || (other.n && dkim_tag_lists(*list, other));
}

static enum dkim_reason judge_use(const struct dkim_tags *tags, const struct dkim_field *f)
{
	const bool ed25519 = f->algorithm == DKIM_ALGORITHM_ED25519_SHA256;
	const struct text kind = ed25519 ? LIT("ed25519") : LIT("rsa");
	const struct text hash =
	    f->algorithm == DKIM_ALGORITHM_RSA_SHA1 ? LIT("sha1") : LIT("sha256");
	const struct text *version = dkim_tag(tags, 'v'), *k = dkim_tag(tags, 'k'),
			  *flags = dkim_tag(tags, 't');

	if (version && (!text_eq(*version, LIT("DKIM1")) || version != &tags->v[0].value))
		return DKIM_REASON_KEY_SYNTAX;
	if (text_empty(*dkim_tag(tags, 'p')))
		return DKIM_REASON_KEY_REVOKED;
	if (!(k ? text_ieq(*k, kind) : !ed25519) || !allows(tags, 'h', hash, LIT("")) ||
	    !allows(tags, 's', LIT("email"), LIT("*")))
		return DKIM_REASON_KEY_USE;
	if (flags && f->below && dkim_tag_lists(*flags, LIT("s")))
		return DKIM_REASON_KEY_USE;
	return DKIM_REASON_NONE;
}

/* ---- What it is */

/* The bytes of p=, or NULL. */
static unsigned char *decode(struct text base64, struct arena *a, size_t *n)
{
	unsigned char *bytes = arena_alloc(a, base64.n + 4);
	size_t padding = 0;

	while (padding < 2 && base64.n > padding && base64.p[base64.n - padding - 1] == '=')
		padding++;
	const int got = base64.n % 4 == 0
			    ? EVP_DecodeBlock(bytes, (const unsigned char *)base64.p, (int)base64.n)
			    : -1;
	if (got < (int)padding)
		return NULL;
	*n = (size_t)got - padding;
	return bytes;
}

static bool put_record(struct dkim_key *out, const char *kind, const unsigned char *bytes, size_t n)
{
	struct buf b = buf_over(out->record, sizeof(out->record));
	unsigned char base64[DKIM_KEY_PUT_MAX + 4];

	if ((n + 2) / 3 * 4 > DKIM_KEY_PUT_MAX)
		return false;
	EVP_EncodeBlock(base64, bytes, (int)n);
	buf_printf(&b, "k=%s;p=%s", kind, (const char *)base64);
	return !b.cut;
}

static enum dkim_reason put_rsa(struct text der, struct arena *a, struct dkim_key *out)
{
	struct text whole;

	if (!rsa_key_read(der, a, &whole, &out->bits))
		return DKIM_REASON_KEY_SYNTAX;
	return put_record(out, "rsa", (const unsigned char *)whole.p, whole.n)
		   ? DKIM_REASON_NONE
		   : DKIM_REASON_KEY_LONG;
}

static enum dkim_reason read_key(struct text p, const struct dkim_field *f, struct arena *a,
				 struct dkim_key *out)
{
	size_t n;
	const unsigned char *bytes = decode(dkim_tag_squeeze(p, a), a, &n);

	if (!bytes)
		return DKIM_REASON_KEY_SYNTAX;
	if (f->algorithm != DKIM_ALGORITHM_ED25519_SHA256)
		return put_rsa(text_make((const char *)bytes, n), a, out);
	out->bits = ED25519_BITS;
	return n == ED25519_BYTES && put_record(out, "ed25519", bytes, n) ? DKIM_REASON_NONE
									  : DKIM_REASON_KEY_SYNTAX;
}

enum dkim_reason dkim_key_read(const struct known_answer *a, const struct dkim_field *f,
			       struct arena *arena, struct dkim_key *out)
{
	struct dkim_tags tags;
	enum dkim_reason reason = find_record(a, &tags);

	*out = (struct dkim_key){0};
	if (reason == DKIM_REASON_NONE)
		reason = judge_use(&tags, f);
	if (reason != DKIM_REASON_NONE)
		return reason;
	const struct text *flags = dkim_tag(&tags, 't');
	out->testing = flags && dkim_tag_lists(*flags, LIT("y"));
	return read_key(*dkim_tag(&tags, 'p'), f, arena, out);
}
