/* Giving up root, for good. */
#include "shm/base/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool drop_capabilities(void)
{
	cap_t none = cap_init();
	bool ok = none && cap_set_proc(none) == 0;
	cap_free(none);
	return ok;
}

bool privileges_find(struct text user, struct privileges_user *out, struct buf *err)
{
	char name[64];
	*out = (struct privileges_user){.name = user};
	if (geteuid() != 0)
		return true;
	text_cstr(user, name, sizeof(name));
	const struct passwd *pw = getpwnam(name);
	if (!pw) {
		buf_printf(err, "user \"%s\" does not exist", name);
		return false;
	}
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return true;
}

bool privileges_change(const struct privileges_user *u, struct buf *err)
{
	if (setgroups(0, NULL) != 0 || setresgid(u->gid, u->gid, u->gid) != 0 ||
	    setresuid(u->uid, u->uid, u->uid) != 0) {
		buf_printf(err, "cannot become user \"%.*s\": %m", TEXT(u->name));
		return false;
	}
	return true;
}

static bool become(const struct privileges_user *u, struct buf *err)
{
	if (geteuid() != 0)
		return true;
	if (!privileges_change(u, err))
		return false;
	if (!drop_capabilities()) {
		buf_printf(err, "cannot give up capabilities: %m");
		return false;
	}
	if (u->uid != 0 && setuid(0) == 0) {
		buf_printf(err, "root came back after it was dropped");
		return false;
	}
	return true;
}

bool privileges_become(struct text user, struct buf *err)
{
	struct privileges_user u;
	return privileges_find(user, &u, err) && become(&u, err);
}

bool privileges_seal(struct buf *err)
{
	const struct rlimit no_core = {0, 0};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0) {
		buf_printf(err, "cannot give up privileges: %m");
		return false;
	}
	/* After the change of uid, which clears it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return true;
}

bool privileges_drop_to(const struct privileges_user *u, struct buf *err)
{
	return become(u, err) && privileges_seal(err);
}

bool privileges_drop(struct text user, struct buf *err)
{
	struct privileges_user u;
	return privileges_find(user, &u, err) && privileges_drop_to(&u, err);
}
