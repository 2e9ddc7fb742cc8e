/* What the check attachment asks about archives, and what it makes of the answers. */
#include "policy/attachment.h"
#include "policy/extensions.h"
#include "tests/unit/world_table.h"

#include <check.h>
#include <stdlib.h>

enum { PARTS_MAX = 8 };

static struct fixture f;
static struct extension_list extensions;
static struct mime_part parts[PARTS_MAX];
static struct mime_text names[PARTS_MAX];
static struct mime_facts found;
static struct archives_file files[PARTS_MAX];

static void refuse_extension(const char *name)
{
	struct extension e;

	ck_assert(extension_normalize(text_of(name), &e));
	extensions_add(&extensions, &e, &f.session_arena);
	extensions_sort(&extensions);
}

static struct mime_part *add_part(const char *name, enum mime_kind kind, int inside)
{
	struct mime_part *p = &parts[found.count];

	*p = (struct mime_part){.inside = inside,
				.offset = 100 * found.count,
				.length = 50,
				.encodings = 1 << MIME_BASE64,
				.kinds = kind ? UINT64_C(1) << kind : 0};
	if (name) {
		names[found.count] = (struct mime_text){.t = text_of(name)};
		p->names = &names[found.count];
	}
	found.count++;
	return p;
}

static struct archives_file *add_file(unsigned part, const char *path)
{
	struct archives_file *file = &files[f.world.archives.count++];

	*file = (struct archives_file){.part = part, .path = text_of(path)};
	return file;
}

static struct verdict judge(void)
{
	return check_attachment(&f.s, &f.config.base);
}

static struct attachment_settings *options(void)
{
	return &f.config.base.attachment;
}

static void start(void)
{
	fixture_init(&f);
	ck_said(fixture_send(&f, "198.51.100.7", "b@example.net"), "pass");
	extensions = (struct extension_list){0};
	found = (struct mime_facts){.parts = parts};
	refuse_extension("exe");
	f.config.base.extensions = &extensions;
	f.s.tx->parts = &found;
	f.world.archives.files = files;
	add_part(NULL, MIME_UNKNOWN, -1);
	add_part("box.dat", MIME_ZIP, -1);
}

static void stop(void)
{
	fixture_free(&f);
}

static void refused(enum reply_id reply, const char *facts)
{
	const struct verdict v = judge();

	ck_assert_int_eq(v.outcome, OUTCOME_REFUSE);
	ck_assert_int_eq(v.reply, reply);
	ck_assert(!v.noted);
	ck_assert_msg(text_eq(v.facts, text_of(facts)), "%.*s", TEXT(v.facts));
}

/* ---- What is asked about */

START_TEST(nothing_is_asked_without_an_archive)
{
	parts[1].kinds = UINT64_C(1) << MIME_PDF;
	ck_assert_int_eq(judge().outcome, OUTCOME_PASS);
	ck_assert_uint_eq(f.world.archives_asked, 0);
	/* By its name it may be one, in any reading. */
	names[1].t = LIT("box.ZIP. ");
	ck_assert_int_eq(judge().outcome, OUTCOME_PASS);
	ck_assert_uint_eq(f.world.archives_asked, 1);
	names[1].t = LIT("holiday.rar");
	judge();
	ck_assert_uint_eq(f.world.archives_asked, 2);
	options()->archives = MODE_OFF;
	judge();
	ck_assert_uint_eq(f.world.archives_asked, 2);
}
END_TEST

START_TEST(only_archives_and_what_they_stand_in)
{
	const struct archives_request *rq = &f.world.archives_request;

	add_part("picture.png", MIME_UNKNOWN, -1);
	add_part("winmail.dat", MIME_TNEF, -1);
	add_part("inner.7z", MIME_7Z, 3);
	judge();
	ck_assert_uint_eq(rq->count, 3);
	ck_assert(rq->parts[0].asked && rq->parts[0].offset == 100 && rq->parts[0].inside == -1);
	ck_assert(!rq->parts[1].asked && rq->parts[1].offset == 300);
	ck_assert(rq->parts[2].asked && rq->parts[2].inside == 1);
	ck_assert_uint_eq(rq->parts[2].encodings, 1 << MIME_BASE64);
	ck_assert_uint_eq(rq->bounds.depth, 8);
	ck_assert_uint_eq(rq->bounds.entries, 10000);
	ck_assert_uint_eq(rq->bounds.bytes, 500U << 20);
	ck_assert_uint_eq(rq->bounds.time_ms, 3000);
	/* The answer's parts are those of the question. */
	add_file(2, "evil.exe");
	refused(REPLY_ATTACHMENT,
		"a file with the extension exe in an archive: evil.exe in inner.7z");
}
END_TEST

/* ---- Files */

START_TEST(names_are_judged_like_those_outside)
{
	add_file(0, "a/b.txt");
	add_file(0, "inner.zip/Evil.EXE.");
	refused(REPLY_ATTACHMENT,
		"a file with the extension exe in an archive: inner.zip/Evil.EXE. in box.dat");
	table_exempt(&f.world, "attachment", LIST_EXTENSION, "exe");
	ck_assert_int_eq(judge().outcome, OUTCOME_PASS);
	table_ban(&f.world, LIST_EXTENSION, "txt");
	refused(REPLY_ATTACHMENT,
		"a file with the extension txt in an archive: a/b.txt in box.dat");
}
END_TEST

