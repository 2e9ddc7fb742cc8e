/* The configuration: each kind of mistake with its line, what a good file comes to, the bundle, and
 * that what is printed can be read back. */
#include "policy/config.h"
#include "policy/dnsbl.h"
#include "policy/extensions.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTENER "listener \"mx\" { address = { \"127.0.0.1:2525\" } }\n"
#define ROUTE    "route \"a\" { hosts = { \"smtp://127.0.0.1:25\" } }\n"

static char directory[32];
static char path[64], extra[64];

static void write_file(const char *name, const char *text, size_t n)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

static void set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/gatepost-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/conf", directory);
	snprintf(extra, sizeof(extra), "%s/extra", directory);
}

static void tear_down(void)
{
	unlink(path);
	unlink(extra);
	rmdir(directory);
}

/* Loads `text`; the mistakes, with the file's path written as "conf", into `mistakes`. */
static struct config *load(const char *text, const char *const *overrides, char *mistakes,
			   size_t size, int *bundle)
{
	char *said = NULL;
	size_t said_length = 0, prefix = strlen(path) - strlen("conf");
	FILE *err = open_memstream(&said, &said_length);
	struct buf out = buf_over(mistakes, size);
	struct config *c;

	write_file(path, text, strlen(text));
	c = config_load(path, overrides, err, bundle);
	fclose(err);
	for (const char *p = said; *p;) {
		if (strncmp(p, path, prefix) == 0)
			p += prefix;
		else
			buf_char(&out, *p++);
	}
	free(said);
	return c;
}

static struct config *load_good(const char *text)
{
	char mistakes[4096];
	struct config *c = load(text, NULL, mistakes, sizeof(mistakes), NULL);

	ck_assert_msg(c != NULL, "%s", mistakes);
	ck_assert_str_eq(mistakes, "");
	return c;
}

/* --- mistakes */

