/* One connection to a next hop (worker/delivery/hop.h). */
#include "worker/delivery/hop.h"

#include "worker/delivery/client_info.h"
#include "worker/delivery/hop_secure.h"
#include "worker/delivery/host.h"
#include "worker/delivery/response_read.h"

#include <errno.h>
#include <sys/socket.h>

const char *hop_result_text(enum hop_result r)
{
	static const char *const texts[] = {
	    [HOP_OK] = "no error",
	    [HOP_REFUSED] = "it refuses to serve",
	    [HOP_GONE] = "it closed the connection",
	    [HOP_SILENT] = "no answer in time",
	    [HOP_NONSENSE] = "its answer is no reply of SMTP",
	    [HOP_INSECURE] = "no TLS",
	    [HOP_CANCELLED] = "cancelled",
	    [HOP_OURS] = "no memory or descriptors",
	};
	return texts[r];
}

enum hop_result hop_result_of(enum conn_result r)
{
	switch (r) {
	case CONN_OK:
		return HOP_OK;
	case CONN_TIMEOUT:
		return HOP_SILENT;
	case CONN_LINE_TOO_LONG:
	case CONN_FLOOD:
		return HOP_NONSENSE;
	case CONN_CANCELLED:
		return HOP_CANCELLED;
	case CONN_NO_MEMORY:
		return HOP_OURS;
	default:
		return HOP_GONE;
	}
}

void hop_put(struct hop *h, struct text t)
{
	conn_put(&h->conn, t.p, t.n);
}

void hop_put_u64(struct hop *h, uint64_t n)
{
	char digits[24];
	struct buf b = buf_over(digits, sizeof(digits));

	buf_u64(&b, n);
	hop_put(h, buf_view(&b));
}

static enum hop_result read_reply(struct hop *h, int64_t timeout_us, struct response *r,
				  void (*each)(void *h, struct text line))
{
	int64_t deadline_us = loop_now_us(h->host->routes->loop) + timeout_us;
	bool nonsense;
	enum conn_result got = response_read(&h->conn, deadline_us, r, each, h, &nonsense);

	if (got != CONN_OK)
		return hop_result_of(got);
	if (nonsense)
		return HOP_NONSENSE;
	return r->code == 421 ? HOP_GONE : HOP_OK;
}

enum hop_result hop_read(struct hop *h, int64_t timeout_us, struct response *r)
{
	return read_reply(h, timeout_us, r, NULL);
}

/* ---- Opening */

/* XFORWARD or XCLIENT counts where the route asks for it. */
static void note_client_info(struct hop *h, struct text keyword, struct text parameter)
{
	int wanted = h->host->route->set.client_info;
	unsigned bit = 0;

	if (wanted == CLIENT_INFO_XFORWARD && text_ieq(keyword, LIT("XFORWARD")))
		bit = HOP_XFORWARD;
	if (wanted == CLIENT_INFO_XCLIENT && text_ieq(keyword, LIT("XCLIENT")))
		bit = HOP_XCLIENT;
	if (!bit)
		return;
	h->offers |= bit;
	h->info = client_info_attributes(parameter);
}

static void note_extension(void *hop, struct text line)
{
	static const struct {
		const char *keyword;
		unsigned bit;
	} known[] = {
	    {"PIPELINING", HOP_PIPELINING}, {"8BITMIME", HOP_8BITMIME}, {"SIZE", HOP_SIZE},
	    {"SMTPUTF8", HOP_SMTPUTF8},     {"DSN", HOP_DSN},           {"CHUNKING", HOP_CHUNKING},
	    {"STARTTLS", HOP_STARTTLS},
	};
	struct text keyword, parameter;
	struct hop *h = hop;

	text_split(text_trim(line), ' ', &keyword, &parameter);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (text_ieq(keyword, text_of(known[i].keyword)))
			h->offers |= known[i].bit;
	note_client_info(h, keyword, parameter);
}

