/* The blocking half of the delivery into Maildirs: it runs in the offload threads and touches
 * nothing but its argument. */
#ifndef WORKER_DELIVERY_MAILDIR_FILE_H
#define WORKER_DELIVERY_MAILDIR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#define MAILDIR_PIECES 64

/* One message in one Maildir. */
struct maildir_file {
	const char *path; /* of the Maildir, relative to the base */
	const char *name; /* in tmp and in new */
	int dir_fd;       /* of the Maildir */
	int fd;           /* of the file in tmp */
	bool made;        /* stands in tmp */
	bool renamed;     /* stands in new */
};

void maildir_file_init(struct maildir_file *f, const char *path, const char *name);

/* 0: the Maildir can be written, or can be made; else an errno value. */
int maildir_file_try(int base_fd, const char *path);

struct maildir_job {
	int base_fd;
	struct maildir_file *files;
	size_t count;
	struct iovec pieces[MAILDIR_PIECES]; /* to be written now; they are used up */
	int n;
	bool finish; /* after them: sync, rename all, sync the directories */
	int error;   /* errno of the first failure; then maildir_job_undo() */
};

/* Opens the files if they aren't yet, writes the pieces into each, and finishes if told so.
 * Repeatable until `finish`. */
void maildir_job_run(void *job);
/* Removes whatever stands in tmp and new. */
void maildir_job_undo(void *job);

#endif