static const struct {
	const char *text, *mistakes;
} bad[] = {
    /* names */
    {LISTENER "\nmax-sesions = 5\n",
     "conf:3: unknown option \"max-sesions\"; nearest: max-sessions\n"},
    {LISTENER "max_sessions = 5\n",
     "conf:2: unknown option \"max_sessions\"; nearest: max-sessions\n"},
    {LISTENER "frobnicate = 5\n", "conf:2: unknown option \"frobnicate\"\n"},
    {"listener \"mx\" {\n\taddress = \"127.0.0.1:25\"\n\tsecure = \"offered\"\n}\n",
     "conf:3: unknown option \"secure\" in listener \"mx\"\n"},
    {"listener \"mx\" { address = \"127.0.0.1:25\"\n\ttls = \"required\"\n}\n",
     "conf:2: listener \"mx\": tls: there is no certificate \"NAME\" { chain = \"FILE\" key = "
     "\"FILE\" }\n"},
    {LISTENER "certificate \"a\" { key = \"x\" }\n",
     "conf:2: certificate \"a\" has no chain\n"
     "conf:2: certificate \"a\": key: each chain has one key, or none is given\n"},
    {LISTENER "rout \"a\" { hosts = { \"smtp://127.0.0.1\" } }\n",
     "conf:2: unknown section \"rout\"; nearest: route\n"},
    {LISTENER "passport \"a\" { chain = \"x\"  nested { a = { b, c } } }\n",
     "conf:2: unknown section \"passport\"\n"},
    {LISTENER "check \"helo-iq\" { }\n", "conf:2: no check \"helo-iq\"; nearest: helo-ip\n"},
    {LISTENER "check \"astrology\" { mode = \"off\" }\n", "conf:2: no check \"astrology\"\n"},
    {LISTENER "check { }\n", "conf:2: a check section needs a name: check \"helo-ip\" { ... }\n"},
    {LISTENER "route { }\n", "conf:2: a route section needs a name: route \"name\" { ... }\n"},
    {LISTENER "log \"x\" { }\n", "conf:2: the section \"log\" has no name: log { ... }\n"},
    {LISTENER "log = \"x\"\n", "conf:2: \"log\" is a section: log ... { ... }\n"},
    {LISTENER "workers { }\n", "conf:2: \"workers\" is an option: workers = ...\n"},
    {LISTENER "check \"helo-ip\" {\n\tmode = \"off\"\n\tpatterns = { \"x\" }\n}\n",
     "conf:4: unknown option \"patterns\" in check \"helo-ip\"; it is an option of check "
     "\"subject\"\n"},
    {LISTENER "log {\n\tworkers = 2\n}\n",
     "conf:3: unknown option \"workers\" in log; it is an option of the file itself\n"},
    {LISTENER "listener \"${HOME}\" { }\n",
     "conf:2: a section's name can't have quotes, escapes, variables or controls\n"},
    {LISTENER "route 'a\\b' { }\n",
     "conf:2: a section's name can't have quotes, escapes, variables or controls\n"},
    /* twice */
    {LISTENER "workers = 1\n\nworkers = 2\n", "conf:4: workers is given twice, first in line 2\n"},
    {LISTENER "trusted-networks = { }\ntrusted-networks = { \"::1\" }\n",
     "conf:3: trusted-networks is given twice, first in line 2\n"},
    {LISTENER "log {\n}\nlog {\n}\n", "conf:4: log stands twice, first in line 2\n"},
    {LISTENER LISTENER, "conf:2: listener \"mx\" stands twice, first in line 1\n"},
    {LISTENER ROUTE "domain \"x.test\" { route = \"a\" }\ndomain \"X.Test\" { route = \"a\" }\n",
     "conf:4: domain \"X.Test\" stands twice, first in line 3\n"},
    {LISTENER "check \"relay\" { }\ncheck \"relay\" { }\n",
     "conf:3: check \"relay\" stands twice, first in line 2\n"},
    /* values */
    {LISTENER "workers = \"many\"\n", "conf:2: workers: \"many\" is not a whole number\n"},
    {LISTENER "workers = 65\n", "conf:2: workers: \"65\" is out of range, 0 to 64\n"},
    {LISTENER "max-message-size = \"3G\"\n",
     "conf:2: max-message-size: \"3G\" is out of range, 64 to 2G\n"},
    {LISTENER "max-message-size = \"50 M\"\n",
     "conf:2: max-message-size: \"50 M\" is not a size, such as 512, \"64K\" or \"50M\"\n"},
    {LISTENER "command-timeout = \"2h\"\n",
     "conf:2: command-timeout: \"2h\" is out of range, 1s to 1h\n"},
    {LISTENER "command-timeout = \"soon\"\n",
     "conf:2: command-timeout: \"soon\" is not a time, such as \"30s\", \"10m\" or \"1h\"\n"},
    {LISTENER "smtputf8 = maybe\n", "conf:2: smtputf8: \"maybe\" is not true or false\n"},
    {LISTENER "mode = \"enfroce\"\n",
     "conf:2: mode: \"enfroce\" is not enforce, monitor or soft; nearest: enforce\n"},
    {LISTENER "trusted-networks = {\n\t\"::1\",\n\t\"10.0.0.1/8\"\n}\n",
     "conf:4: trusted-networks: \"10.0.0.1/8\" is no network; nearest: 10.0.0.0/8\n"},
    {LISTENER "trusted-networks = { \"localnet\" }\n",
     "conf:2: trusted-networks: \"localnet\" is not a network or an address, such as "
     "\"192.0.2.0/24\" or \"2001:db8::/32\"\n"},
    {LISTENER "check \"dictionary-attack\" {\n\tunknown = \"50\" }\n",
     "conf:3: check \"dictionary-attack\": unknown: \"50\" is not a rate, such as \"100/1h\"\n"},
    {LISTENER "workers = { 1, 2 }\n", "conf:2: workers takes one value, not a list\n"},
    {LISTENER "help-url = \"why.example.net\"\n",
     "conf:2: help-url: \"why.example.net\" is no URL that begins with https:// or http://\n"},
    {LISTENER "help-url = \"https://why.example.net/a\\nb\"\n",
     "conf:2: help-url: \"https://why.example.net/a?b\" is no URL that begins with https:// or "
     "http://\n"},
    {LISTENER "hostname = \"mx 1\"\n", "conf:2: hostname: \"mx 1\" is no host name\n"},
    {LISTENER "check \"dkim\" { require = { \"example.org\", \"no name\" } }\n",
     "conf:2: check \"dkim\": require: \"no name\" is no domain name\n"},
    {LISTENER "authserv-id = \"mx 1\"\n", "conf:2: authserv-id: \"mx 1\" is no domain name\n"},
    {LISTENER "authserv-ids-removed = { \"a.example\", \"-\" }\n",
     "conf:2: authserv-ids-removed: \"-\" is no domain name\n"},
    {LISTENER "resolvers = { \"127.0.0.1\", \"localhost\" }\n",
     "conf:2: resolvers: \"localhost\" is not an address, such as \"127.0.0.1\" or "
     "\"[::1]:5353\"\n"},
    {LISTENER "resolvers = { \"192.0.2.1:99999\" }\n",
     "conf:2: resolvers: \"192.0.2.1:99999\" is not an address, such as \"127.0.0.1\" or "
     "\"[::1]:5353\"\n"},
    {LISTENER "recipient-delimiter = \"+-\"\n",
     "conf:2: recipient-delimiter: \"+-\" is not one character\n"},
    {LISTENER "check \"relay\" {\n\tmode = \"monitor\"\n}\n",
     "conf:3: check \"relay\": mode: this check can't be off or monitored\n"},
    /* variables, escapes */
    {LISTENER "hostname = \"${GATEPOST_UNSET}\"\n",
     "conf:2: the environment variable GATEPOST_UNSET is not set; write \"${GATEPOST_UNSET:-}\" if "
     "it may be empty\n"},
    {LISTENER "hostname = ${GATEPOST_UNSET}\n",
     "conf:2: the environment variable GATEPOST_UNSET is not set; write \"${GATEPOST_UNSET:-}\" if "
     "it may be empty\n"},
    {LISTENER "check \"subject\" { patterns = { \"a\\d\" } }\n",
     "conf:2: \"\\d\" means nothing in double quotes; write \"\\\\d\", or use single quotes\n"},
    {LISTENER "hostname = \"a\\x00b\"\n", "conf:2: a value can't have a NUL byte\n"},
    {LISTENER "hostname = \"${A B}\"\n", "conf:2: \"${A B}\" names no variable\n"},
    /* syntax */
    {LISTENER "workers 3\nmax-hops = x\n",
     "conf:3: unexpected \"max-hops\" where = or { is wanted\n"},
    {LISTENER "hostname = \"a\nworkers = 2\n", "conf:2: the quotes are not closed on this line\n"},
    {LISTENER "/* a\n comment\n", "conf:2: the comment is not closed\n"},
    {LISTENER "log {\n\tto = \"stderr\"\n", "conf:2: the section is not closed\n"},
    {LISTENER "}\n", "conf:2: unexpected \"}\" where an option or a section is wanted\n"},
    {LISTENER "workers =\n", "conf:3: the file ends where a value is wanted\n"},
    {LISTENER "trusted-networks = { \"::1\" \"127.0.0.1\" }\n",
     "conf:2: unexpected \"\"127.0.0.1\"\" where a comma or } is wanted\n"},
    {LISTENER "trusted-networks += { \"::1\" }\n",
     "conf:2: unexpected character '+'; values stand in quotes\n"},
    {LISTENER "domain *.example.net { }\n",
     "conf:2: unexpected character '*'; values stand in quotes\n"},
    {"a { b { c { d { e { f { g { h { i { j { } } } } } } } } } }\n",
     "conf:1: unknown section \"a\"\n"},
    /* listeners */
    {"workers = 1\n",
     "conf: no listener: listener \"mx\" { address = { \"0.0.0.0:25\", \"[::]:25\" } }\n"},
    {"", "conf: no listener: listener \"mx\" { address = { \"0.0.0.0:25\", \"[::]:25\" } }\n"},
    {"listener \"mx\" {\n\taddress = { }\n}\n", "conf:2: listener \"mx\": no address\n"},
    {"listener \"mx\" {\n\taddress = {\n\t\t\"127.0.0.1\"\n\t}\n}\n",
     "conf:3: listener \"mx\": address: \"127.0.0.1\" is not an address with a port, such as "
     "\"0.0.0.0:25\" or \"[::]:25\"\n"},
    {"listener \"mx\" { address = { \"::1:25\" } }\n",
     "conf:1: listener \"mx\": address: \"::1:25\" is not an address with a port, such as "
     "\"0.0.0.0:25\" or \"[::]:25\"\n"},
    {"listener \"mx\" { address = { \"127.0.0.1:70000\" } }\n",
     "conf:1: listener \"mx\": address: \"127.0.0.1:70000\" is not an address with a port, such as "
     "\"0.0.0.0:25\" or \"[::]:25\"\n"},
    {LISTENER
     "listener \"other\" {\n\taddress = {\n\t\t\"127.0.0.1:2526\",\n\t\t\"127.0.0.1:2525\" }\n}\n",
     "conf:5: listener \"other\": address \"127.0.0.1:2525\" is taken by \"127.0.0.1:2525\" of "
     "listener \"mx\"\n"},
    {LISTENER "listener \"all\" { address = { \"0.0.0.0:2525\" } }\n",
     "conf:2: listener \"all\": address \"0.0.0.0:2525\" is taken by \"127.0.0.1:2525\" of "
     "listener "
     "\"mx\"\n"},
    /* routes */
    {LISTENER "route \"a\" {\n}\n",
     "conf:2: route \"a\" has no hosts: hosts = { \"smtp://192.0.2.1:25\" }\n"},
    {LISTENER
     "route \"a\" { hosts = {\n\"smtp://127.0.0.1\",\n\"smtp://no.such.host.invalid\" } }\n",
     "conf:4: route \"a\": hosts: \"smtp://no.such.host.invalid\" is neither an address nor a name "
     "in /etc/hosts\n"},
    {LISTENER "route \"a\" { hosts = \"127.0.0.1:25\" }\n",
     "conf:2: route \"a\": hosts: \"127.0.0.1:25\" is none of smtp://host:port, lmtp://host:port, "
     "smtps://host:port, lmtps://host:port, lmtp:/path, maildir:/path\n"},
    {LISTENER "route \"a\" { hosts = \"smtp://::1:25\" }\n",
     "conf:2: route \"a\": hosts: \"smtp://::1:25\" is not host:port; an IPv6 address stands in "
     "brackets\n"},
    {LISTENER "route \"a\" { hosts = \"maildir:/m/%h\" }\n",
     "conf:2: route \"a\": hosts: \"maildir:/m/%h\" has a % that is neither %d (domain) nor %u "
     "(user)\n"},
    {LISTENER "route \"a\" { hosts = \"lmtp:\" }\n",
     "conf:2: route \"a\": hosts: \"lmtp:\" has no path\n"},
    {LISTENER "route \"a\" { hosts = { \"maildir:/m\", \"smtp://127.0.0.1\" } }\n",
     "conf:2: route \"a\": hosts: a Maildir and a server can't stand in for each other\n"},
    /* domains */
    {LISTENER ROUTE "domain \"x.test\" {\n\troute = \"stoer\"\n}\n",
     "conf:4: domain \"x.test\": route: no route \"stoer\"\n"},
    {LISTENER
     "route \"store\" { hosts = \"smtp://127.0.0.1\" }\ndomain \"x.test\" { route = \"stoer\" }\n",
     "conf:3: domain \"x.test\": route: no route \"stoer\"; nearest: store\n"},
    {LISTENER ROUTE "domain \"x.test\" { }\n",
     "conf:3: domain \"x.test\" has no route: route = \"name\"\n"},
    {LISTENER ROUTE "domain \"x..test\" { route = \"a\" }\n",
     "conf:3: domain \"x..test\": that is no domain name\n"},
    {LISTENER ROUTE "domain \"x.test\" { route = \"a\"\ncheck \"relay\" {\n mode = \"off\" } }\n",
     "conf:5: domain \"x.test\": check \"relay\": mode: this check can't be off or monitored\n"},
    {LISTENER ROUTE "domain \"x.test\" { route = \"a\" log { } }\n",
     "conf:3: unknown section \"log\" in domain \"x.test\"\n"},
    {LISTENER "check \"relay\" { route = \"out\" }\n",
     "conf:2: check \"relay\": route: no route \"out\"\n"},
    /* limits */
    {LISTENER "limit \"x\" { by = \"ip4/33\"  messages = \"1/1m\" }\n",
     "conf:2: limit \"x\": by: \"ip4/33\" is none of \"ip4/N, ip6/N\", sender, sender-domain, "
     "recipient-domain, login\n"},
    {LISTENER "limit \"x\" { by = \"ip4/24, ip4/32\"  messages = \"1/1m\" }\n",
     "conf:2: limit \"x\": by: \"ip4/24, ip4/32\" is none of \"ip4/N, ip6/N\", sender, "
     "sender-domain, recipient-domain, login\n"},
    {LISTENER "limit \"x\" {\n by = \"sender\"\n connections = \"1/1m\" }\n",
     "conf:4: limit \"x\": connections: a connection has no sender yet; count them by ip4/N, "
     "ip6/N\n"},
    {LISTENER "limit \"x\" { }\n",
     "conf:2: limit \"x\" limits nothing: set connections, messages, recipients or bytes\n"},
    {LISTENER "limit \"x\" { messages = \"1/1m\" on = { \"mxx\" } }\n",
     "conf:2: limit \"x\": on: no listener \"mxx\"; nearest: mx\n"},
    /* patterns and files */
    {LISTENER "check \"subject\" {\n patterns = { 'a',\n 'b(' } }\n",
     "conf:4: pattern \"b(\": missing closing parenthesis at offset 2\n"},
    {LISTENER "check \"subject\" { patterns-file = \"/nonexistent/subjects\" }\n",
     "conf:2: check \"subject\": patterns-file: cannot read \"/nonexistent/subjects\": No such "
     "file "
     "or directory\n"},
    {LISTENER "check \"subject\" { patterns-file = \"/tmp\" }\n",
     "conf:2: check \"subject\": patterns-file: cannot read \"/tmp\": Is a directory\n"},
    {LISTENER "check \"subject\" { patterns-file = \"/dev/zero\" }\n",
     "conf:2: check \"subject\": patterns-file: cannot read \"/dev/zero\": Invalid argument\n"},
    /* header rules, extensions */
    {LISTENER "header-rule \"a\" { field = \"X\" }\n",
     "conf:2: header-rule \"a\" has no pattern\n"},
    {LISTENER "header-rule \"a\" { pattern = \"x\" }\n",
     "conf:2: header-rule \"a\" looks at no field: field = { \"Subject\" }, or \"*\"\n"},
    {LISTENER "header-rule \"a\" {\n field = { \"X\", \"a b\" }\n pattern = \"x\" }\n",
     "conf:3: header-rule \"a\": field: \"a b\" is no name of a header field\n"},
    {LISTENER "header-rule \"a\" {\n field = \"X\"\n pattern = { 'x',\n '[' } }\n",
     "conf:5: pattern \"[\": missing terminating ] for character class at offset 1\n"},
    {LISTENER "header-rule \"a\" { field = \"X\" pattern = \"x\" action = \"drop\" }\n",
     "conf:2: header-rule \"a\": action: \"drop\" is not refuse, defer or note\n"},
    {LISTENER "check \"attachment\" {\n extensions = { \"exe\", \"tar.gz\" } }\n",
     "conf:3: \"tar.gz\" is no extension of a file's name, such as exe\n"},
    /* failed logins */
    {LISTENER "auth {\n failures = \"10\" }\n",
     "conf:3: auth: failures: \"10\" is not a rate, such as \"100/1h\"\n"},
    {LISTENER "auth {\n block = \"48h\" }\n", "conf:2: auth: block-max is less than block\n"},
    {LISTENER "auth {\n delay = \"5s\"\n delay-max = \"4s\" }\n",
     "conf:4: auth: delay-max is less than delay\n"},
    {LISTENER "auth-network \"office\" { failures = \"100/10m\" }\n",
     "conf:2: auth-network \"office\" has no networks: networks = { \"192.0.2.0/24\" }\n"},
    /* anti-virus */
    {LISTENER "max-message-size = \"60M\"\ncheck \"antivirus\" { required = true }\n",
     "conf:3: check \"antivirus\": max-size is 50M, but max-message-size 60M: a message that is "
     "taken must be scanned whole\n"},
    {LISTENER "clamav {\n clamd = \"127.0.0.1:3310\" }\n",
     "conf:3: clamav: clamd: \"127.0.0.1:3310\" is neither \"unix:/path\" nor "
     "\"tcp://address:port\"\n"},
    {LISTENER "clamav {\n clamd = \"unix:\" }\n",
     "conf:3: clamav: clamd: \"unix:\" is neither \"unix:/path\" nor \"tcp://address:port\"\n"},
    {LISTENER "clamav {\n max-scan-size = \"40M\" }\n",
     "conf:3: clamav: max-scan-size is less than max-size of check \"antivirus\"\n"},
    /* all of them at once, in their order; comments count their lines */
    {"# a\n/* b\n c */ workers = 99 // d\n" LISTENER
     "max-hops = \"a\"\nnonsense = 1\nmode = \"x\"\n",
     "conf:3: workers: \"99\" is out of range, 0 to 64\n"
     "conf:5: max-hops: \"a\" is not a whole number\n"
     "conf:6: unknown option \"nonsense\"\n"
     "conf:7: mode: \"x\" is not enforce, monitor or soft\n"},
};

