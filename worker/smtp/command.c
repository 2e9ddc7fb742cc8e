/* The command table: RFC 5321 4.1, with the order of commands of 4.1.4. */
#include "worker/smtp/command.h"

#include "worker/smtp/log_in.h"
#include "worker/smtp/reply.h"
#include "worker/smtp/secure.h"

#define IN(state) (1U << (state))
enum {
	ANY_BUT_REFUSED =
	    IN(SMTP_NEW) | IN(SMTP_READY) | IN(SMTP_MAIL) | IN(SMTP_RCPT) | IN(SMTP_BDAT),
	GREETED = IN(SMTP_READY) | IN(SMTP_MAIL) | IN(SMTP_RCPT) | IN(SMTP_BDAT),
	ALL = ANY_BUT_REFUSED | IN(SMTP_REFUSED),
};

static const struct command commands[] = {
    /* MAIL before HELO is answered by the engine, which has a reply for it. */
    {{"MAIL", 4}, cmd_mail, IN(SMTP_NEW) | IN(SMTP_READY), REPLY_BAD_SEQUENCE},
    {{"RCPT", 4}, cmd_rcpt, IN(SMTP_MAIL) | IN(SMTP_RCPT), REPLY_BAD_SEQUENCE},
    {{"DATA", 4}, cmd_data, IN(SMTP_MAIL) | IN(SMTP_RCPT), REPLY_BAD_SEQUENCE},
    /* BDAT judges its state itself: a chunk has to be read even where it is refused. */
    {{"BDAT", 4}, cmd_bdat, ANY_BUT_REFUSED, REPLY_BAD_SEQUENCE},
    {{"EHLO", 4}, cmd_ehlo, ANY_BUT_REFUSED, REPLY_BAD_SEQUENCE},
    {{"HELO", 4}, cmd_helo, ANY_BUT_REFUSED, REPLY_BAD_SEQUENCE},
    {{"RSET", 4}, cmd_rset, ANY_BUT_REFUSED, REPLY_BAD_SEQUENCE},
    {{"NOOP", 4}, cmd_noop, ANY_BUT_REFUSED, REPLY_BAD_SEQUENCE},
    {{"VRFY", 4}, cmd_vrfy, GREETED, REPLY_NO_HELO},
    {{"HELP", 4}, cmd_help, ANY_BUT_REFUSED, REPLY_BAD_SEQUENCE},
    {{"STARTTLS", 8}, cmd_starttls, IN(SMTP_NEW) | IN(SMTP_READY), REPLY_BAD_SEQUENCE},
    /* AUTH says more than one thing where it isn't allowed. */
    {{"AUTH", 4}, cmd_auth, ANY_BUT_REFUSED, REPLY_BAD_SEQUENCE},
    {{"QUIT", 4}, cmd_quit, ALL, REPLY_BAD_SEQUENCE},
    {{"EXPN", 4}, NULL, GREETED, REPLY_NO_HELO},
    {{"TURN", 4}, NULL, GREETED, REPLY_NO_HELO},
    {{"ETRN", 4}, NULL, GREETED, REPLY_NO_HELO},
    {{"SEND", 4}, NULL, GREETED, REPLY_NO_HELO},
    {{"SOML", 4}, NULL, GREETED, REPLY_NO_HELO},
    {{"SAML", 4}, NULL, GREETED, REPLY_NO_HELO},
};

const struct command *command_find(struct text line, struct text *args)
{
	struct text verb;

	/* Blanks at the end are allowed (RFC 5321 4.1.1); before the verb they are not. */
	while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	text_split(line, ' ', &verb, args);
	*args = text_trim(*args);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (text_ieq(verb, commands[i].verb))
			return &commands[i];
	}
	return NULL;
}

bool command_is_allowed(const struct command *c, enum smtp_state state)
{
	return c->states & IN(state);
}

bool command_is_foreign(struct text t)
{
	static const char *const methods[] = {"GET ",    "POST ",    "HEAD ",    "PUT ",
					      "DELETE ", "OPTIONS ", "CONNECT ", "PRI * HTTP"};

	if (t.n >= 2 && t.p[0] == 0x16 && t.p[1] == 0x03)
		return true;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (text_istarts(t, text_of(methods[i])))
			return true;
	}
	return false;
}

/* Where TLS is required, nothing else is served before it but what leads there (RFC 3207 4).  BDAT
 * says so itself, once it has read its chunk. */
static bool must_secure_first(const struct smtp_session *ss, const struct command *c)
{
	if (!secure_is_missing(ss) || ss->state == SMTP_REFUSED)
		return false;
	return !c || (c->run != cmd_ehlo && c->run != cmd_noop && c->run != cmd_starttls &&
		      c->run != cmd_quit && c->run != cmd_bdat);
}

/* What leads to mail, on a listener for those who have logged in (RFC 4954 6). */
static bool must_log_in_first(const struct smtp_session *ss, const struct command *c)
{
	return c && (c->run == cmd_mail || c->run == cmd_vrfy) && log_in_is_missing(ss);
}

void command_run(struct smtp_session *ss, struct text line)
{
	struct text args;
	const struct command *c = command_find(line, &args);

	ss->commands++;
	if (memchr(line.p, '\0', line.n)) {
		reply_error(ss, REPLY_BAD_SYNTAX);
	} else if (ss->state == SMTP_REFUSED && (!c || !command_is_allowed(c, ss->state))) {
		reply_error(ss, REPLY_BAD_SEQUENCE);
	} else if (must_secure_first(ss, c)) {
		reply_error(ss, REPLY_TLS_REQUIRED);
	} else if (!c) {
		reply_error(ss, REPLY_UNKNOWN_COMMAND);
	} else if (!command_is_allowed(c, ss->state)) {
		reply_error(ss, c->otherwise);
	} else if (must_log_in_first(ss, c)) {
		const struct decision d = engine_login_missing(&ss->s);

		reply_mistake(ss, &d);
	} else if (!c->run) {
		reply_error(ss, REPLY_NOT_IMPLEMENTED);
	} else {
		c->run(ss, args);
	}
}