START_TEST(content_tells)
{
	struct archives_file *file = add_file(0, "note.txt");

	file->kinds = UINT64_C(1) << MIME_PE;
	refused(REPLY_ATTACHMENT_CONTENT,
		"a program by its content (pe) in an archive: note.txt in box.dat");
	/* In the sources of a program there are scripts. */
	file->kinds = UINT64_C(1) << MIME_SCRIPT;
	ck_assert_int_eq(judge().outcome, OUTCOME_PASS);
	file->kinds = UINT64_C(1) << MIME_ELF;
	options()->content = MODE_MONITOR;
	ck_assert(judge().noted);
	options()->content = MODE_OFF;
	ck_assert_int_eq(judge().outcome, OUTCOME_PASS);
}
END_TEST

START_TEST(a_compressed_file_is_named_after_itself)
{
	struct archives_file *file = add_file(0, "");

	file->packed = true;
	names[1].t = LIT("evil.exe.gz");
	parts[1].kinds = UINT64_C(1) << MIME_GZIP;
	refused(REPLY_ATTACHMENT, "a file with the extension exe in an archive:  in evil.exe.gz");
	names[1].t = LIT("good.txt.gz");
	ck_assert_int_eq(judge().outcome, OUTCOME_PASS);
}
END_TEST

START_TEST(monitoring_refuses_nothing)
{
	struct verdict v;

	options()->archives = MODE_MONITOR;
	add_file(0, "evil.exe");
	v = judge();
	ck_assert(v.outcome == OUTCOME_REFUSE && v.noted);
	f.world.archives.answered = false;
	v = judge();
	ck_assert(v.outcome == OUTCOME_UNDECIDED && v.deferral == DEFERRAL_NONE);
}
END_TEST

/* ---- What was not read */

START_TEST(silence_is_never_final)
{
	struct verdict v;

	f.world.archives = (struct archives_facts){.reason = LIT("two inspectors died of it")};
	v = judge();
	ck_assert_int_eq(v.outcome, OUTCOME_UNDECIDED);
	ck_assert_int_eq(v.deferral, DEFERRAL_LOCAL);
	ck_assert(text_eq(v.facts, LIT("archives not inspected: two inspectors died of it")));
	options()->unknown = NO_ANSWER_PASS;
	v = judge();
	ck_assert_int_eq(v.outcome, OUTCOME_UNDECIDED);
	ck_assert_int_eq(v.deferral, DEFERRAL_NONE);
}
END_TEST

START_TEST(limits_by_option)
{
	f.world.archives.limits = ARCHIVES_LIMIT_DEPTH;
	refused(REPLY_UNINSPECTED, "not inspected: archives are nested too deep");
	options()->limits = LIMITS_DEFER;
	ck_assert_int_eq(judge().deferral, DEFERRAL_LOCAL);
	options()->limits = LIMITS_PASS;
	ck_assert_int_eq(judge().outcome, OUTCOME_UNDECIDED);
	ck_assert_int_eq(judge().deferral, DEFERRAL_NONE);
	/* What was found until then counts more. */
	add_file(0, "evil.exe");
	ck_assert_int_eq(judge().reply, REPLY_ATTACHMENT);
}
END_TEST

START_TEST(encrypted_by_option)
{
	static const unsigned char states[] = {ARCHIVES_READ | ARCHIVES_ENCRYPTED};
	struct verdict v;

	f.world.archives.states = states[0];
	f.world.archives.part_states = states;
	v = judge();
	ck_assert(v.outcome == OUTCOME_REFUSE && v.noted);
	options()->encrypted_archives = MODE_ENFORCE;
	refused(REPLY_ATTACHMENT_ENCRYPTED, "not inspected: an archive is encrypted: box.dat");
	options()->encrypted_archives = MODE_OFF;
	ck_assert_int_eq(judge().outcome, OUTCOME_PASS);
	/* Its names tell all the same. */
	add_file(0, "evil.exe")->encrypted = true;
	ck_assert_int_eq(judge().reply, REPLY_ATTACHMENT);
}
END_TEST

START_TEST(damaged_by_option)
{
	static const unsigned char states[] = {ARCHIVES_UNREADABLE};

	f.world.archives.states = states[0];
	f.world.archives.part_states = states;
	ck_assert_int_eq(judge().outcome, OUTCOME_UNDECIDED);
	ck_assert_int_eq(judge().deferral, DEFERRAL_NONE);
	options()->unreadable_archives = LIMITS_DEFER;
	ck_assert_int_eq(judge().deferral, DEFERRAL_LOCAL);
	options()->unreadable_archives = LIMITS_REFUSE;
	refused(REPLY_ATTACHMENT_UNREADABLE,
		"not inspected: an archive is of a kind that can't be read: box.dat");
}
END_TEST

/* A worse one is not hidden by what is only noted. */
START_TEST(the_worst_is_said)
{
	f.world.archives.states = ARCHIVES_ENCRYPTED | ARCHIVES_DAMAGED;
	options()->unreadable_archives = LIMITS_DEFER;
	ck_assert_int_eq(judge().deferral, DEFERRAL_LOCAL);
	options()->unreadable_archives = LIMITS_REFUSE;
	ck_assert_int_eq(judge().reply, REPLY_ATTACHMENT_UNREADABLE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attachment_archives");
	TCase *tc = tcase_create("attachment_archives");
	SRunner *sr = srunner_create(suite);

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, nothing_is_asked_without_an_archive);
	tcase_add_test(tc, only_archives_and_what_they_stand_in);
	tcase_add_test(tc, names_are_judged_like_those_outside);
	tcase_add_test(tc, content_tells);
	tcase_add_test(tc, a_compressed_file_is_named_after_itself);
	tcase_add_test(tc, monitoring_refuses_nothing);
	tcase_add_test(tc, silence_is_never_final);
	tcase_add_test(tc, limits_by_option);
	tcase_add_test(tc, encrypted_by_option);
	tcase_add_test(tc, damaged_by_option);
	tcase_add_test(tc, the_worst_is_said);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