START_TEST(mistake_is_one_line_with_its_place)
{
	char mistakes[4096];
	struct config *c = load(bad[_i].text, NULL, mistakes, sizeof(mistakes), NULL);

	ck_assert_str_eq(mistakes, bad[_i].mistakes);
	ck_assert_ptr_null(c);
}
END_TEST

/* Asked as root only: nobody else becomes another user. */
START_TEST(users_are_there)
{
	char mistakes[4096];
	struct config *c = load("user = \"nobody-here\"\n\njail-user = \"nor-here\"\n"
				"listener \"mx\" { address = { \"127.0.0.1:1\" } }\n",
				NULL, mistakes, sizeof(mistakes), NULL);

	ck_assert_str_eq(mistakes, geteuid() != 0
				       ? ""
				       : "conf:1: user: there is no user \"nobody-here\"\n"
					 "conf:3: jail-user: there is no user \"nor-here\"\n");
	config_free(c);
}
END_TEST

START_TEST(missing_file_is_said)
{
	char *said = NULL;
	size_t n = 0;
	FILE *err = open_memstream(&said, &n);

	ck_assert_ptr_null(config_load("/nonexistent/gatepost.conf", NULL, err, NULL));
	fclose(err);
	ck_assert_str_eq(said,
			 "/nonexistent/gatepost.conf: cannot read: No such file or directory\n");
	free(said);
}
END_TEST

