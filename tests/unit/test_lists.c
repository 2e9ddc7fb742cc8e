/* What an entry may name: the forms in which it is held, and what is refused. */
#include "shm/lists.h"

#include <check.h>
#include <stdlib.h>

static char message[256];

static const char *form(enum list_key kind, const char *t)
{
	static char out[LIST_KEY_MAX + 1];
	struct buf err = buf_over(message, sizeof(message));

	return list_key_normalize(kind, text_of(t), out, &err) ? out : NULL;
}

START_TEST(forms)
{
	static const struct {
		enum list_key kind;
		const char *in, *out;
	} cases[] = {
	    {LIST_CLIENT, "192.0.2.1", "192.0.2.1/32"},
	    {LIST_CLIENT, " 192.0.2.77/24 ", "192.0.2.0/24"},
	    {LIST_CLIENT, "0.0.0.0/0", "0.0.0.0/0"},
	    {LIST_CLIENT, "2001:DB8::1/32", "2001:db8::/32"},
	    {LIST_CLIENT, "2001:db8::1", "2001:db8::1/128"},
	    {LIST_CLIENT, "::ffff:192.0.2.1/120", "192.0.2.0/24"},
	    {LIST_CLIENT, "::/0", "::/0"},
	    {LIST_HOST, "Mail.Example.ORG", ".mail.example.org"},
	    {LIST_HOST, ".mail.example.org.", ".mail.example.org"},
	    {LIST_DOMAIN, "Example.ORG.", "example.org"},
	    {LIST_DOMAIN, ".example.org", "example.org"},
	    {LIST_DOMAIN, "@example.org", "example.org"},
	    {LIST_DOMAIN,
	     "b\xc3\xbc"
	     "cher.example",
	     "xn--bcher-kva.example"},
	    {LIST_DOMAIN, "_dmarc.example", "_dmarc.example"},
	    {LIST_DOMAIN, "org", "org"},
	    {LIST_ADDRESS, "O'Brien@Example.org", "o'brien@example.org"},
	    {LIST_ADDRESS, "\"a b\"@example.org", "\"a b\"@example.org"},
	    {LIST_ADDRESS, "\"a@b\"@example.org", "\"a@b\"@example.org"},
	    {LIST_LOGIN, "User17@Example.NET", "user17@example.net"},
	    {LIST_RECIPIENT, "Someone@example.net", "someone@example.net"},
	    {LIST_RECIPIENT, "@Example.net", "@example.net"},
	    {LIST_EXTENSION, "*.EXE", "exe"},
	    {LIST_EXTENSION, ".Js", "js"},
	    {LIST_EXTENSION, "{clsid}", "{clsid}"},
	    {LIST_EXTENSION,
	     "Zip@B\xc3\xbc"
	     "cher.Example",
	     "zip@xn--bcher-kva.example"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *out = form(cases[i].kind, cases[i].in);

		ck_assert_msg(out && strcmp(out, cases[i].out) == 0, "%s: %s", cases[i].in,
			      out ? out : message);
		/* the form of a form is itself */
		char copy[LIST_KEY_MAX + 1];

		strcpy(copy, out);
		ck_assert_str_eq(form(cases[i].kind, copy), copy);
	}
}
END_TEST

START_TEST(refusals)
{
	static const struct {
		enum list_key kind;
		const char *in;
	} cases[] = {
	    {LIST_CLIENT, ""},
	    {LIST_CLIENT, "192.0.2"},
	    {LIST_CLIENT, "192.0.2.0/33"},
	    {LIST_CLIENT, "::/129"},
	    {LIST_CLIENT, "1.2.3.4/"},
	    {LIST_CLIENT, "1.2.3.4/-1"},
	    {LIST_CLIENT, "example"},
	    {LIST_HOST, ""},
	    {LIST_HOST, "."},
	    {LIST_HOST, "a..b"},
	    {LIST_DOMAIN, "a b"},
	    {LIST_DOMAIN, "a@b"},
	    {LIST_DOMAIN, "a..org"},
	    {LIST_DOMAIN, ".."},
	    {LIST_ADDRESS, "nobody"},
	    {LIST_ADDRESS, "@example"},
	    {LIST_ADDRESS, "a b@c"},
	    {LIST_ADDRESS, "a@"},
	    {LIST_LOGIN, ""},
	    {LIST_LOGIN, "a b"},
	    {LIST_RECIPIENT, "@"},
	    {LIST_RECIPIENT, "nobody"},
	    {LIST_ADDRESS, "\"\x01\"@c"},
	    {LIST_EXTENSION, ""},
	    {LIST_EXTENSION, "tar.gz"},
	    {LIST_EXTENSION, "a b"},
	    {LIST_EXTENSION, "exe@"},
	    {LIST_EXTENSION, "\xc3\xbc"},
	};
	char big[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(!form(cases[i].kind, cases[i].in), "%s", cases[i].in);
		ck_assert_msg(message[0] == '"', "%s", cases[i].in);
	}
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	for (int kind = 0; kind < LIST_KEYS; kind++)
		ck_assert_ptr_null(form((enum list_key)kind, big));
	memcpy(big + sizeof(big) - 10, "@ab.c", 6);
	ck_assert_ptr_null(form(LIST_ADDRESS, big));
}
END_TEST

START_TEST(names)
{
	for (int kind = 0; kind < LIST_KEYS; kind++) {
		enum list_key back;

		ck_assert(list_key_find(text_of(list_key_name((enum list_key)kind)), &back));
		ck_assert_int_eq(back, kind);
	}
	enum list_key none;

	ck_assert(!list_key_find(LIT("clients"), &none));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lists");
	TCase *tc = tcase_create("lists");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, forms);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
