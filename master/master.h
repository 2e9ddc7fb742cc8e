/* The master: binds, forks, watches, reloads, and parses no byte that came from the network.
 *
 * Its state is one struct; main() fills it in and calls master_run().  At most two generations of
 * workers live at once: the one in force and one that drains. */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "master/certificate_watch.h"
#include "master/child.h"
#include "master/listeners.h"
#include "master/scanners.h"
#include "master/state_dir.h"
#include "master/version.h"
#include "worker/auth/serve.h"

/* The workers of one configuration. */
struct generation {
	unsigned number;
	struct config *config;
	int bundle_fd;
	int keys_fd; /* certificates and keys: for workers only */
	int *listen_fds;
	size_t listen_count;
	struct child *workers;
	size_t worker_count;
	bool draining;
	int64_t kill_at_mono_us; /* draining: when patience ends */
};

struct master {
	const char *config_path;
	const char *const *overrides;
	struct segment segment;
	int segment_fd;
	int lifeline[2]; /* nobody ever writes; its write end closes with us */
	int control_fd;
	int signal_fd;
	struct state_dir state_dir;
	struct listeners listeners;
	struct generation *current;
	struct generation
	    *next;              /* being started by a reload; comes into force when all are ready */
	struct generation *old; /* draining */
	struct child keeper;
	struct child zygote;
	struct zygote_status *zygote_status; /* shared with it, and its descriptor */
	int zygote_status_fd;
	/* Questions to the inspectors: workers ask on [0], inspectors serve [1].  Both ends stay
	 * ours, so that what is queued outlives zygote and workers. */
	int inspect_pair[2];
	struct scanners scanners;
	struct certificate_watch certificates;
	/* Logins, where the users are our own: workers ask on [0], the auth process serves [1]. */
	struct child auth;
	struct auth_page *auth_page; /* shared with it, and its descriptor */
	int auth_page_fd;
	int auth_pair[2];
	bool reload_wanted;
	bool stopping;
	int64_t
	    workers_due_mono_us; /* start: the keeper makes the stores first; 0: workers started */
	bool told_ready;         /* systemd knows */
	unsigned generations;    /* numbers given so far */
};

/* Starts everything with `config` and its bundle (both the master's from now on), supervises until
 * SIGTERM or SIGINT, ends everything.  The exit status. */
int master_run(struct master *m, struct config *config, int bundle_fd);

/* --- generation.c */
struct generation *generation_new(struct master *m, struct config *config, int bundle_fd);
void generation_start(struct master *m, struct generation *g);
bool generation_ready(const struct generation *g); /* each worker has shown a heartbeat */
bool generation_gone(const struct generation *g);  /* no worker is left */
void generation_drain(struct generation *g);       /* SIGTERM to all */
void generation_kill(struct generation *g);        /* SIGKILL to all */
void generation_free(struct generation *g);

/* --- reload.c: SIGHUP. */
void reload_begin(struct master *m);
/* Moves a reload on: the next generation comes into force when it is ready. */
void reload_continue(struct master *m);
/* A worker of the generation that is being started died: the running one stays in force. */
void reload_abandon(struct master *m);

/* --- supervise.c */
/* Reaps what has died, says why, plans restarts. */
void supervise_reap(struct master *m);
/* Once a second: heartbeats, restarts that are due, drains whose time is up. */
void supervise_tick(struct master *m);
/* Starts the children whose back-off is over. */
void supervise_restart(struct master *m);
/* Starts the auth process if the configuration in force wants one and none runs; ends one that it
 * doesn't want. */
void supervise_auth(struct master *m);
void supervise_start_child(struct master *m, struct child *c, const struct generation *g);

/* --- build_id.c: the ELF build id in hex, "" if there is none. */
const char *build_id(void);

#endif
