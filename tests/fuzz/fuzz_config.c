/* A configuration of any bytes: it loads or says why not; what loads can be printed and read back
 * as the same. */
#include "policy/config.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static struct config *load(const void *text, size_t n, FILE *err)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct config *c;
	char path[64];

	require(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c = config_load(path, NULL, err, NULL);
	close(fd);
	return c;
}

static char *print(const struct config *c, size_t *n)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, n);

	require(out != NULL);
	config_print(c, out);
	fclose(out);
	return text;
}

/* Cuts each line before its last comment, which says where a value comes from: that differs. */
static void cut_origins(char *text)
{
	char *to = text;

	for (char *line = text, *next; line; line = next) {
		char *comment = NULL, *at = line;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		while ((at = strstr(at, "  # ")))
			comment = at++;
		if (comment)
			*comment = '\0';
		size_t length = strlen(line);

		memmove(to, line, length);
		to += length;
		*to++ = '\n';
	}
	to[-1] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *said = NULL, *once, *twice;
	size_t said_length, length;
	FILE *err = open_memstream(&said, &said_length);
	struct config *c = load(data, n, err), *again;

	fflush(err);
	require((c != NULL) == (said_length == 0));
	/* the scan and libconfuse have to see the same options */
	require(!strstr(said, ": an option was expected elsewhere\n"));
	require(!strstr(said, ": the file can't be read from here on\n"));
	require(!strstr(said, ": the option has no value\n"));
	if (c) {
		once = print(c, &length);
		again = load(once, length, err);
		require(again != NULL);
		twice = print(again, &length);
		cut_origins(once);
		cut_origins(twice);
		require(strcmp(once, twice) == 0);
		config_free(again);
		config_free(c);
		free(once);
		free(twice);
	}
	fclose(err);
	free(said);
	return 0;
}
