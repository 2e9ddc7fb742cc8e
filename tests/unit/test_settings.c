/* The table of options: each row is sound, defaults lie in their ranges, every option has a line of
 * help. */
#include "policy/config.h"
#include "policy/config/settings_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct group_row *group(const char *name)
{
	for (size_t i = 0; i < settings_group_count; i++) {
		if (strcmp(settings_groups[i].name, name) == 0)
			return &settings_groups[i];
	}
	ck_abort_msg("no group %s", name);
	return NULL;
}

START_TEST(every_row_is_sound)
{
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];

		ck_assert_msg(g->help[0] != '\0', "%s has no help", g->name);
		for (size_t k = 0; k < g->count; k++) {
			const struct setting_row *r = &g->rows[k];
			char name[SETTING_NAME_MAX];
			uint64_t min = 0, max = 0;

			ck_assert_msg(r->help[0] != '\0', "%s has no help", r->name);
			ck_assert_uint_lt(strlen(r->name), SETTING_NAME_MAX);
			ck_assert_ptr_eq(settings_find(g, text_of(settings_name(r->name, name))),
					 r);
			ck_assert_uint_ge(r->offset, sizeof(int) + sizeof(int *));
			ck_assert_uint_lt(r->offset, g->size);
			if (r->type == TYPE_CHOICE)
				ck_assert_uint_ge(setting_word_count(r), 2);
			if (r->type != TYPE_INT && r->type != TYPE_SIZE && r->type != TYPE_DURATION)
				continue;
			setting_bounds(r, &min, &max);
			ck_assert_uint_lt(min, max);
		}
	}
}
END_TEST

START_TEST(no_section_has_the_name_of_an_option)
{
	for (size_t i = 1; i < settings_group_count; i++) {
		char name[SETTING_NAME_MAX];

		settings_name(settings_groups[i].name, name);
		if (settings_groups[i].kind != KIND_CHECK)
			ck_assert_ptr_null(settings_find(&settings_groups[0], text_of(name)));
	}
	ck_assert_str_eq(settings_groups[0].name, "global");
}
END_TEST

START_TEST(checks_have_their_mode_and_facts)
{
	const struct group_row *relay = group("relay"), *talker = group("early_talker");

	ck_assert_str_eq(relay->rows[0].name, "mode");
	ck_assert_str_eq(relay->rows[0].def, "enforce");
	ck_assert_str_eq(talker->rows[0].def, "monitor");
	ck_assert_str_eq(relay->phase, "RCPT");
	ck_assert_str_eq(relay->who, "PROTOCOL");
	ck_assert_uint_eq(relay->offset, offsetof(struct settings, relay));
	ck_assert_ptr_eq(settings_find_check(LIT("early-talker")), talker);
	ck_assert_ptr_null(settings_find_check(LIT("early_talker")));
	ck_assert_ptr_null(settings_find_check(LIT("log")));
	ck_assert_ptr_null(settings_find_section(LIT("relay")));
	ck_assert_ptr_null(settings_find_section(LIT("global")));
	ck_assert_ptr_eq(settings_find_section(LIT("listener")), group("listener"));
}
END_TEST

START_TEST(words_of_a_choice_have_dashes)
{
	const struct setting_row *r = settings_find(group("route"), LIT("balance"));
	char word[SETTING_NAME_MAX];

	ck_assert_uint_eq(setting_word_count(r), 2);
	ck_assert_str_eq(setting_word(r, 0, word), "failover");
	ck_assert_str_eq(setting_word(r, 1, word), "round-robin");
	ck_assert_str_eq(setting_word(r, 2, word), "");
}
END_TEST

/* A file that sets every option to its default loads without a mistake: so does each default. */
START_TEST(every_default_is_a_legal_value)
{
	char path[] = "/tmp/gatepost-settings-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct config *c;

	fputs("listener \"mx\" { address = \"127.0.0.1:2525\" }\n", f);
	for (size_t i = 0; i < settings_group_count; i++) {
		const struct group_row *g = &settings_groups[i];
		char name[SETTING_NAME_MAX];

		if (g->kind == KIND_MANY)
			continue;
		if (g->kind == KIND_CHECK)
			fprintf(f, "check \"%s\" {\n", settings_name(g->name, name));
		else if (i > 0)
			fprintf(f, "%s {\n", settings_name(g->name, name));
		for (size_t k = 0; k < g->count; k++) {
			bool list = setting_is_list(g->rows[k].type);
			bool empty = g->rows[k].def[0] == '\0';

			/* of the table's lists, only that of networks has a default of several */
			if (list && !empty)
				continue;
			fprintf(f, "%s = %s%s%s\n", settings_name(g->rows[k].name, name),
				list ? "{ " : "\"", g->rows[k].def, list ? " }" : "\"");
		}
		if (i > 0)
			fputs("}\n", f);
	}
	fclose(f);
	c = config_load(path, NULL, stderr, NULL);
	unlink(path);
	ck_assert_ptr_nonnull(c);
	config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("settings");
	TCase *t = tcase_create("settings");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, every_row_is_sound);
	tcase_add_test(t, no_section_has_the_name_of_an_option);
	tcase_add_test(t, checks_have_their_mode_and_facts);
	tcase_add_test(t, words_of_a_choice_have_dashes);
	tcase_add_test(t, every_default_is_a_legal_value);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
