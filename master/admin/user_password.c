/* A password from whoever is at the keyboard, or from a pipe: never from the command line, which
 * every user of the machine can read. */
#include "master/admin/user.h"

#include <errno.h>
#include <termios.h>
#include <unistd.h>

/* A line without its end; one that is too long is no password. */
static bool read_line(FILE *in, char line[PASSWORD_MAX + 2], bool *too_long)
{
	size_t n = 0;
	int c;

	while ((c = getc(in)) != EOF && c != '\n') {
		if (n <= PASSWORD_MAX)
			line[n++] = (char)c;
	}
	if (n > 0 && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
	*too_long = n > PASSWORD_MAX;
	return n > 0 || c != EOF;
}

static bool ask(const char *prompt, const char *login, char line[PASSWORD_MAX + 2], bool *too_long)
{
	struct termios old, quiet;
	bool there;

	if (tcgetattr(STDIN_FILENO, &old) != 0)
		return false;
	quiet = old;
	quiet.c_lflag &= (tcflag_t)~ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	/* Not before: what is typed then would be shown, or thrown away. */
	fprintf(stderr, "%s for %s: ", prompt, login);
	fflush(stderr);
	there = read_line(stdin, line, too_long);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &old);
	fputc('\n', stderr);
	return there;
}

static bool read_twice(const char *login, char line[PASSWORD_MAX + 2], bool *too_long)
{
	char again[PASSWORD_MAX + 2];
	bool unused;
	const bool same = ask("Password", login, line, too_long) &&
			  ask("Again", login, again, &unused) && strcmp(line, again) == 0;

	explicit_bzero(again, sizeof(again));
	if (!same)
		tool_fail(EXIT_WRONG, "the two are not the same: nothing changed");
	return same;
}

bool user_read_password(const char *login, char out[PASSWORD_MAX + 1])
{
	char line[PASSWORD_MAX + 2] = "";
	bool too_long = false, good = true;

	if (isatty(STDIN_FILENO)) {
		if (!read_twice(login, line, &too_long))
			return false;
	} else if (!read_line(stdin, line, &too_long)) {
		tool_fail(EXIT_WRONG, "no password on stdin");
		return false;
	}
	if (too_long || !password_prepare(text_of(line), out)) {
		tool_fail(EXIT_WRONG, "a password has 1 to %d bytes", PASSWORD_MAX);
		good = false;
	}
	explicit_bzero(line, sizeof(line));
	return good;
}