START_TEST(nul_byte_is_refused)
{
	static const char text[] = "workers = 1\n\0workers = 2\n";
	char *said = NULL;
	size_t n = 0;
	FILE *err = open_memstream(&said, &n);

	write_file(path, text, sizeof(text) - 1);
	ck_assert_ptr_null(config_load(path, NULL, err, NULL));
	fclose(err);
	ck_assert_ptr_nonnull(strstr(said, ":2: the file has a NUL byte"));
	free(said);
}
END_TEST

/* libconfuse stays inside an unclosed string for the next file: a reload after a broken one. */
START_TEST(a_broken_file_leaves_nothing_behind)
{
	static const char *const broken[] = {"hostname = \"a", "/* b", "hostname = 'c",
					     "log { to = "};
	char mistakes[4096];

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		ck_assert_ptr_null(load(broken[i], NULL, mistakes, sizeof(mistakes), NULL));
		config_free(load_good(LISTENER));
	}
}
END_TEST

/* --- what a good file comes to */

static const char good[] =
    "hostname = 'mx1.example.net'  workers = 3   mode = soft\n"
    "max-message-size = \"10M\"\n"
    "command-timeout = \"90\"\n"
    "trusted-networks = { \"192.0.2.0/24\", \"2001:db8::/32\", }\n"
    "state-dir = \"./state\"\n"
    "help-url = \"https://${GATEPOST_TEST:-why}.example.net/\"\n"
    "listener \"mx\" { address = { \"0.0.0.0:2525\", \"[::]:2525\" } proxy-from = \"198.51.100.1\" "
    "}\n"
    "listener \"two\" { address = \"127.0.0.1:2526\" }\n"
    "route \"store\" { hosts = { \"lmtp://127.0.0.1\", \"smtp://[::1]:2500/\", \"lmtp:/run/x\" }\n"
    "	balance = \"round-robin\" }\n"
    "route \"mail\" { hosts = { \"maildir:./m/%d/%u\" } }\n"
    "route \"out\" { hosts = \"smtp://localhost\" client-info = \"xclient\" }\n"
    "domain \"*.example.net\" { route = \"mail\" }\n"
    "domain \"*.b.example.net\" { route = \"store\" }\n"
    "domain \"Example.NET\" { route = \"store\" recipients = list }\n"
    "domain \"b\xc3\xbc"
    "cher.example\" { route = \"store\" check \"helo-ip\" { mode = \"off\" } }\n"
    "domain \"strict.test\" { route = \"store\" check \"subject\" { patterns = { 'viagra' } } }\n"
    "domain \"strict2.test\" { route = \"store\" check \"subject\" { patterns = 'viagra' } }\n"
    "limit \"net\" { by = \"ip4/24, ip6/48\" on = \"two\" messages = { \"100/1m\", \"1000/1h\" } "
    "}\n"
    "limit \"login\" { by = login bytes = \"1G/1d\" own = true }\n"
    "auth { attempts = 1 failures = \"5/1m\" block = \"2h\" block-max = \"2d\" }\n"
    "auth-network \"office\" { networks = { \"203.0.113.0/28\", \"2001:db8::/32\" } }\n"
    "header-rule \"bulk\" { field = { \"X-Mailer\", \"*\" } pattern = 'bulk\\d' action = defer }\n"
    "check \"attachment\" { extensions = { \".EXE\" } max-parts = 7 }\n"
    "check \"relay\" { route = \"out\" }\n"
    "check \"empty-reply-to\" { mode = \"enforce\" }\n";

