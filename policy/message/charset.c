/* Bytes in the charsets of mail to UTF-8, by iconv(3).
 *
 * The name of a charset comes from the sender, and glibc loads a shared object for each; so only
 * names on this list reach iconv_open.  Converters stay open: a process that looks at subjects
 * meets the same few again and again. */
#include "policy/message/charset.h"

#include "policy/message/utf8.h"

#include <errno.h>
#include <iconv.h>

/* Lower case, as senders write them and glibc knows them.  GB2312 and KS C 5601 are written for the
 * larger sets that Windows makes of them. */
static const struct charset {
	const char *name, *iconv_name;
} charsets[] = {
    {"iso-8859-2", "ISO-8859-2"},
    {"iso-8859-3", "ISO-8859-3"},
    {"iso-8859-4", "ISO-8859-4"},
    {"iso-8859-5", "ISO-8859-5"},
    {"iso-8859-6", "ISO-8859-6"},
    {"iso-8859-7", "ISO-8859-7"},
    {"iso-8859-8", "ISO-8859-8"},
    {"iso-8859-8-i", "ISO-8859-8"},
    {"iso-8859-9", "ISO-8859-9"},
    {"iso-8859-10", "ISO-8859-10"},
    {"iso-8859-11", "ISO-8859-11"},
    {"iso-8859-13", "ISO-8859-13"},
    {"iso-8859-14", "ISO-8859-14"},
    {"iso-8859-15", "ISO-8859-15"},
    {"iso-8859-16", "ISO-8859-16"},
    {"windows-874", "CP874"},
    {"windows-1250", "CP1250"},
    {"windows-1251", "CP1251"},
    {"windows-1252", "CP1252"},
    {"windows-1253", "CP1253"},
    {"windows-1254", "CP1254"},
    {"windows-1255", "CP1255"},
    {"windows-1256", "CP1256"},
    {"windows-1257", "CP1257"},
    {"windows-1258", "CP1258"},
    {"cp1250", "CP1250"},
    {"cp1251", "CP1251"},
    {"cp1252", "CP1252"},
    {"cp866", "CP866"},
    {"ibm866", "CP866"},
    {"koi8-r", "KOI8-R"},
    {"koi8-u", "KOI8-U"},
    {"tis-620", "TIS-620"},
    {"gb2312", "GBK"},
    {"gbk", "GBK"},
    {"cp936", "GBK"},
    {"gb18030", "GB18030"},

    {"big5", "BIG5"},
    {"big5-hkscs", "BIG5-HKSCS"},
    {"euc-jp", "EUC-JP"},
    {"iso-2022-jp", "ISO-2022-JP"},
    {"shift_jis", "CP932"},
    {"shift-jis", "CP932"},
    {"sjis", "CP932"},
    {"windows-31j", "CP932"},
    {"cp932", "CP932"},
    {"euc-kr", "UHC"},
    {"ks_c_5601-1987", "UHC"},
    {"cp949", "UHC"},
    {"iso-2022-kr", "ISO-2022-KR"},
    {"utf-7", "UTF-7"},
    {"utf-16", "UTF-16"},
    {"utf-16le", "UTF-16LE"},
    {"utf-16be", "UTF-16BE"},
    {"macintosh", "MACINTOSH"},
    {"x-mac-cyrillic", "MAC-CYRILLIC"},
};

enum { CHARSETS = sizeof(charsets) / sizeof(charsets[0]) };

/* A converter holds state, but none between two calls of charset_to_utf8, which does not yield. */
static _Thread_local struct {
	bool tried;
	iconv_t cd;
} converters[CHARSETS];

static bool converter_open(size_t i, iconv_t *cd)
{
	if (!converters[i].tried) {
		converters[i].cd = iconv_open("UTF-8", charsets[i].iconv_name);
		/* no memory or descriptor now says nothing of later */
		converters[i].tried = converters[i].cd != (iconv_t)-1 || errno == EINVAL;
		if (!converters[i].tried)
			return false;
	}
	*cd = converters[i].cd;
	return *cd != (iconv_t)-1;
}

void charset_open_all(void)
{
	iconv_t ignored;

	for (size_t i = 0; i < CHARSETS; i++)
		converter_open(i, &ignored);
}

static bool converter_find(struct text charset, iconv_t *cd)
{
	for (size_t i = 0; i < CHARSETS; i++) {
		if (text_ieq(charset, text_of(charsets[i].name)))
			return converter_open(i, cd);
	}
	return false;
}

static void put_char(struct buf *out, const char *p, size_t n)
{
	if (out->cut || out->cap - 1 - out->n < n)
		out->cut = true;
	else
		buf_put(out, p, n);
}

/* One character, or one byte that is none. */
static size_t put_first(struct text t, struct buf *out, bool latin1)
{
	size_t n = latin1 ? 0 : utf8_first(t, NULL);
	char c[4];

	if (n > 0) {
		put_char(out, t.p, n);
		return n;
	}
	put_char(out, c, utf8_put((unsigned char)t.p[0], c));
	return 1;
}

static void put_bytes(struct text t, struct buf *out, bool latin1)
{
	while (t.n > 0 && !out->cut) {
		size_t n = put_first(t, out, latin1);

		t = text_make(t.p + n, t.n - n);
	}
}

/* iconv's output is UTF-8, but may be cut only between two characters: it writes whole ones. */
static void convert(iconv_t cd, struct text t, struct buf *out)
{
	char *in = (char *)t.p;
	size_t left = t.n;

	iconv(cd, NULL, NULL, NULL, NULL);
	while (left > 0 && !out->cut) {
		char *dst = out->p + out->n;
		size_t room = out->cap - 1 - out->n;
		size_t rc = iconv(cd, &in, &left, &dst, &room);
		int why = errno;

		out->n = (size_t)(dst - out->p);
		if (rc != (size_t)-1)
			break;
		if (why == E2BIG) {
			out->cut = true;
			break;
		}
		in += put_first(text_make(in, left), out, true);
		left--;
	}
	out->p[out->n] = '\0';
}

void charset_to_utf8(struct text charset, struct text t, struct buf *out)
{
	iconv_t cd;

	if (text_ieq(charset, LIT("iso-8859-1")))
		put_bytes(t, out, true);
	else if (converter_find(charset, &cd))
		convert(cd, t, out);
	else
		put_bytes(t, out, false);
}
