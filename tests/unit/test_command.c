/* The command table: lines divided into verb and arguments, the order of commands, other protocols.
 */
#include "worker/smtp/command.h"

#include <check.h>
#include <stdlib.h>

static const struct command *find(const char *line, struct text *args)
{
	/* From memory of exactly that size: a sanitizer sees any read past it. */
	const size_t n = strlen(line);
	char *copy = malloc(n + 1);

	memcpy(copy, line, n);
	const struct command *c = command_find(text_make(copy, n), args);
	/* Shown to the caller as offsets into its own line. */
	if (args->n)
		args->p = line + (args->p - copy);
	free(copy);
	return c;
}

static void is(const char *line, void (*run)(struct smtp_session *, struct text), const char *want)
{
	struct text args = {0};
	const struct command *c = find(line, &args);

	ck_assert_msg(c && c->run == run, "%s", line);
	ck_assert_msg(text_eq(args, text_of(want)), "%s: %.*s", line, TEXT(args));
}

START_TEST(verbs)
{
	is("QUIT", cmd_quit, "");
	is("quit", cmd_quit, "");
	is("QuIt \t ", cmd_quit, "");
	is("NOOP a  b", cmd_noop, "a  b");
	is("NOOP    a ", cmd_noop, "a");
	is("MAIL FROM:<a@b> SIZE=1", cmd_mail, "FROM:<a@b> SIZE=1");
	is("rcpt to:<a@b>", cmd_rcpt, "to:<a@b>");
	is("HELO x", cmd_helo, "x");
	is("EHLO x", cmd_ehlo, "x");
	is("DATA", cmd_data, "");
	is("BDAT 5 LAST", cmd_bdat, "5 LAST");
	is("RSET", cmd_rset, "");
	is("VRFY bob", cmd_vrfy, "bob");
	is("auth PLAIN =", cmd_auth, "PLAIN =");
	is("HELP", cmd_help, "");
	is("EXPN list", NULL, "list");
}
END_TEST

START_TEST(no_commands)
{
	static const char *const rows[] = {"",       " ",        " QUIT",
					   "QUITX",  "QUI",      "MAILFROM:<a@b>",
					   "\tQUIT", "QUIT\x01", "XCLIENT A=b"};
	struct text args;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(!find(rows[i], &args), "%s", rows[i]);
}
END_TEST

/* Rows: the command; columns: NEW READY MAIL RCPT BDAT REFUSED. */
START_TEST(states)
{
	static const struct {
		const char *verb;
		const char *allowed;
	} rows[] = {
	    {"EHLO", "+++++-"},     {"HELO", "+++++-"}, {"MAIL", "++----"}, {"RCPT", "--++--"},
	    {"DATA", "--++--"},     {"BDAT", "+++++-"}, {"RSET", "+++++-"}, {"NOOP", "+++++-"},
	    {"VRFY", "-++++-"},     {"HELP", "+++++-"}, {"QUIT", "++++++"}, {"EXPN", "-++++-"},
	    {"STARTTLS", "++----"},
	};
	struct text args;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct command *c = find(rows[i].verb, &args);

		for (int s = SMTP_NEW; s <= SMTP_REFUSED; s++)
			ck_assert_msg(command_is_allowed(c, (enum smtp_state)s) ==
					  (rows[i].allowed[s] == '+'),
				      "%s in state %d", rows[i].verb, s);
	}
}
END_TEST

START_TEST(other_protocols)
{
	static const char *const foreign[] = {"GET / HTTP/1.1",
					      "POST /x",
					      "get /",
					      "HEAD / HTTP/1.0",
					      "PUT /",
					      "DELETE /",
					      "OPTIONS * HTTP/1.1",
					      "CONNECT a:25 HTTP/1.1",
					      "PRI * HTTP/2.0",
					      "\x16\x03\x01"};
	static const char *const ours[] = {"EHLO x", "HELP",       "",     "G",
					   "GETX",   "POSTMASTER", "\x16", "PRI "};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		ck_assert_msg(command_is_foreign(text_of(foreign[i])), "%s", foreign[i]);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		ck_assert_msg(!command_is_foreign(text_of(ours[i])), "%s", ours[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("command");
	TCase *tc = tcase_create("command");
	SRunner *sr = srunner_create(s);

	tcase_add_test(tc, verbs);
	tcase_add_test(tc, no_commands);
	tcase_add_test(tc, states);
	tcase_add_test(tc, other_protocols);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
