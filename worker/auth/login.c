/* A login: which backend has it. */
#include "worker/auth/login.h"

#include "worker/auth/dovecot.h"
#include "worker/auth/local.h"

#include <stdlib.h>

struct logins {
	unsigned mechanisms;
	struct local *local;
	struct dovecot *dovecot; /* one of the two */
};

struct login {
	struct logins *all;
	struct arena arena;
	struct local_login local;
	struct dovecot_login dovecot;
};

struct logins *logins_open(struct loop *l, const struct logins_options *o)
{
	struct logins *ls = calloc(1, sizeof(*ls));

	if (!ls)
		return NULL;
	ls->mechanisms = o->mechanisms;
	if (text_empty(o->socket))
		ls->local = local_open(l, o->auth_fd);
	else
		ls->dovecot = dovecot_open(l, o->socket);
	if (ls->local || ls->dovecot)
		return ls;
	free(ls);
	return NULL;
}

void logins_close(struct logins *ls)
{
	if (!ls)
		return;
	local_close(ls->local);
	dovecot_close(ls->dovecot);
	free(ls);
}

unsigned logins_mechanisms(const struct logins *ls)
{
	return ls->dovecot ? ls->mechanisms & dovecot_mechanisms(ls->dovecot) : ls->mechanisms;
}

struct login *login_new(struct logins *ls, struct arena *hook)
{
	struct login *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->all = ls;
	l->local.fd = -1;
	arena_init(&l->arena, hook->no_memory, hook->no_memory_arg);
	return l;
}

struct arena *login_arena(struct login *l)
{
	return &l->arena;
}

struct login_answer login_begin(struct login *l, const struct login_question *q)
{
	return l->all->local ? local_begin(l->all->local, &l->local, q, &l->arena)
			     : dovecot_begin(l->all->dovecot, &l->dovecot, q, &l->arena);
}

struct login_answer login_go_on(struct login *l, struct text response, int64_t deadline_us)
{
	return l->all->local
		   ? local_go_on(l->all->local, &l->local, response, deadline_us, &l->arena)
		   : dovecot_go_on(l->all->dovecot, &l->dovecot, response, deadline_us, &l->arena);
}

void login_free(struct login *l)
{
	if (!l)
		return;
	local_end(&l->local);
	dovecot_end(&l->dovecot);
	arena_reset(&l->arena);
	free(l);
}
