/* The auth process, as a worker asks it. */
#ifndef WORKER_AUTH_LOCAL_H
#define WORKER_AUTH_LOCAL_H

#include "worker/auth/login.h"

struct local;

struct local *local_open(struct loop *l, int auth_fd);
void local_close(struct local *lo);

/* Where the replies come; fd is -1 before and after. */
struct local_login {
	int fd;
	struct watch watch;
};

struct login_answer local_begin(struct local *lo, struct local_login *x,
				const struct login_question *q, struct arena *a);
struct login_answer local_go_on(struct local *lo, struct local_login *x, struct text response,
				int64_t deadline_us, struct arena *a);
void local_end(struct local_login *x);

#endif
