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

bool privileges_become(struct text user, struct buf *err)
{
	char name[64];
	if (geteuid() != 0)
		return true;
	text_cstr(user, name, sizeof(name));
	const struct passwd *pw = getpwnam(name);
	if (!pw) {
		buf_printf(err, "user \"%s\" does not exist", name);
		return false;
	}
	if (setgroups(0, NULL) != 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0 || !drop_capabilities()) {
		buf_printf(err, "cannot become user \"%s\": %m", name);
		return false;
	}
	if (pw->pw_uid != 0 && setuid(0) == 0) {
		buf_printf(err, "root came back after it was dropped");
		return false;
	}
	return true;
}

bool privileges_drop(struct text user, struct buf *err)
{
	const struct rlimit no_core = {0, 0};
	if (!privileges_become(user, err))
		return false;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0) {
		buf_printf(err, "cannot give up privileges: %m");
		return false;
	}
	/* After the change of uid, which clears it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return true;
}