static enum hop_result expect_2xx(enum hop_result got, const struct response *r)
{
	if (got != HOP_OK || response_is(r, 2))
		return got;
	return response_is(r, 3) ? HOP_NONSENSE : HOP_REFUSED;
}

static enum hop_result say_hello(struct hop *h, struct text verb, struct response *r)
{
	const struct routes *routes = h->host->routes;

	h->offers = h->info = 0;
	hop_put(h, verb);
	hop_put(h, text_of(routes->hostname));
	hop_put(h, LIT("\r\n"));
	return expect_2xx(read_reply(h, h->host->route->set.reply_timeout, r, note_extension), r);
}

static enum hop_result introduce(struct hop *h, struct response *r)
{
	bool lmtp = h->host->address->kind == HOP_LMTP;
	enum hop_result got = say_hello(h, lmtp ? LIT("LHLO ") : LIT("EHLO "), r);

	if (got == HOP_REFUSED && !lmtp && response_is(r, 5)) {
		got = say_hello(h, LIT("HELO "), r);
		h->offers = 0;
	}
	return got;
}

/* What it offers under TLS is what counts. */
static enum hop_result secure(struct hop *h, struct response *r)
{
	const bool before = h->tls[0];
	const enum hop_result got = hop_starttls(h, r);

	return got == HOP_OK && h->tls[0] && !before ? introduce(h, r) : got;
}

static enum hop_result greet(struct hop *h, const struct session *s, struct response *r)
{
	int64_t timeout_us = h->host->route->set.reply_timeout;
	int info = h->host->route->set.client_info;
	enum hop_result got;

	if (info == CLIENT_INFO_PROXY)
		client_info_put_proxy(h, s);
	got = hop_secure_first(h);
	if (got == HOP_OK)
		got = expect_2xx(hop_read(h, timeout_us, r), r);
	if (got == HOP_OK)
		got = introduce(h, r);
	if (got == HOP_OK)
		got = secure(h, r);
	if (got != HOP_OK || info != CLIENT_INFO_XCLIENT || !client_info_put_xclient(h, s))
		return got;
	/* The session starts anew, greeting included. */
	got = expect_2xx(hop_read(h, timeout_us, r), r);
	return got == HOP_OK ? introduce(h, r) : got;
}

bool hop_error_is_ours(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	       error == EADDRNOTAVAIL;
}

static enum hop_result open_once(struct hop *h, const struct session *s, struct response *r,
				 int *why)
{
	struct host *host = h->host;
	struct loop *loop = host->routes->loop;
	int64_t deadline_us = loop_now_us(loop) + host->route->set.connect_timeout;
	enum conn_result connected;
	enum hop_result got;

	response_start(r);
	host_count_metric(host, METRIC_hop_connects);
	connected = conn_connect(loop, (struct sockaddr *)&host->sa, host->sa_len, deadline_us,
				 &h->conn, why);
	if (connected != CONN_OK)
		return hop_error_is_ours(*why) ? HOP_OURS : hop_result_of(connected);
	conn_set_write_timeout(&h->conn, host->route->set.reply_timeout);
	*why = 0;
	got = greet(h, s, r);
	if (got != HOP_OK) {
		hop_shut(h, got == HOP_REFUSED);
		return got;
	}
	host->known = true;
	host->offers = h->offers;
	return HOP_OK;
}

enum hop_result hop_open(struct hop *h, const struct session *s, struct response *r, int *why)
{
	struct host *host = h->host;
	enum hop_result got = open_once(h, s, r, why);

	if (got == HOP_INSECURE && !host_must_be_secure(host)) {
		host_go_plain(host, h->tls_failure);
		*h = (struct hop){.host = host};
		got = open_once(h, s, r, why);
	}
	/* No reply of it is the reason. */
	if (got == HOP_INSECURE)
		response_start(r);
	return got;
}

void hop_shut(struct hop *h, bool polite)
{
	/* Not by conn_put(): sending must not wait, and whether it arrives does not matter. */
	if (polite)
		conn_try(&h->conn, "QUIT\r\n", 6);
	conn_close(&h->conn);
}
