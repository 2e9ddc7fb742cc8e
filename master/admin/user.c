/* gatepost user: who may log in where the users are our own. */
#include "master/admin/user.h"

#include "master/admin/output.h"

/* ---- what people type ---- */

static bool parse_login(const char *typed, char key[LIST_KEY_MAX + 1])
{
	char message[256];
	struct buf err = buf_over(message, sizeof(message));

	if (list_key_normalize(LIST_LOGIN, text_of(typed), key, &err))
		return true;
	tool_fail(EXIT_WRONG, "\"%s\": %s", typed, message);
	return false;
}

bool user_add_sender(struct text typed, struct user *u)
{
	char key[LIST_KEY_MAX + 2], message[256];
	struct buf err = buf_over(message, sizeof(message));
	const bool domain = typed.n > 0 && typed.p[0] == '@';
	const struct text name = domain ? text_make(typed.p + 1, typed.n - 1) : typed;
	const size_t n = strlen(u->senders);

	key[0] = '@';
	if (!list_key_normalize(domain ? LIST_DOMAIN : LIST_ADDRESS, name, key + domain, &err)) {
		tool_fail(EXIT_WRONG, "sender \"%.*s\": %s", TEXT(typed), message);
		return false;
	}
	if (n + strlen(key) + 1 > USER_SENDERS_MAX) {
		tool_fail(EXIT_WRONG, "more senders than a user may have (%d bytes)",
			  USER_SENDERS_MAX);
		return false;
	}
	snprintf(u->senders + n, sizeof(u->senders) - n, "%s%s", n ? "\n" : "", key);
	return true;
}

static bool set_password(const struct tool *t, const char *login, struct user *u)
{
	char password[PASSWORD_MAX + 1];

	if (!user_read_password(login, password))
		return false;
	const bool good = password_hash(password, u->hash) && password_scram(password, &u->scram);

	explicit_bzero(password, sizeof(password));
	if (!good)
		tool_fail(EXIT_NO, "the system can't hash passwords by yescrypt");
	u->changed_wall_us = t->now_wall_us;
	snprintf(u->by, sizeof(u->by), "%s", tool_user(t));
	return good;
}

/* ---- changes ---- */

static void say(const struct tool *t, const char *login, const char *change)
{
	if (!t->options.json) {
		printf("%s ", change);
		print_clean(stdout, login);
		putchar('\n');
		return;
	}
	fputs("{\"login\": ", stdout);
	json_string(login);
	printf(", \"change\": \"%s\"}\n", change);
}

static int store(struct tool *t, const char *login, const struct user *u, const char *change)
{
	const int rc = users_put(&t->users, text_of(login), u);

	if (rc != 0)
		return tool_fail(EXIT_STORE, "cannot store %s: %s", login, store_error(rc));
	say(t, login, change);
	return EXIT_YES;
}

/* EXIT_YES: *u is what stands there. */
static int find(struct tool *t, const char *typed, char login[LIST_KEY_MAX + 1], struct user *u)
{
	if (!parse_login(typed, login))
		return EXIT_WRONG;
	if (!tool_open_users(t))
		return EXIT_STORE;
	const int rc = users_get(&t->users, text_of(login), u);

	if (rc == MDB_NOTFOUND)
		return tool_fail(EXIT_NO, "there is no user %s", login);
	return rc == 0 ? EXIT_YES
		       : tool_fail(EXIT_STORE, "cannot read %s: %s", login, store_error(rc));
}

static int user_add(struct tool *t, int argc, char **argv)
{
	struct user u = {.added_wall_us = t->now_wall_us};
	char login[LIST_KEY_MAX + 1];
	struct user there;

	(void)argc;
	if (!parse_login(argv[0], login))
		return EXIT_WRONG;
	for (struct text one, rest = text_of(t->options.sender); rest.n;) {
		text_split(rest, ',', &one, &rest);
		if (!user_add_sender(text_trim(one), &u))
			return EXIT_WRONG;
	}
	if (!tool_open_users(t))
		return EXIT_STORE;
	if (users_get(&t->users, text_of(login), &there) == 0)
		return tool_fail(EXIT_NO, "%s is there already: gatepost user passwd, or sender",
				 login);
	return set_password(t, login, &u) ? store(t, login, &u, "added") : EXIT_WRONG;
}

static int user_passwd(struct tool *t, int argc, char **argv)
{
	char login[LIST_KEY_MAX + 1];
	struct user u;
	const int status = find(t, argv[0], login, &u);

	(void)argc;
	if (status != EXIT_YES)
		return status;
	return set_password(t, login, &u) ? store(t, login, &u, "changed") : EXIT_WRONG;
}

static int user_sender(struct tool *t, int argc, char **argv)
{
	char login[LIST_KEY_MAX + 1];
	struct user u;
	const int status = find(t, argv[0], login, &u);

	if (status != EXIT_YES)
		return status;
	u.senders[0] = '\0';
	for (int i = 1; i < argc; i++) {
		if (!user_add_sender(text_of(argv[i]), &u))
			return EXIT_WRONG;
	}
	return store(t, login, &u, "changed");
}

static int user_del(struct tool *t, int argc, char **argv)
{
	int status = EXIT_YES;

	for (int i = 0; i < argc; i++) {
		char login[LIST_KEY_MAX + 1];

		if (!parse_login(argv[i], login))
			return EXIT_WRONG;
		if (!tool_open_users(t))
			return EXIT_STORE;
		const int rc = users_del(&t->users, text_of(login));

		if (rc == 0)
			say(t, login, "removed");
		else if (rc == MDB_NOTFOUND)
			status = tool_fail(EXIT_NO, "there is no user %s", login);
		else
			return tool_fail(EXIT_STORE, "cannot remove %s: %s", login,
					 store_error(rc));
	}
	return status;
}

/* ---- list ---- */

struct listing {
	struct table_out table;
	bool json;
};

static int list_one(struct text login, const struct user *u, void *arg)
{
	struct listing *l = arg;
	char name[LIST_KEY_MAX + 1], changed[40], senders[USER_SENDERS_MAX + 1];

	text_cstr(login, name, sizeof(name));
	snprintf(senders, sizeof(senders), "%s", u->senders);
	for (char *p = senders; (p = strchr(p, '\n'));)
		*p = ' ';
	table_row(&l->table, name, senders, when(l->json, u->changed_wall_us, changed), u->by);
	return 0;
}

static int user_list(struct tool *t, int argc, char **argv)
{
	struct listing l = {.json = t->options.json};

	(void)argc;
	(void)argv;
	if (!tool_open_users(t))
		return EXIT_STORE;
	table_begin(&l.table, l.json, "LOGIN SENDERS CHANGED BY", 0);
	const int rc = users_each(&t->users, list_one, &l);

	table_end(&l.table);
	return rc == 0 ? EXIT_YES
		       : tool_fail(EXIT_STORE, "cannot read the users: %s", store_error(rc));
}

const struct command user_commands[] = {
    {"user", "add", "LOGIN", 1, 1, TAKES_SENDER, user_add,
     "a user who may log in; the password is asked for, or read from stdin"},
    {"user", "passwd", "LOGIN", 1, 1, 0, user_passwd,
     "another password; asked for, or read from stdin"},
    {"user", "sender", "LOGIN [ADDRESS|@DOMAIN]...", 1, 1000, 0, user_sender,
     "what the user may send from besides the login itself, in place of what was there"},
    {"user", "del", "LOGIN...", 1, 1000, 0, user_del, "remove a user"},
    {"user", "list", "", 0, 0, 0, user_list, "all users"},
    {0},
};
