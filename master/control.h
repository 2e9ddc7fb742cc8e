/* state-dir/control: a unix socket from which the admin tool gets the shared-memory segment, to
 * read only.  Root and the owner of state-dir may connect (the directory's mode says so); nothing
 * is read from the peer. */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include "shm/base/text.h"

/* The listening socket, non-blocking, or -1 with a message. */
int control_open(int state_dir_fd, struct buf *err);
/* Answers one connection: sends a read-only descriptor of the segment and closes. */
void control_answer(int control_fd, int segment_fd);

#endif
