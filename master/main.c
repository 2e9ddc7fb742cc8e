/* gatepostd: the command line, and the way to the master or to being one of its children. */
#include "master/master.h"
#include "shm/base/log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OVERRIDES_MAX 64

static const char usage[] =
    "usage: gatepostd [-t | -T] [-c FILE] [-o NAME=VALUE]...\n"
    "  -c FILE        the configuration (default: " GATEPOST_SYSCONF "/gatepost/gatepost.conf)\n"
    "  -o NAME=VALUE  an option of the file itself, in place of what the file says\n"
    "  -t             only check the configuration: exit status 0 (good) or 2\n"
    "  -T             print every option, its value and where it comes from\n"
    "  -V             print the version\n"
    "SIGHUP reloads, SIGTERM ends when the sessions have.  See gatepostd(8), gatepost.conf(5).\n";

enum what { SERVE, CHECK_ONLY, PRINT };

int main(int argc, char **argv)
{
	static struct master master;
	const char *path = GATEPOST_SYSCONF "/gatepost/gatepost.conf";
	const char *overrides[OVERRIDES_MAX + 1] = {NULL};
	size_t override_count = 0;
	enum what what = SERVE;
	int option, bundle_fd = -1;

	if (argc > 1 && strcmp(argv[1], "--child") == 0)
		return child_main(argc, argv);
	while ((option = getopt_long(argc, argv, "c:o:tTVh",
				     (struct option[]){{"help", 0, NULL, 'h'}, {0}}, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'o':
			if (override_count == OVERRIDES_MAX) {
				fprintf(stderr, "gatepostd: more than %d options by -o\n",
					OVERRIDES_MAX);
				return 2;
			}
			overrides[override_count++] = optarg;
			break;
		case 't':
			what = CHECK_ONLY;
			break;
		case 'T':
			what = PRINT;
			break;
		case 'V':
			printf("gatepostd %s, build %s\n", GATEPOST_VERSION, build_id());
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gatepostd: \"%s\": no such argument\n%s", argv[optind], usage);
		return 2;
	}
	struct config *config = config_load(path, overrides, stderr, &bundle_fd);
	if (!config)
		return 2;
	if (what != SERVE) {
		if (what == PRINT)
			config_print(config, stdout);
		else
			printf("%s: the configuration is good\n", path);
		config_free(config);
		return 0;
	}
	log_open((enum log_to)config->log.to, "master");
	master.config_path = path;
	master.overrides = overrides;
	return master_run(&master, config, bundle_fd);
}
