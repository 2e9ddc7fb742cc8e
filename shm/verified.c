/* Answers about addresses: stored, found, forgotten.
 *
 *   DB_VERIFIED       kind (1 byte), domain, NUL, local part -> struct record, texts
 *   DB_VERIFIED_ENDS  until (8), the key above -> nothing
 *
 * The domain comes first, so that all of it stand together. */
#include "shm/verified.h"

#include "shm/base/clock.h"
#include "shm/journal_parts.h"
#include "shm/walk.h"

enum {
	KEY_MAX_ = LIST_KEY_MAX + 2,
	STAMP = 8,
	ENTRIES_MAX = 250000,
	SURPLUS_STEP = 64, /* how many go at once where there are too many */
	FORGET_AT_ONCE = 1000,
};

/* As it stands in the store; the lengths of its texts, which follow. */
struct record {
	int64_t asked_wall_us, until_wall_us;
	uint16_t what, code;
	char enhanced[10];
	uint8_t hop_n, text_n;
};

struct key {
	size_t n;
	char b[STAMP + KEY_MAX_];
};

const char *verified_what_name(enum verified_what w)
{
	static const char *const names[] = {
	    [VERIFIED_NOTHING] = "nothing",   [VERIFIED_TAKES] = "takes",
	    [VERIFIED_REFUSES] = "refuses",   [VERIFIED_ANYTHING] = "anything",
	    [VERIFIED_DISCERNS] = "discerns", [VERIFIED_NO_NULL] = "no-null-sender",
	};

	return names[w];
}

const char *verified_kind_name(enum verified_kind k)
{
	return k == VERIFIED_SENDER ? "sender" : "recipient";
}

/* ---- keys ---- */

static void key_put(struct key *k, const char *p, size_t n)
{
	if (n > 0)
		memcpy(k->b + k->n, p, n);
	k->n += n;
}

/* Whose local part may hold '@' itself: the last one counts. */
static size_t at_of(struct text address)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return at;
}

/* False: that is no address, or it is too long to be remembered. */
static bool key_make(struct key *k, enum verified_kind kind, struct text address)
{
	const size_t at = at_of(address);
	const char prefix = kind == VERIFIED_SENDER ? 's' : 'r';

	if (at == 0 || address.n > LIST_KEY_MAX)
		return false;
	k->n = 0;
	key_put(k, &prefix, 1);
	key_put(k, address.p + at, address.n - at);
	key_put(k, "", 1);
	key_put(k, address.p, at - 1);
	return true;
}

static struct text key_text(const struct key *k)
{
	return text_make(k->b, k->n);
}

static struct text end_key(struct key *k, int64_t until, struct text key)
{
	key_put_u64((unsigned char *)k->b, (uint64_t)until);
	k->n = STAMP;
	key_put(k, key.p, key.n < KEY_MAX_ ? key.n : KEY_MAX_);
	return key_text(k);
}

/* The other way round: "local@domain". */
static bool address_of(struct text key, struct buf *out)
{
	struct text domain, local;

	if (key.n < 2 || !text_split(text_make(key.p + 1, key.n - 1), '\0', &domain, &local))
		return false;
	buf_text(out, local);
	buf_char(out, '@');
	buf_text(out, domain);
	return !out->cut;
}

/* ---- records ---- */

static bool record_read(struct text value, struct record *r)
{
	if (value.n < sizeof(*r))
		return false;
	memcpy(r, value.p, sizeof(*r));
	return r->what < VERIFIED_WHATS && value.n >= sizeof(*r) + r->hop_n + r->text_n;
}

static void record_copy(struct text value, const struct record *r, struct verified *out)
{
	const char *texts = value.p + sizeof(*r);

	*out = (struct verified){.what = (enum verified_what)r->what,
				 .code = (short)r->code,
				 .asked_wall_us = r->asked_wall_us,
				 .until_wall_us = r->until_wall_us};
	text_cstr(text_make(r->enhanced, strnlen(r->enhanced, sizeof(r->enhanced))), out->enhanced,
		  sizeof(out->enhanced));
	text_cstr(text_make(texts, r->hop_n), out->hop, sizeof(out->hop));
	text_cstr(text_make(texts + r->hop_n, r->text_n), out->text, sizeof(out->text));
}