static const struct domain *domain_of(const struct config *c, const char *name)
{
	return config_domain(c, text_of(name));
}

START_TEST(good_file_has_its_values)
{
	struct config *c = load_good(good);
	char here[4096], state[4200];

	ck_assert(text_eq(c->global.hostname, LIT("mx1.example.net")));
	ck_assert_int_eq(c->global.workers, 3);
	ck_assert_int_eq(c->global.mode, RUN_SOFT);
	ck_assert_uint_eq(c->global.max_message_size, 10 << 20);
	ck_assert_int_eq(c->global.command_timeout, 90000000);
	ck_assert_int_eq(c->global.max_sessions, 40000);
	ck_assert_uint_eq(c->global.trusted_networks.n, 2);
	ck_assert(text_eq(c->global.help_url, LIT("https://why.example.net/")));
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(state, sizeof(state), "%s/state", here);
	ck_assert(text_eq(c->global.state_dir, text_of(state)));
	ck_assert_int_eq(c->base.empty_reply_to.mode, MODE_ENFORCE);
	ck_assert_int_eq(c->base.empty_reply_to.line, 26);
	ck_assert_int_eq(c->auth.attempts, 1);
	ck_assert_uint_eq(c->auth.failures.n, 5);
	ck_assert_int_eq(c->auth.block_max, INT64_C(2) * 86400 * 1000000);
	ck_assert_uint_eq(c->auth_network_count, 1);
	ck_assert_uint_eq(c->auth_networks[0].set.networks.n, 2);
	ck_assert_uint_eq(c->auth_networks[0].set.failures.n, 100);
	ck_assert_int_eq(c->base.early_talker.mode, MODE_MONITOR);
	ck_assert(c->base.helo_ip.literals);
	ck_assert_ptr_eq(c->base.global, &c->global);
	config_free(c);
}
END_TEST

START_TEST(listeners_and_routes_are_resolved)
{
	struct config *c = load_good(good);
	const struct route *store = &c->routes[0];
	struct ip loopback;

	ck_assert_uint_eq(c->listener_count, 2);
	ck_assert_uint_eq(c->listeners[0].address_count, 2);
	ck_assert(c->listeners[0].addresses[0].any && ip_is4(&c->listeners[0].addresses[0].ip));
	ck_assert(c->listeners[0].addresses[1].any && !ip_is4(&c->listeners[0].addresses[1].ip));
	ck_assert_uint_eq(c->listeners[1].addresses[0].port, 2526);
	ck_assert(!c->listeners[1].addresses[0].any);
	ck_assert_uint_eq(c->listeners[0].set.proxy_from.n, 1);

	ck_assert_uint_eq(store->host_count, 3);
	ck_assert_int_eq(store->hosts[0].kind, HOP_LMTP);
	ck_assert_uint_eq(store->hosts[0].port, 24);
	ck_assert_int_eq(store->hosts[1].kind, HOP_SMTP);
	ck_assert_uint_eq(store->hosts[1].port, 2500);
	ck_assert(ip_parse(LIT("::1"), &loopback) && ip_eq(&store->hosts[1].ip, &loopback));
	ck_assert(text_eq(store->hosts[2].path, LIT("/run/x")));
	ck_assert_int_eq(store->set.balance, BALANCE_ROUND_ROBIN);
	ck_assert_int_eq(c->routes[1].hosts[0].kind, HOP_MAILDIR);
	ck_assert_int_eq(c->routes[1].hosts[0].path.p[0], '/');
	ck_assert_uint_ge(c->routes[2].host_count, 1);
	ck_assert_int_eq(c->routes[2].set.connection, CONNECTION_HOLD);
	ck_assert_ptr_eq(c->relay_route, &c->routes[2]);
	config_free(c);
}
END_TEST

