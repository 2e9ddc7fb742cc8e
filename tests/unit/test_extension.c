/* Extensions of files' names, as whoever opens them sees them. */
#include "policy/extensions.h"
#include "policy/message/extension.h"

#include <check.h>
#include <stdlib.h>

/* Names, and their extensions with a blank between. */
static const struct {
	struct text name;
	const char *extensions;
} names[] = {
    {LIT("evil.exe"), "exe"},
    {LIT("EVIL.EXE"), "exe"},
    {LIT("invoice.pdf.exe"), "exe"},
    {LIT("invoice.exe.pdf"), "pdf"},
    {LIT("evil.exe..."), "exe"},
    {LIT("evil.exe . . "), "exe"},
    {LIT("evil. exe"), "exe"},
    {LIT("\"evil.exe\""), "exe"},
    {LIT("evil.exe/"), "exe"},
    {LIT("C:\\x\\evil.exe"), "exe"},
    {LIT("evil.exe:x.txt"), "exe txt"},
    {LIT("a.txt:evil.exe"), "txt exe"},
    {LIT("evil.exe::$DATA"), "exe exe::$data"},
    {LIT("evil.exe\0.txt"), "exe txt"},
    {LIT("evil.exe\r\n.txt"), "exe txt"},
    {LIT("evil.e\x01xe"), "e exe"},
    {LIT("evil.e\xe2\x80\x8bxe"), "exe"},
    {LIT("fdp\xe2\x80\xae"
	 "evil.exe"),
     "exe"},
    {LIT("evil\xef\xbc\x8e\xef\xbd\x85\xef\xbd\x98\xef\xbd\x85"), "exe"},
    {LIT("evil.exe\xc2\xa0"), "exe"},
    {LIT("a.{3050f4d8-98B5-11CF-BB82-00AA00BDCE0B}"), "{clsid}"},
    {LIT("a.\xc3\xbc"), "?"},
    {LIT("exe"), ""},
    {LIT(""), ""},
    {LIT("..."), ""},
    {LIT("dir.d/file"), ""},
    {LIT(".exe"), "exe"},
    {LIT("a.abcdefghijklmnopqrstuvwxyzabcdefg"), ""},
    {LIT("\xff\xfe.exe"), "exe"},
};

START_TEST(readings)
{
	struct extension e[EXTENSION_READINGS];
	const size_t n = extensions_of(names[_i].name, e);
	char got[200] = "";
	struct buf b = buf_over(got, sizeof(got));

	ck_assert_uint_le(n, EXTENSION_READINGS);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", e[i].s);
	ck_assert_str_eq(got, names[_i].extensions);
}
END_TEST

/* What counts stands at the end, however much is before it. */
START_TEST(long_names)
{
	struct extension e[EXTENSION_READINGS];
	char name[5000];

	for (size_t n = 1; n + 4 < sizeof(name); n += 97) {
		memset(name, 'a', n);
		memcpy(name + n, ".exe", 4);
		ck_assert_uint_eq(extensions_of(text_make(name, n + 4), e), 1);
		ck_assert_str_eq(e[0].s, "exe");
	}
}
END_TEST

START_TEST(normal_form)
{
	struct extension e;

	ck_assert(extension_normalize(LIT("*.EXE"), &e));
	ck_assert_str_eq(e.s, "exe");
	ck_assert(extension_normalize(LIT(" .Js "), &e));
	ck_assert_str_eq(e.s, "js");
	ck_assert(extension_normalize(LIT("{clsid}"), &e));
	ck_assert(!extension_normalize(LIT(""), &e));
	ck_assert(!extension_normalize(LIT("."), &e));
	ck_assert(!extension_normalize(LIT("tar.gz"), &e));
	ck_assert(!extension_normalize(LIT("a b"), &e));
	ck_assert(!extension_normalize(LIT("exe@example.net"), &e));
	ck_assert(!extension_normalize(LIT("\xc3\xbc"), &e));
	ck_assert(!extension_normalize(LIT("abcdefghijklmnopqrstuvwxyzabcdefg"), &e));
}
END_TEST

START_TEST(lists)
{
	static const char *const words[] = {"vbs", "exe", "bat", "exe", "js"};
	struct extension_list list = {0};
	struct arena a;

	arena_init(&a, NULL, NULL);
	ck_assert(!extensions_have(&list, "exe"));
	ck_assert(!extensions_have(NULL, "exe"));
	for (size_t i = 0; i < 200; i++) {
		struct extension e;

		ck_assert(extension_normalize(text_of(words[i % 5]), &e));
		extensions_add(&list, &e, &a);
	}
	extensions_sort(&list);
	ck_assert_uint_eq(list.n, 4);
	for (size_t i = 0; i < 5; i++)
		ck_assert(extensions_have(&list, words[i]));
	ck_assert(!extensions_have(&list, "ex"));
	ck_assert(!extensions_have(&list, ""));
	arena_reset(&a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("extension");
	TCase *tc = tcase_create("names");
	SRunner *sr = srunner_create(suite);

	tcase_add_loop_test(tc, readings, 0, (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_test(tc, long_names);
	tcase_add_test(tc, normal_form);
	tcase_add_test(tc, lists);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
