/* Tricks to get a file past the check, one message each, and honest mail: tests/mime.
 *
 * The first line of each says what the check attachment, with the list of etc/extensions, makes of
 * it: "X-Expect: extension exe", "X-Expect: program pe", "X-Expect: pass". */
#include "policy/attachment.h"
#include "policy/extensions.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 1 << 20, FACTS_MAX = 1 << 18 };

static struct fixture f;
static struct extension_list extensions;
static char file[MESSAGE_MAX], message[2 * MESSAGE_MAX];
static size_t message_n;
static const struct mime_bounds bounds = {50, 1000, 2000, 4096};

static size_t read_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	size_t n;

	ck_assert_msg(in != NULL, "%s", path);
	n = fread(file, 1, sizeof(file), in);
	ck_assert_msg(n > 0 && n < sizeof(file), "%s", path);
	fclose(in);
	return n;
}

/* In the form that the worker gives it: lines end in CR LF. */
static void read_message(const char *path)
{
	const size_t n = read_file(path);

	message_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (file[i] == '\n' && (i == 0 || file[i - 1] != '\r'))
			message[message_n++] = '\r';
		message[message_n++] = file[i];
	}
}

static void read_extensions(void)
{
	size_t n = read_file("etc/extensions");
	bool comment = false;
	char *word = NULL;

	for (size_t i = 0; i <= n; i++) {
		const char c = i < n ? file[i] : '\n';

		if (c == '#')
			comment = true;
		if (!comment && c > ' ' && !word)
			word = file + i;
		if ((c <= ' ' || comment) && word) {
			struct extension e;

			ck_assert(
			    extension_normalize(text_make(word, (size_t)(file + i - word)), &e));
			extensions_add(&extensions, &e, &f.session_arena);
			word = NULL;
		}
		if (c == '\n')
			comment = false;
	}
	extensions_sort(&extensions);
}

static void start(void)
{
	fixture_init(&f);
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	extensions = (struct extension_list){0};
	read_extensions();
	f.config.base.extensions = &extensions;
}

static void stop(void)
{
	fixture_free(&f);
}

/* Everything that was found, as a text. */
static void describe(const struct mime_facts *facts, struct buf *b)
{
	buf_printf(b, "limits %x opaque %x\n", facts->limits, facts->opaque);
	for (size_t i = 0; i < facts->count; i++) {
		const struct mime_part *p = &facts->parts[i];

		buf_printf(b, "%d %u %lu+%lu enc %x kinds %lx", p->inside, p->depth, p->offset,
			   p->length, p->encodings, p->kinds);
		for (const struct mime_text *t = p->types; t; t = t->next)
			buf_printf(b, " type %.*s", TEXT(t->t));
		for (const struct mime_text *t = p->names; t; t = t->next) {
			buf_printf(b, " name ");
			buf_escaped(b, t->t);
		}
		buf_char(b, '\n');
	}
}

/* Fed in pieces: the first of `first` bytes, the others of `piece`. */
static const struct mime_facts *parse(struct arena *a, size_t first, size_t piece)
{
	struct mime *m = mime_begin(a, &bounds);

	for (size_t at = 0; at < message_n;) {
		size_t n = at == 0 ? first : piece;
		char *copy;

		if (n > message_n - at)
			n = message_n - at;
		/* a block of its own: a read past its end is seen */
		copy = malloc(n ? n : 1);
		ck_assert(copy != NULL);
		memcpy(copy, message + at, n);
		mime_feed(m, copy, n);
		free(copy);
		at += n;
	}
	return mime_end(m);
}

static void check_split(const char *path, const char *whole, size_t first, size_t piece)
{
	static char text[FACTS_MAX];
	struct buf b = buf_over(text, sizeof(text));
	struct arena a;

	arena_init(&a, NULL, NULL);
	describe(parse(&a, first, piece), &b);
	ck_assert_msg(strcmp(text, whole) == 0, "%s, %zu and then %zu bytes:\n%s\nwhole:\n%s", path,
		      first, piece, text, whole);
	arena_reset(&a);
}

/* However the bytes are cut, the same is found. */
static void check_splits(const char *path)
{
	static char whole[FACTS_MAX];
	static const size_t pieces[] = {1, 2, 3, 7, 64, 509};
	struct buf b = buf_over(whole, sizeof(whole));
	struct arena a;

	arena_init(&a, NULL, NULL);
	describe(parse(&a, message_n, message_n), &b);
	ck_assert(!b.cut);
	arena_reset(&a);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		check_split(path, whole, pieces[i], pieces[i]);
	for (size_t i = message_n % 5 + 1; i < message_n && i < 3000; i += 5)
		check_split(path, whole, i, message_n);
}

static const char *verdict_said(const struct verdict *v)
{
	static char said[200];
	char *end;

	if (v->outcome == OUTCOME_PASS)
		return "pass";
	if (v->reply == REPLY_UNINSPECTED)
		return "not inspected";
	text_cstr(v->facts, said, sizeof(said));
	end = strchr(said, ':');
	ck_assert(end != NULL);
	*end = '\0';
	return said;
}

static void expect(const char *path, const char *wanted, const struct verdict *v)
{
	static const char extension[] = "a file with the extension ";
	static const char program[] = "a program by its content (";
	const char *got = verdict_said(v);
	char shown[300];

	if (strncmp(got, extension, sizeof(extension) - 1) == 0)
		snprintf(shown, sizeof(shown), "extension %s", got + sizeof(extension) - 1);
	else if (strncmp(got, program, sizeof(program) - 1) == 0)
		snprintf(shown, sizeof(shown), "program %.*s",
			 (int)strcspn(got + sizeof(program) - 1, ")"), got + sizeof(program) - 1);
	else
		snprintf(shown, sizeof(shown), "%s", got);
	ck_assert_msg(strcmp(shown, wanted) == 0, "%s: %s in place of %s", path, shown, wanted);
}

static void check_message(const char *path)
{
	char wanted[100];
	struct verdict v;

	read_message(path);
	ck_assert_msg(sscanf(message, "X-Expect: %99[^\r]", wanted) == 1, "%s", path);
	f.s.tx->parts = parse(&f.tx.arena, message_n, message_n);
	v = check_attachment(&f.s, &f.config.base);
	expect(path, wanted, &v);
	check_splits(path);
}

static int is_message(const struct dirent *d)
{
	return strstr(d->d_name, ".eml") != NULL;
}

static void check_folder(const char *folder, int at_least)
{
	struct dirent **names;
	const int n = scandir(folder, &names, is_message, alphasort);

	ck_assert_int_ge(n, at_least);
	for (int i = 0; i < n; i++) {
		char path[600];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		free(names[i]);
		check_message(path);
	}
	free(names);
}

START_TEST(evasive)
{
	check_folder("tests/mime/evasive", 150);
}
END_TEST

START_TEST(benign)
{
	check_folder("tests/mime/benign", 25);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mime_corpus");
	TCase *tc = tcase_create("corpus");
	SRunner *sr = srunner_create(suite);

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, evasive);
	tcase_add_test(tc, benign);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
