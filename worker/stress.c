/* Stress levels. */
#include "worker/stress.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned percent(const struct stress_input *in)
{
	if (in->limit == 0)
		return 0;
	return in->used >= in->limit ? 100 : (unsigned)(in->used * 100 / in->limit);
}

unsigned stress_level(unsigned before, const struct stress_input *inputs, unsigned n)
{
	static const unsigned starts[] = {70, 85, 95};
	unsigned fullest = 0, level = 0;

	for (unsigned i = 0; i < n; i++) {
		const unsigned p = percent(&inputs[i]);

		if (p > fullest)
			fullest = p;
	}
	for (unsigned i = 0; i < 3; i++) {
		/* What has begun ends later than it began. */
		if (fullest >= starts[i] - (before > i ? 5 : 0))
			level = i + 1;
	}
	return level;
}

struct stress_input stress_descriptors(void)
{
	struct rlimit r;
	struct stress_input in = {0};
	/* The lowest free number: descriptors are handed out from below, so nearly all under it are
	 * in use. */
	const int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
		in.limit = r.rlim_cur;
	if (lowest < 0) {
		in.used = in.limit;
		return in;
	}
	close(lowest);
	in.used = (uint64_t)lowest;
	return in;
}