static struct text event_text_of(const struct event_view *v, enum event_field f, size_t max)
{
	struct field_view field;

	if (!event_get(v, f, &field))
		return text_make("", 0);
	return text_make(field.text.p, field.text.n < max ? field.text.n : max);
}

void verified_event(struct event *e, enum verified_kind kind, struct text key,
		    const struct verified *v)
{
	event_begin(e, EVENT_VERIFIED, v->asked_wall_us);
	event_text(e, FIELD_list, text_of(verified_kind_name(kind)));
	event_text(e, FIELD_key, key);
	event_text(e, FIELD_verdict, text_of(verified_what_name(v->what)));
	event_text(e, FIELD_hop, text_of(v->hop));
	if (v->code)
		event_int(e, FIELD_code, v->code);
	event_text(e, FIELD_enhanced, text_of(v->enhanced));
	event_text(e, FIELD_text, text_of(v->text));
	if (v->until_wall_us)
		event_int(e, FIELD_until, v->until_wall_us);
}

static enum verified_what what_of(struct text name)
{
	enum verified_what w = VERIFIED_TAKES;

	while (w < VERIFIED_WHATS && !text_eq(name, text_of(verified_what_name(w))))
		w++;
	return w < VERIFIED_WHATS ? w : VERIFIED_NOTHING;
}

/* ---- one by one ---- */

