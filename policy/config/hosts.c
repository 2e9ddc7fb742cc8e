/* Names by /etc/hosts, read by ourselves: getaddrinfo() asks whatever nsswitch.conf names, and with
 * it the DNS. */
#include "policy/config/internal.h"

static const char hosts_path[] = "/etc/hosts";

/* Cuts the next word off. */
static struct text next_word(struct text *rest)
{
	struct text word;
	size_t n = 0;

	*rest = text_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	word = text_make(rest->p, n);
	*rest = text_make(rest->p + n, rest->n - n);
	return word;
}

/* The next line without its comment; false at the end. */
static bool next_line(struct text *rest, struct text *line)
{
	if (text_empty(*rest))
		return false;
	text_split(*rest, '\n', line, rest);
	line->n = text_find(*line, '#');
	return true;
}

static bool line_names(struct text names, struct text name)
{
	for (struct text word = next_word(&names); word.n > 0; word = next_word(&names)) {
		if (text_ieq(word, name))
			return true;
	}
	return false;
}

size_t hosts_find(struct source *s, struct text name, struct ip *out, size_t max)
{
	struct text rest = source_file(s, SOURCE_FILE, text_of(hosts_path))->data, line;
	size_t n = 0;

	while (n < max && next_line(&rest, &line)) {
		struct text address = next_word(&line);

		if (ip_parse(address, &out[n]) && line_names(line, name))
			n++;
	}
	if (n == 0 && max > 0 && text_ieq(name, LIT("localhost")))
		n = ip_parse(LIT("127.0.0.1"), out);
	return n;
}

static bool has_dot(struct text name)
{
	return text_find(name, '.') < name.n;
}

struct text hosts_own_name(struct source *s)
{
	struct text own = source_host_name(s), rest, line;

	if (has_dot(own))
		return own;
	rest = source_file(s, SOURCE_FILE, text_of(hosts_path))->data;
	while (next_line(&rest, &line)) {
		struct text address = next_word(&line), names = line;

		if (!ip_parse(address, NULL) || !line_names(line, own))
			continue;
		for (struct text word = next_word(&names); word.n > 0; word = next_word(&names)) {
			if (has_dot(word) && text_istarts(word, own))
				return arena_text(s->arena, word);
		}
	}
	return own;
}
