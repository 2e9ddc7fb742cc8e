/* What the files of worker/io share of the loop, and nobody else includes. */
#ifndef WORKER_IO_LOOP_PRIVATE_H
#define WORKER_IO_LOOP_PRIVATE_H

#include "worker/io/buffer.h"
#include "worker/io/heap.h"
#include "worker/io/loop.h"
#include "worker/io/task_set.h"

#include <sys/epoll.h>

#define LOOP_BATCH 256

struct loop {
	int epoll_fd;
	bool stopping;
	int64_t now_us;
	struct heap heap;
	struct task_set tasks;
	struct buffer_pool buffers;
	struct fd_event *due, **due_tail; /* callbacks of this round */
	struct epoll_event batch[LOOP_BATCH];
};

#endif
