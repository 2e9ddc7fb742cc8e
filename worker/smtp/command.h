/* The commands: one table, and one file each (cmd_*.c). */
#ifndef WORKER_SMTP_COMMAND_H
#define WORKER_SMTP_COMMAND_H

#include "worker/smtp/session.h"

struct command {
	struct text verb;
	/* `args` is what follows the verb, without the blanks at either end. */
	void (*run)(struct smtp_session *ss, struct text args);
	unsigned states;         /* 1 << enum smtp_state: where it is allowed */
	enum reply_id otherwise; /* and what is said elsewhere */
};

/* Divides a line into verb and arguments; NULL: no such command. */
const struct command *command_find(struct text line, struct text *args);
bool command_is_allowed(const struct command *c, enum smtp_state state);

/* Looks one up, checks its state, runs it. */
void command_run(struct smtp_session *ss, struct text line);

/* True for what speaks another protocol: an HTTP request line, a TLS handshake. */
bool command_is_foreign(struct text start);

void cmd_helo(struct smtp_session *ss, struct text args);
void cmd_ehlo(struct smtp_session *ss, struct text args);
void cmd_mail(struct smtp_session *ss, struct text args);
void cmd_rcpt(struct smtp_session *ss, struct text args);
void cmd_data(struct smtp_session *ss, struct text args);
void cmd_bdat(struct smtp_session *ss, struct text args);
void cmd_rset(struct smtp_session *ss, struct text args);
void cmd_noop(struct smtp_session *ss, struct text args);
void cmd_vrfy(struct smtp_session *ss, struct text args);
void cmd_help(struct smtp_session *ss, struct text args);
void cmd_starttls(struct smtp_session *ss, struct text args);
void cmd_auth(struct smtp_session *ss, struct text args);
void cmd_quit(struct smtp_session *ss, struct text args);

#endif