START_TEST(domains_are_found_exactly_then_by_the_longest_wildcard)
{
	struct config *c = load_good(good);
	const struct domain *exact = domain_of(c, "example.net");

	ck_assert(exact && !exact->subdomains && exact->set.recipients == RECIPIENTS_LIST);
	ck_assert(text_eq(domain_of(c, "a.example.net")->set.name, LIT("*.example.net")));
	ck_assert(text_eq(domain_of(c, "b.example.net")->set.name, LIT("*.example.net")));
	ck_assert(text_eq(domain_of(c, "x.b.example.net")->set.name, LIT("*.b.example.net")));
	ck_assert(text_eq(domain_of(c, "x.y.b.example.net")->set.name, LIT("*.b.example.net")));
	ck_assert_ptr_nonnull(domain_of(c, "xn--bcher-kva.example"));
	ck_assert_ptr_null(domain_of(c, "example.org"));
	ck_assert_ptr_null(domain_of(c, "net"));
	ck_assert_ptr_null(domain_of(c, "badexample.net"));
	ck_assert_ptr_null(domain_of(c, ""));
	config_free(c);
}
END_TEST

START_TEST(domains_override_checks_and_group_by_route_and_content)
{
	struct config *c = load_good(good);
	const struct domain *plain = domain_of(c, "example.net"),
			    *maildir = domain_of(c, "a.example.net"),
			    *helo = domain_of(c, "xn--bcher-kva.example"),
			    *strict = domain_of(c, "strict.test"),
			    *strict2 = domain_of(c, "strict2.test");

	ck_assert_ptr_eq(plain->settings, &c->base);
	ck_assert_int_eq(helo->settings->helo_ip.mode, MODE_OFF);
	ck_assert(helo->settings->helo_ip.literals);
	ck_assert_int_eq(helo->settings->relay.mode, MODE_ENFORCE);
	ck_assert_int_eq(c->base.helo_ip.mode, MODE_ENFORCE);
	ck_assert_ptr_eq(helo->settings->subject_patterns, c->base.subject_patterns);
	ck_assert_ptr_ne(strict->settings->subject_patterns, c->base.subject_patterns);

	ck_assert_uint_eq(plain->group, helo->group); /* HELO says nothing about content */
	ck_assert_uint_ne(plain->group, maildir->group);
	ck_assert_uint_ne(plain->group, strict->group);
	ck_assert_uint_ne(maildir->group, strict->group);
	ck_assert_uint_eq(strict->group, strict2->group);
	config_free(c);
}
END_TEST

START_TEST(limits_are_resolved)
{
	struct config *c = load_good(good);

	ck_assert_uint_eq(c->limit_count, 2);
	ck_assert_int_eq(c->limits[0].by, LIMIT_BY_CLIENT);
	ck_assert_uint_eq(c->limits[0].bits4, 24);
	ck_assert_uint_eq(c->limits[0].bits6, 48);
	ck_assert_uint_eq(c->limits[0].listeners, 2);
	ck_assert_uint_eq(c->limits[0].windows[UNIT_MESSAGES]->n, 2);
	ck_assert_uint_eq(c->limits[0].windows[UNIT_MESSAGES]->v[1].n, 1000);
	ck_assert_uint_eq(c->limits[0].windows[UNIT_BYTES]->n, 0);
	ck_assert_int_eq(c->limits[1].by, LIMIT_BY_LOGIN);
	ck_assert_uint_eq(c->limits[1].listeners, UINT64_MAX);
	ck_assert(c->limits[1].set.own);
	config_free(c);

	c = load_good(LISTENER); /* strangers are limited where nothing is said */
	ck_assert_uint_eq(c->limit_count, 1);
	ck_assert_uint_eq(c->limits[0].windows[UNIT_MESSAGES]->n, 2);
	ck_assert_uint_eq(c->limits[0].bits4, 32);
	ck_assert_uint_eq(c->limits[0].bits6, 64);
	ck_assert(!c->limits[0].set.own);
	config_free(c);
}
END_TEST

START_TEST(trusted_networks_are_both_families)
{
	struct config *c = load_good(good);
	struct ip ip;

	ck_assert(ip_parse(LIT("192.0.2.77"), &ip) && config_trusted(c, &ip));
	ck_assert(ip_parse(LIT("192.0.3.77"), &ip) && !config_trusted(c, &ip));
	ck_assert(ip_parse(LIT("2001:db8::5"), &ip) && config_trusted(c, &ip));
	ck_assert(ip_parse(LIT("2001:db9::5"), &ip) && !config_trusted(c, &ip));
	config_free(c);
}
END_TEST

/* --- command line */