/* With its end, if it is there. */
static int entry_del(MDB_txn *txn, struct text key)
{
	struct text value;
	struct record r;
	struct key end;
	int rc = store_get(txn, DB_VERIFIED, key, &value);

	if (rc == 0 && record_read(value, &r)) {
		rc = store_del(txn, DB_VERIFIED_ENDS, end_key(&end, r.until_wall_us, key));
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	return rc == 0 ? store_del(txn, DB_VERIFIED, key) : rc;
}

static int entry_put(MDB_txn *txn, struct text key, const struct record *r, struct text hop,
		     struct text said)
{
	char value[sizeof(*r) + VERIFIED_HOP_MAX + VERIFIED_TEXT_MAX];
	struct key end;
	int rc = entry_del(txn, key);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	memcpy(value, r, sizeof(*r));
	memcpy(value + sizeof(*r), hop.p, hop.n);
	memcpy(value + sizeof(*r) + hop.n, said.p, said.n);
	rc = store_put(txn, DB_VERIFIED_ENDS, end_key(&end, r->until_wall_us, key),
		       text_make("", 0));
	return rc ? rc
		  : store_put(txn, DB_VERIFIED, key, text_make(value, sizeof(*r) + hop.n + said.n));
}

int verified_apply(MDB_txn *txn, const struct event_view *v)
{
	const struct text kind = event_text_of(v, FIELD_list, EVENT_TEXT_MAX),
			  hop = event_text_of(v, FIELD_hop, VERIFIED_HOP_MAX),
			  said = event_text_of(v, FIELD_text, VERIFIED_TEXT_MAX);
	const enum verified_what what = what_of(event_text_of(v, FIELD_verdict, EVENT_TEXT_MAX));
	struct record r = {
	    .asked_wall_us = v->wall_us,
	    .until_wall_us = journal_number(v, FIELD_until, 0),
	    .what = (uint16_t)what,
	    .code = (uint16_t)journal_number(v, FIELD_code, 0),
	    .hop_n = (uint8_t)hop.n,
	    .text_n = (uint8_t)said.n,
	};
	struct key key;

	if (what == VERIFIED_NOTHING || r.until_wall_us <= 0 ||
	    !key_make(&key, text_eq(kind, LIT("sender")) ? VERIFIED_SENDER : VERIFIED_RECIPIENT,
		      event_text_of(v, FIELD_key, EVENT_TEXT_MAX)))
		return 0;
	text_cstr(event_text_of(v, FIELD_enhanced, sizeof(r.enhanced) - 1), r.enhanced,
		  sizeof(r.enhanced));
	int rc = entry_put(txn, key_text(&key), &r, hop, said);
	unsigned done = 0;

	if (rc == 0 && store_count(txn, DB_VERIFIED_ENDS) > ENTRIES_MAX)
		rc = verified_expire(txn, INT64_MAX, SURPLUS_STEP, &done);
	return rc;
}

int verified_expire(MDB_txn *txn, int64_t before_wall_us, unsigned max, unsigned *done)
{
	return journal_forget(txn, DB_VERIFIED_ENDS, DB_VERIFIED, before_wall_us, max, done);
}

enum answer verified_find(struct store *st, enum verified_kind kind, struct text key,
			  int64_t now_wall_us, struct verified *out)
{
	struct text value;
	struct record r;
	struct key k;

	if (!key_make(&k, kind, key))
		return ANSWER_NO;
	MDB_txn *txn = store_read_begin(st);

	if (!txn)
		return ANSWER_UNKNOWN;
	int rc = store_get(txn, DB_VERIFIED, key_text(&k), &value);
	bool good = rc == 0 && record_read(value, &r) && r.until_wall_us > now_wall_us;

	if (good)
		record_copy(value, &r, out);
	store_read_end(st);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return ANSWER_UNKNOWN;
	return good ? ANSWER_YES : ANSWER_NO;
}

/* ---- many ---- */

struct each {
	int64_t now_wall_us;
	int (*fn)(struct text key, const struct verified *v, void *arg);
	void *arg;
};

static int each_one(struct text key, struct text value, void *arg)
{
	const struct each *each = arg;
	char address[KEY_MAX_];
	struct buf b = buf_over(address, sizeof(address));
	struct verified v;
	struct record r;

	if (!record_read(value, &r) || r.until_wall_us <= each->now_wall_us || !address_of(key, &b))
		return 0;
	record_copy(value, &r, &v);
	return each->fn(buf_view(&b), &v, each->arg);
}

int verified_each(struct store *st, enum verified_kind kind, int64_t now_wall_us,
		  int (*fn)(struct text key, const struct verified *v, void *arg), void *arg)
{
	struct walk w = {.db = DB_VERIFIED,
			 .prefix = kind == VERIFIED_SENDER ? LIT("s") : LIT("r")};
	struct each each = {now_wall_us, fn, arg};

	return store_walk(st, &w, each_one, &each);
}

struct forget {
	struct text prefix; /* or the whole key, where `one` */
	bool one;
	unsigned done;
};

static int forget(MDB_txn *txn, void *arg)
{
	struct forget *f = arg;
	struct text key, unused;
	int rc = 0;

	for (f->done = 0; rc == 0 && f->done < FORGET_AT_ONCE; f->done++) {
		struct key copy = {0};

		rc = store_first(txn, DB_VERIFIED, f->prefix, &key, &unused);
		if (rc != 0 || key.n < f->prefix.n || key.n > sizeof(copy.b) ||
		    memcmp(key.p, f->prefix.p, f->prefix.n) != 0 ||
		    (f->one && key.n != f->prefix.n))
			break;
		key_put(&copy, key.p, key.n);
		rc = entry_del(txn, key_text(&copy));
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

long verified_forget(struct store *st, enum verified_kind kind, struct text key)
{
	struct forget f = {.one = at_of(key) != 1};
	long all = 0;
	struct key k;

	if (!key_make(&k, kind, key))
		return 0;
	f.prefix = key_text(&k);
	do {
		if (store_write(st, forget, &f) != 0)
			return -1;
		all += f.done;
	} while (f.done == FORGET_AT_ONCE);
	return all;
}
