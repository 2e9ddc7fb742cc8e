/* From a recipient to the path of its Maildir (worker/delivery/maildir_path.h). */
#include "worker/delivery/maildir_path.h"

#include <limits.h>

struct text maildir_base(struct text template, struct text *rest)
{
	size_t n = text_find(template, '%');
	size_t end;

	*rest = (struct text){"", 0};
	if (n == template.n)
		return template;
	while (n > 0 && template.p[n - 1] != '/')
		n--;
	*rest = text_make(template.p + n, template.n - n);
	/* "/%u" has the base "/", "a//%u" the base "a". */
	for (end = n; end > 1 && template.p[end - 1] == '/';)
		end--;
	return end ? text_make(template.p, end) : LIT(".");
}

/* A name that a sender has chosen, as part of a component. */
static bool value_is_safe(struct text t)
{
	if (text_empty(t) || t.p[0] == '.')
		return false;
	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c < 0x20 || c == 0x7f || c == '/')
			return false;
	}
	return true;
}

/* There is something before a tag, or it is none. */
static struct text without_tag(struct text local, struct text delimiter)
{
	size_t n = text_empty(delimiter) ? 0 : text_find(local, delimiter.p[0]);

	return n ? text_make(local.p, n) : local;
}

static bool put_value(struct buf *b, struct text t)
{
	char lower[NAME_MAX];

	if (!value_is_safe(t) || t.n > sizeof(lower))
		return false;
	text_lower(t, lower);
	buf_put(b, lower, t.n);
	return true;
}

/* Also where literal text and values stand together, as in "%u.%d". */
static bool components_are_safe(struct text path)
{
	while (!text_empty(path)) {
		struct text one;

		text_split(path, '/', &one, &path);
		if (one.n > NAME_MAX || text_eq(one, LIT("..")))
			return false;
	}
	return true;
}

bool maildir_path(struct text rest, const struct mailbox *m, struct text delimiter,
		  char dst[MAILDIR_PATH_MAX])
{
	struct buf b = buf_over(dst, MAILDIR_PATH_MAX);

	for (size_t i = 0; i < rest.n; i++) {
		char next = i + 1 < rest.n ? rest.p[i + 1] : '\0';

		if (rest.p[i] != '%') {
			buf_char(&b, rest.p[i]);
			continue;
		}
		i++;
		if (next == 'd' && !put_value(&b, m->domain))
			return false;
		if (next == 'u' && !put_value(&b, without_tag(m->local, delimiter)))
			return false;
		if (next == '%')
			buf_char(&b, '%');
	}
	if (b.n == 0)
		buf_char(&b, '.');
	return !b.cut && components_are_safe(buf_view(&b));
}
