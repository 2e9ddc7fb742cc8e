/* The words and signs of a configuration file, by libconfuse's rules but stricter: a string ends on
 * its line, an unset variable and an unknown backslash are mistakes. */
#include "policy/config/lex.h"

void lexer_fault(struct lexer *s, int line, const char *fmt, ...)
{
	struct text message;
	va_list ap;

	s->faulty = true;
	if (s->quiet)
		return;
	va_start(ap, fmt);
	message = arena_vprintf(s->loading->arena, fmt, ap);
	va_end(ap);
	config_mistake(s->loading, line, "%.*s", TEXT(message));
}

void lexer_blank(struct lexer *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (s->text[i] != '\n')
			s->text[i] = ' ';
	}
}

static char peek(const struct lexer *s, size_t ahead)
{
	return s->at + ahead < s->n ? s->text[s->at + ahead] : '\0';
}

/* False: a comment that isn't closed. */
static bool skip_comment(struct lexer *s)
{
	size_t start = s->at;
	int line = s->line;

	if (peek(s, 0) == '#' || peek(s, 1) == '/') {
		while (s->at < s->n && s->text[s->at] != '\n')
			s->at++;
		lexer_blank(s, start, s->at);
		return true;
	}
	for (s->at += 2; s->at < s->n; s->at++) {
		if (s->text[s->at] == '\n')
			s->line++;
		if (s->text[s->at] == '*' && peek(s, 1) == '/') {
			s->at += 2;
			lexer_blank(s, start, s->at);
			return true;
		}
	}
	lexer_fault(s, line, "the comment is not closed");
	return false;
}

static bool skip_space(struct lexer *s)
{
	while (s->at < s->n) {
		char c = s->text[s->at];

		if (c == '#' || (c == '/' && (peek(s, 1) == '/' || peek(s, 1) == '*'))) {
			if (!skip_comment(s))
				return false;
			continue;
		}
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return true;
		if (c == '\n')
			s->line++;
		s->at++;
	}
	return true;
}

static bool is_variable_name(struct text name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9')))
			return false;
	}
	return name.n > 0;
}

/* "${NAME}" or "${NAME:-default}" at s->at. */
static bool scan_variable(struct lexer *s)
{
	struct text rest = text_make(s->text + s->at + 2, s->n - s->at - 2);
	size_t length = text_find(rest, '}');
	struct text name = text_make(rest.p, length);
	size_t colon = text_find(name, ':');
	bool has_default = colon + 1 < name.n && name.p[colon + 1] == '-';

	if (length == rest.n || text_find(name, '\n') < name.n) {
		lexer_fault(s, s->line, "\"${\" is not closed");
		return false;
	}
	s->at += 2 + length + 1;
	if (has_default)
		name.n = colon;
	if (!is_variable_name(name)) {
		lexer_fault(s, s->line, "\"${%.*s}\" names no variable", TEXT(name));
		return true;
	}
	if (!s->quiet && source_variable(&s->loading->source, name)->error && !has_default)
		lexer_fault(s, s->line,
			    "the environment variable %.*s is not set; "
			    "write \"${%.*s:-}\" if it may be empty",
			    TEXT(name), TEXT(name));
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* A backslash in double quotes, at s->at. */
static void scan_escape(struct lexer *s)
{
	char c = peek(s, 1);

	if (c == '\n')
		s->line++;
	if (c == 'x' && hex_digit(peek(s, 2)) >= 0) {
		bool two = hex_digit(peek(s, 3)) >= 0;

		if (hex_digit(peek(s, 2)) == 0 && (!two || hex_digit(peek(s, 3)) == 0))
			lexer_fault(s, s->line, "a value can't have a NUL byte");
		s->at += two ? 4 : 3;
		return;
	}
	if (!c || !strchr("\\\"'$nrtbfave\n", c))
		lexer_fault(
		    s, s->line,
		    "\"\\%c\" means nothing in double quotes; write \"\\\\%c\", or use single "
		    "quotes",
		    c, c);
	s->at += 2;
}

static struct token broken(struct lexer *s, size_t start, int line)
{
	return (struct token){.kind = TOKEN_BROKEN, .start = start, .end = s->at, .line = line};
}

static struct token scan_quoted(struct lexer *s)
{
	size_t start = s->at++;
	struct token t = {.kind = TOKEN_WORD, .start = start, .line = s->line, .plain = true};
	char quote = s->text[start];

	while (s->at < s->n && s->text[s->at] != quote && s->text[s->at] != '\n') {
		char c = s->text[s->at];

		if (c == '\\' && quote == '"') {
			t.plain = false;
			scan_escape(s);
		} else if (c == '\\' &&
			   (peek(s, 1) == '\'' || peek(s, 1) == '\\' || peek(s, 1) == '\n')) {
			t.plain = false;
			s->line += peek(s, 1) == '\n';
			s->at += 2;
		} else if (c == '$' && peek(s, 1) == '{' && quote == '"') {
			t.plain = false;
			if (!scan_variable(s))
				return broken(s, start, t.line);
		} else {
			s->at++;
		}
	}
	if (s->at >= s->n || s->text[s->at] != quote) {
		lexer_fault(s, t.line, "the quotes are not closed on this line");
		return broken(s, start, t.line);
	}
	t.raw = text_make(s->text + start + 1, s->at - start - 1);
	t.end = ++s->at;
	return t;
}

static struct token scan_bare(struct lexer *s)
{
	size_t start = s->at;
	struct token t = {.kind = TOKEN_WORD, .start = start, .line = s->line, .plain = true};

	if (peek(s, 0) == '$' && peek(s, 1) == '{') {
		t.plain = false;
		if (!scan_variable(s))
			return broken(s, start, t.line);
	} else {
		while (s->at < s->n && !strchr(" #\"'\t\n\r={}()+,*", s->text[s->at]))
			s->at++;
	}
	if (s->at == start || (s->at < s->n && strchr("*(+$", s->text[s->at])) ||
	    (s->text[s->at - 1] == '$' && peek(s, 0) == '{')) {
		lexer_fault(s, t.line, "unexpected character '%c'; values stand in quotes",
			    peek(s, 0));
		return broken(s, start, t.line);
	}
	t.raw = text_make(s->text + start, s->at - start);
	t.end = s->at;
	return t;
}

struct token lexer_next(struct lexer *s)
{
	static const struct {
		char c;
		enum token_kind kind;
	} signs[] = {
	    {'=', TOKEN_EQUALS}, {'{', TOKEN_OPEN}, {'}', TOKEN_CLOSE}, {',', TOKEN_COMMA}};

	if (!skip_space(s))
		return broken(s, s->at, s->line);
	if (s->at >= s->n)
		return (struct token){
		    .kind = TOKEN_END, .start = s->n, .end = s->n, .line = s->line};
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (s->text[s->at] == signs[i].c) {
			s->at++;
			return (struct token){.kind = signs[i].kind,
					      .start = s->at - 1,
					      .end = s->at,
					      .line = s->line};
		}
	}
	if (s->text[s->at] == '"' || s->text[s->at] == '\'')
		return scan_quoted(s);
	return scan_bare(s);
}