START_TEST(command_line_overrides_the_file)
{
	static const char *const overrides[] = {"workers=7",
						"log.to=journal",
						"helo-ip.mode=off",
						"check.subject.mode=monitor",
						"trusted-networks=10.0.0.0/8, ::1",
						"listener.mx.address=127.0.0.1:2600",
						NULL};
	char mistakes[4096];
	struct config *c = load(good, overrides, mistakes, sizeof(mistakes), NULL);

	ck_assert_msg(c != NULL, "%s", mistakes);
	ck_assert_int_eq(c->global.workers, 7);
	ck_assert_int_eq(c->global.lines[1], -1); /* workers is the second option */
	ck_assert_int_eq(c->log.to, 2);
	ck_assert_int_eq(c->base.helo_ip.mode, MODE_OFF);
	ck_assert_int_eq(c->base.subject.mode, MODE_MONITOR);
	ck_assert_uint_eq(c->global.trusted_networks.n, 2);
	ck_assert_uint_eq(c->listeners[0].address_count, 1);
	config_free(c);
}
END_TEST

START_TEST(command_line_mistakes_are_said)
{
	static const char *const overrides[] = {"worker=7",  "nothing",      "logg.to=x",
						"workers=x", "listener.x=1", NULL};
	char mistakes[4096];

	ck_assert_ptr_null(load(LISTENER, overrides, mistakes, sizeof(mistakes), NULL));
	ck_assert_str_eq(mistakes, "command line: unknown option \"worker\"; nearest: workers\n"
				   "command line: \"nothing\" is not of the form name=value\n"
				   "command line: no section \"logg\" to set to in\n"
				   "command line: no section \"listener\" to set x in\n"
				   "command line: workers: \"x\" is not a whole number\n");
}
END_TEST

/* --- printing and bundles */

static char *printed(const struct config *c, bool origins)
{
	char *text = NULL, *to;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	config_print(c, out);
	fclose(out);
	if (origins)
		return text;
	to = text;
	for (const char *from = text; *from;) {
		if (strncmp(from, "  # ", 4) == 0)
			from += strcspn(from, "\n");
		else
			*to++ = *from++;
	}
	*to = '\0';
	return text;
}

START_TEST(what_is_printed_reads_back_the_same)
{
	struct config *first = load_good(good), *second;
	char *once = printed(first, false), *twice;

	second = load_good(once);
	twice = printed(second, false);
	ck_assert_str_eq(once, twice);
	ck_assert_uint_eq(first->domain_count, second->domain_count);
	for (size_t i = 0; i < first->domain_count; i++)
		ck_assert_uint_eq(first->domains[i].group, second->domains[i].group);
	free(once);
	free(twice);
	config_free(first);
	config_free(second);
}
END_TEST

START_TEST(what_is_printed_says_where_it_comes_from)
{
	static const char *const overrides[] = {"max-hops=7", NULL};
	char mistakes[4096], line[256];
	struct config *c = load(good, overrides, mistakes, sizeof(mistakes), NULL);
	char *text = printed(c, true);

	snprintf(line, sizeof(line), "workers = 3  # %s:1\n", path);
	ck_assert_ptr_nonnull(strstr(text, line));
	ck_assert_ptr_nonnull(strstr(text, "max-errors = 20  # default\n"));
	ck_assert_ptr_nonnull(strstr(text, "max-hops = 7  # command line\n"));
	free(text);
	config_free(c);
}
END_TEST

START_TEST(strange_texts_survive_printing)
{
	struct config *c =
	    load_good(LISTENER "clamav { database = \"/x/\\\"\\\\\\t\\x7f\\${A}'#//\" }\n"
			       "check \"subject\" { patterns = { '\\d+\\s\"', 'a, b' } }\n");
	char *text = printed(c, false);
	struct config *again = load_good(text);

	ck_assert(text_eq(c->clamav.database, LIT("/x/\"\\\t\x7f${A}'#//")));
	ck_assert(text_eq(again->clamav.database, c->clamav.database));
	ck_assert_uint_eq(again->base.subject.patterns.n, 2);
	ck_assert(text_eq(again->base.subject.patterns.v[0], LIT("\\d+\\s\"")));
	ck_assert(text_eq(again->base.subject.patterns.v[1], LIT("a, b")));
	free(text);
	config_free(c);
	config_free(again);
}
END_TEST

START_TEST(bundle_is_the_same_whatever_became_of_the_files)
{
	static const char *const overrides[] = {"workers=9", NULL};
	char text[1024], mistakes[4096], *before, *after;
	struct config *c, *child;
	int fd = -1;

	write_file(extra, "# list\nviagra\n", strlen("# list\nviagra\n"));
	snprintf(text, sizeof(text),
		 LISTENER "hostname = \"${GATEPOST_NAME}\"\nstate-dir = \"here\"\n"
			  "check \"subject\" { patterns-file = \"%s\" }\n",
		 extra);
	setenv("GATEPOST_NAME", "mx7.example.net", 1);
	c = load(text, overrides, mistakes, sizeof(mistakes), &fd);
	ck_assert_msg(c != NULL, "%s", mistakes);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	ck_assert_int_lt(write(fd, "x", 1), 0);

	unlink(path);
	unlink(extra);
	unsetenv("GATEPOST_NAME");
	ck_assert_int_eq(chdir("/"), 0);
	child = config_load_bundle(fd, stderr);
	ck_assert_ptr_nonnull(child);
	before = printed(c, true);
	after = printed(child, true);
	ck_assert_str_eq(before, after);
	ck_assert(text_eq(child->global.hostname, LIT("mx7.example.net")));
	ck_assert_int_eq(child->global.workers, 9);
	free(before);
	free(after);
	config_free(c);
	config_free(child);
	close(fd);
}
END_TEST

START_TEST(what_is_no_bundle_is_refused)
{
	static const char *const contents[] = {"", "x", "gatepost-config 1\nm",
					       "gatepost-config 1\n"};

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		int fd = memfd_create("test", 0);
		char *said = NULL;
		size_t n = 0;
		FILE *err = open_memstream(&said, &n);

		ck_assert_int_ge(write(fd, contents[i], strlen(contents[i])), 0);
		ck_assert_ptr_null(config_load_bundle(fd, err));
		fclose(err);
		ck_assert_ptr_nonnull(
		    strstr(said, "cannot read the configuration from descriptor"));
		free(said);
		close(fd);
	}
}
END_TEST

