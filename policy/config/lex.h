/* The words and signs of a configuration file; scan.c is the only user. */
#ifndef POLICY_CONFIG_LEX_H
#define POLICY_CONFIG_LEX_H

#include "policy/config/internal.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_EQUALS,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_BROKEN, /* a mistake that is already reported */
};

struct token {
	enum token_kind kind;
	size_t start, end; /* in the text, quotes included */
	struct text raw;   /* of a word: between the quotes */
	int line;
	bool plain; /* a word without escapes and variables: raw is its value */
};

struct lexer {
	struct loading *loading;
	char *text; /* comments are blanked in it */
	size_t n, at;
	int line;
	bool quiet;  /* inside of what is already reported */
	bool faulty; /* a mistake since the caller last cleared it */
};

struct token lexer_next(struct lexer *s);
/* Notes a mistake, unless it is quiet. */
void lexer_fault(struct lexer *s, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes text[from..to) spaces; lines stay. */
void lexer_blank(struct lexer *s, size_t from, size_t to);

#endif
