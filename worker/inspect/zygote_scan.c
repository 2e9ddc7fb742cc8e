/* Loading the engine, with the rights that it takes and no more. */
#include "worker/inspect/zygote_scan.h"

#include "shm/base/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t address_space; /* of the zygote, once the engine is loaded */

/* "1234 ...": pages. */
static uint64_t own_size(void)
{
	char line[128];
	const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	return strtoull(line, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool switch_user(uid_t uid, gid_t gid, bool group_first)
{
	if (group_first)
		return setegid(gid) == 0 && seteuid(uid) == 0;
	return seteuid(uid) == 0 && setegid(gid) == 0;
}

/* What it reads is the administrator's own, but its parser is the engine's: it has no need of root.
 */
static bool load_as_user(const struct zygote_scan *o, struct engine_info *info, struct buf *err)
{
	struct privileges_user who;
	const bool root = geteuid() == 0;
	bool ok;

	if (!privileges_find(o->rooms.user, &who, err))
		return false;
	if (root && !switch_user(who.uid, who.gid, true)) {
		buf_printf(err, "cannot load the database as another user: %s",
			   strerrordesc_np(errno));
		return false;
	}
	ok = engine_load(&o->engine, info, err);
	if (root && !switch_user(0, 0, false))
		abort();
	return ok;
}

bool zygote_scan_load(const struct zygote_scan *o, struct engine_info *info, struct buf *err)
{
	if (!load_as_user(o, info, err))
		return false;
	address_space = own_size();
	return scratch_enter(&o->rooms, err);
}

uint64_t zygote_scan_memory(uint64_t more)
{
	return address_space + more;
}