/* Providers host many domains; each child reads them all. */
START_TEST(ten_thousand_domains_load)
{
	enum { N = 10000 };
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct config *c;

	fputs(LISTENER ROUTE, f);
	for (int i = 0; i < N; i++)
		fprintf(f, "domain \"d%d.example.net\" { route = \"a\" }\n", i);
	fclose(f);
	c = load_good(text);
	ck_assert_uint_eq(c->domain_count, N);
	ck_assert_ptr_nonnull(domain_of(c, "d7777.example.net"));
	ck_assert_ptr_null(domain_of(c, "d10000.example.net"));
	config_free(c);
	free(text);
}
END_TEST

/* A shipped file as it is before it is installed: what it names stands beside it. */
static struct config *load_shipped(const char *file)
{
	static const char installed[] = "/etc/gatepost/";
	char text[32768], *at = text;
	FILE *in = fopen(file, "r");

	ck_assert_ptr_nonnull(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	while ((at = strstr(at, installed))) {
		memcpy(at, "etc/", 4);
		memmove(at + 4, at + sizeof(installed) - 1, strlen(at + sizeof(installed) - 1) + 1);
	}
	return load_good(text);
}

/* The shipped files, from the top of the source as tests are run. */
START_TEST(shipped_files_are_good)
{
	struct config *c = load_shipped("etc/embedded.conf");

	ck_assert(extensions_have(c->base.extensions, "mde"));
	config_free(c);
	c = load_shipped("etc/gatepost.conf");
	ck_assert(extensions_have(c->base.extensions, "mde"));
	ck_assert(extensions_have(c->base.extensions, "{clsid}"));
	ck_assert(!extensions_have(c->base.extensions, "zip"));
	config_free(c);
}
END_TEST

/* The lists that it has, with the answers that count today, and those that must not. */
static const struct shipped_list {
	const char *name;
	enum check_mode mode;
	int64_t weight;
	const char *listed[8], *others[8];
} shipped_lists[] = {
    {"zen.spamhaus.org",
     MODE_ENFORCE,
     10,
     {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9", "127.0.0.10", "127.0.0.11"},
     {"127.0.0.1", "127.0.0.5", "127.0.0.30", "127.255.255.252", "127.255.255.254",
      "127.255.255.255", "192.0.2.1"}},
    {"bl.spamcop.net", MODE_ENFORCE, 5, {"127.0.0.2"}, {"127.0.0.1", "127.0.0.3"}},
    {"hostkarma.junkemailfilter.com",
     MODE_MONITOR,
     5,
     {"127.0.0.2"},
     {"127.0.0.1", "127.0.0.3", "127.0.0.4", "127.0.0.5"}},
    {"bl.spameatingmonkey.net",
     MODE_MONITOR,
     5,
     {"127.0.0.2", "127.0.0.3"},
     {"127.0.0.1", "127.0.0.4"}},
    {"cbl.abuseat.org",
     MODE_OFF,
     10,
     {"127.0.0.2"},
     {"127.0.0.1", "127.255.255.252", "127.255.255.254"}},
};

static bool counts(const struct dnsbl *d, const char *address)
{
	struct dns_record record = {0};
	const struct dns_answer a = {.status = DNS_OK, .records = &record, .count = 1};

	ck_assert(ip_parse(text_of(address), &record.ip));
	return dnsbl_listing(d, &a) != NULL;
}

static const struct dnsbl *list_of(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->dnsbl_count; i++) {
		if (text_eq(c->dnsbls[i].set.name, text_of(name)))
			return &c->dnsbls[i];
	}
	ck_abort_msg("no list %s", name);
	return NULL;
}

START_TEST(shipped_lists_have_todays_codes)
{
	struct config *c = load_shipped("etc/gatepost.conf");

	for (size_t i = 0; i < sizeof(shipped_lists) / sizeof(shipped_lists[0]); i++) {
		const struct shipped_list *want = &shipped_lists[i];
		const struct dnsbl *d = list_of(c, want->name);

		ck_assert_int_eq(d->set.mode, want->mode);
		ck_assert_int_eq(d->set.weight, want->weight);
		ck_assert(text_istarts(d->set.url, LIT("https://")));
		for (int k = 0; want->listed[k]; k++)
			ck_assert_msg(counts(d, want->listed[k]), "%s %s", want->name,
				      want->listed[k]);
		for (int k = 0; want->others[k]; k++)
			ck_assert_msg(!counts(d, want->others[k]), "%s %s", want->name,
				      want->others[k]);
	}
	config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *r = srunner_create(s);
	int failed;

	unsetenv("GATEPOST_UNSET");
	unsetenv("GATEPOST_TEST");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, mistake_is_one_line_with_its_place, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, users_are_there);
	tcase_add_test(t, missing_file_is_said);
	tcase_add_test(t, nul_byte_is_refused);
	tcase_add_test(t, a_broken_file_leaves_nothing_behind);
	tcase_add_test(t, good_file_has_its_values);
	tcase_add_test(t, listeners_and_routes_are_resolved);
	tcase_add_test(t, domains_are_found_exactly_then_by_the_longest_wildcard);
	tcase_add_test(t, domains_override_checks_and_group_by_route_and_content);
	tcase_add_test(t, limits_are_resolved);
	tcase_add_test(t, trusted_networks_are_both_families);
	tcase_add_test(t, command_line_overrides_the_file);
	tcase_add_test(t, command_line_mistakes_are_said);
	tcase_add_test(t, what_is_printed_reads_back_the_same);
	tcase_add_test(t, what_is_printed_says_where_it_comes_from);
	tcase_add_test(t, strange_texts_survive_printing);
	tcase_add_test(t, bundle_is_the_same_whatever_became_of_the_files);
	tcase_add_test(t, what_is_no_bundle_is_refused);
	tcase_add_test(t, ten_thousand_domains_load);
	tcase_add_test(t, shipped_files_are_good);
	tcase_add_test(t, shipped_lists_have_todays_codes);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
