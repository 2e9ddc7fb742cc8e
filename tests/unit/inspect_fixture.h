/* A real zygote with real inspectors, a loop that asks them, and a zone file in place of the DNS.
 */
#ifndef TESTS_UNIT_INSPECT_FIXTURE_H
#define TESTS_UNIT_INSPECT_FIXTURE_H

#include "worker/inspect/ask.h"
#include "worker/inspect/spf.h"
#include "worker/inspect/zygote.h"

#include <sys/types.h>

enum { ZONE_RECORDS_MAX = 512 };

struct zone_record {
	char name[300];
	uint16_t type; /* 0: every other type of this name gives a time-out */
	struct dns_record record;
	char text[8192];
};

struct zone {
	struct zone_record *records;
	size_t count;
};

/* text: of TXT, MX, PTR and CNAME, `n` bytes; an address as text for A and AAAA. */
void zone_add(struct zone *z, const char *name, uint16_t type, uint16_t preference,
	      const char *text, size_t n);
void zone_txt(struct zone *z, const char *name, const char *text);
void zone_clear(struct zone *z);
void zone_ask(const struct zone *z, struct text name, uint16_t type, struct arena *a,
	      struct dns_answer *out);

struct inspect_fixture {
	int pair[2], status_fd;
	struct zygote_status *status;
	pid_t zygote;
	struct loop *loop;
	struct inspect *inspect;
	struct zone zone;
	unsigned look_ups, queries; /* calls of the resolver, and what they asked for */
	struct arena arena;
};

void inspect_fixture_start(struct inspect_fixture *f, unsigned inspectors);
/* The zygote alone; the pair stays. */
void inspect_fixture_zygote(struct inspect_fixture *f, unsigned inspectors);
void inspect_fixture_stop(struct inspect_fixture *f);
/* The pids of the inspectors that live now; how many. */
unsigned inspect_fixture_inspectors(const struct inspect_fixture *f, pid_t pids[INSPECTORS_MAX]);
/* Waits until so many live; the test fails if they don't within ten seconds. */
void inspect_fixture_await(const struct inspect_fixture *f, unsigned inspectors);

/* In a task: asks for SPF.  `sender` is "local@domain" or empty. */
struct inspect_outcome inspect_fixture_spf(struct inspect_fixture *f, const char *client,
					   const char *helo, const char *sender, int64_t timeout_us,
					   struct spf_result *r);
/* Runs one such question in a task of its own, to its end. */
struct inspect_outcome inspect_fixture_ask_spf(struct inspect_fixture *f, const char *client,
					       const char *helo, const char *sender,
					       struct spf_result *r);

#endif
