/* Keeping a message that inspectors die of. */
#include "worker/smtp/kept.h"

#include "shm/base/clock.h"
#include "shm/base/log.h"
#include "worker/smtp/inspection.h"
#include "worker/smtp/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "kept"

enum { COPY_BYTES = 16384 };

/* Runs in a thread: everything here blocks. */
struct keep_job {
	int dir_fd, message_fd; /* of state-dir; of the message */
	char name[INCIDENT_TEXT_MAX + 8];
	int error; /* 0: it is kept, or was already */
};

static unsigned count_files(int folder)
{
	const int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned n = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return KEPT_MAX;
	}
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int copy(int from, int to)
{
	char block[COPY_BYTES];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, block, sizeof(block), at)) > 0) {
		if (pwrite(to, block, (size_t)n, at) != n)
			return errno ? errno : EIO;
		at += n;
	}
	return n < 0 || fsync(to) != 0 ? errno : 0;
}

static int write_file(int folder, const struct keep_job *j)
{
	const int fd = openat(folder, j->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int error;

	if (fd < 0)
		return errno == EEXIST ? 0 : errno;
	error = copy(j->message_fd, fd);
	close(fd);
	if (error)
		unlinkat(folder, j->name, 0);
	return error;
}

static void run(void *arg)
{
	struct keep_job *j = arg;
	int folder;

	if (mkdirat(j->dir_fd, FOLDER, 0700) != 0 && errno != EEXIST) {
		j->error = errno;
		return;
	}
	folder = openat(j->dir_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		j->error = errno;
		return;
	}
	j->error = count_files(folder) >= KEPT_MAX ? EDQUOT : write_file(folder, j);
	close(folder);
}

static void say(const struct keep_job *j)
{
	static struct log_limit limit;
	uint64_t held;

	if (j->error && log_allowed(&limit, 60 * SECOND_US, &held))
		log_error("cannot keep a message in state-dir/%s: %s", FOLDER,
			  strerrordesc_np(j->error));
}

void smtp_keep(struct smtp_session *ss, uint64_t incident)
{
	const struct spool_place *place = ss->server->spool_place;
	struct keep_job j = {.dir_fd = place->dir_fd, .message_fd = smtp_message_fd(ss)};
	char id[INCIDENT_TEXT_MAX];

	if (j.message_fd < 0) {
		j.error = errno;
		say(&j);
		return;
	}
	snprintf(j.name, sizeof(j.name), "%s.eml", incident_format(LIT(""), incident, id));
	offload_run(place->offload, run, &j);
	say(&j);
	if (j.error == 0)
		metric_add(ss->server->slot, METRIC_messages_kept, 1);
}
