/* What the check attachment makes of archives: which parts it asks about, and what it says of the
 * answer. */
#include "policy/attachment.h"

enum { PASSING_MAX = 64 };

struct look {
	const struct session *s;
	const struct settings *set;
	const struct mime_facts *parts;
	const struct archives_facts *facts;
	size_t *origins; /* of the request's parts among the message's */
	struct verdict worst;
	/* Extensions that pass: hundreds of files have few of them, and each is a look into the
	 * lists. */
	struct extension passing[PASSING_MAX];
	size_t passing_count;
};

/* ---- The question */

static bool may_be_archive(const struct mime_part *p)
{
	if (mime_part_archive(p) != MIME_UNKNOWN)
		return true;
	for (const struct mime_text *name = p->names; name; name = name->next) {
		if (archives_named(name->t))
			return true;
	}
	return false;
}

static void add_part(struct look *l, struct archives_request *rq, struct archives_part *parts,
		     const size_t *place, size_t i)
{
	const struct mime_part *p = &l->parts->parts[i];

	parts[rq->count] = (struct archives_part){
	    .inside = p->inside < 0 ? -1 : (int)place[p->inside],
	    .offset = p->offset,
	    .length = p->length,
	    .encodings = p->encodings,
	    .asked = may_be_archive(p),
	};
	l->origins[rq->count] = i;
	rq->count++;
}

/* The parts that may be archives, and those that they stand in. */
static void add_parts(struct look *l, struct archives_request *rq)
{
	struct arena *a = check_arena(l->s);
	const size_t n = l->parts->count;
	bool *needed = arena_alloc(a, (n + 1) * sizeof(*needed));
	size_t *place = arena_alloc(a, (n + 1) * sizeof(*place)), count = 0;

	/* A part stands in an earlier one. */
	for (size_t i = n; i-- > 0;) {
		const int inside = l->parts->parts[i].inside;

		needed[i] = needed[i] || may_be_archive(&l->parts->parts[i]);
		count += needed[i];
		if (needed[i] && inside >= 0)
			needed[inside] = true;
	}
	struct archives_part *parts = arena_alloc(a, (count + 1) * sizeof(*parts));
	l->origins = arena_alloc(a, (count + 1) * sizeof(*l->origins));
	for (size_t i = 0; i < n; i++) {
		place[i] = rq->count;
		if (needed[i])
			add_part(l, rq, parts, place, i);
	}
	rq->parts = parts;
}

static void make_request(struct look *l, struct archives_request *rq)
{
	const struct attachment_settings *mine = &l->set->attachment;

	*rq = (struct archives_request){
	    .bounds = {.depth = (unsigned)mine->archive_depth,
		       .entries = (unsigned)mine->archive_files,
		       .bytes = (uint64_t)mine->archive_size,
		       .time_ms = (uint32_t)(mine->archive_time / 1000)},
	};
	add_parts(l, rq);
}

/* ---- The answer */

/* In mode monitor nothing is answered but noted. */
static void find(struct look *l, struct verdict v, int mode)
{
	if (mode == MODE_OFF)
		return;
	v.noted = mode == MODE_MONITOR && v.outcome == OUTCOME_REFUSE;
	if (mode == MODE_MONITOR)
		v.deferral = DEFERRAL_NONE;
	attachment_keep_worst(&l->worst, v);
}

static const struct mime_part *part_of(const struct look *l, size_t part)
{
	return &l->parts->parts[l->origins[part]];
}

static struct text shown(const struct look *l, const struct archives_file *f)
{
	const struct mime_part *p = part_of(l, f->part);

	return fact(l->s, "%.*s in %.*s", TEXT(attachment_shown(l->s, f->path)),
		    TEXT(p->names ? attachment_shown(l->s, p->names->t)
				  : LIT("an archive without a name")));
}

/* Whether an administrator has allowed it. */
static bool judge_name(struct look *l, const struct archives_file *f, struct text name)
{
	struct extension readings[EXTENSION_READINGS], e;
	const size_t n = extensions_of(name, readings);

	if (n == 0)
		return false;
	for (size_t i = 0; n == 1 && i < l->passing_count; i++) {
		if (strcmp(l->passing[i].s, readings[0].s) == 0)
			return false;
	}
	switch (attachment_name(l->s, l->set, name, &e)) {
	case NAME_REFUSED:
		find(l,
		     reject(REPLY_ATTACHMENT, LIT(""),
			    fact(l->s, "a file with the extension %s in an archive: %.*s", e.s,
				 TEXT(shown(l, f)))),
		     l->set->attachment.archives);
		return false;
	case NAME_UNSURE:
		find(l,
		     deferred(DEFERRAL_LOCAL,
			      fact(l->s,
				   "exemptions can't be read; else: extension %s in an archive",
				   e.s)),
		     l->set->attachment.archives);
		return false;
	case NAME_ALLOWED:
		return true;
	case NAME_PASSES:
		break;
	}
	if (n == 1 && l->passing_count < PASSING_MAX)
		l->passing[l->passing_count++] = readings[0];
	return false;
}

/* "evil.exe" for "evil.exe.gz": what a compressed file holds has that name if none is told. */
static bool judge_packed_name(struct look *l, const struct archives_file *f)
{
	bool allowed = false;

	for (const struct mime_text *name = part_of(l, f->part)->names; name; name = name->next) {
		size_t n = name->t.n;

		while (n > 0 && name->t.p[n - 1] != '.')
			n--;
		if (n > 1)
			allowed = judge_name(l, f, text_make(name->t.p, n - 1)) || allowed;
	}
	return allowed;
}

/* Scripts are left to their names: source code is sent in archives, and what makes a script a
 * program there is a bit of the file system. */
static void judge_content(struct look *l, const struct archives_file *f)
{
	const struct mime_part as_part = {.kinds = f->kinds & ~(UINT64_C(1) << MIME_SCRIPT)};
	const enum mime_kind kind = mime_part_program(&as_part);
	const int mode = l->set->attachment.content < l->set->attachment.archives
			     ? l->set->attachment.content
			     : l->set->attachment.archives;

	if (kind == MIME_UNKNOWN)
		return;
	find(l,
	     reject(REPLY_ATTACHMENT_CONTENT, LIT(""),
		    fact(l->s, "a program by its content (%s) in an archive: %.*s",
			 mime_kind_name(kind), TEXT(shown(l, f)))),
	     mode);
}

static void judge_file(struct look *l, const struct archives_file *f)
{
	const bool allowed = f->packed && text_empty(archives_file_name(f))
				 ? judge_packed_name(l, f)
				 : judge_name(l, f, f->path);

	if (!allowed && !attachment_refuses(&l->worst))
		judge_content(l, f);
}

static void judge_by_choice(struct look *l, int choice, enum reply_id reply, struct text facts)
{
	struct verdict v;

	if (choice == LIMITS_REFUSE)
		v = reject(reply, LIT(""), facts);
	else
		v = choice == LIMITS_DEFER ? deferred(DEFERRAL_LOCAL, facts) : undecided(facts);
	find(l, v, l->set->attachment.archives);
}

/* The first part that has one of the states, for people. */
static struct text part_with(const struct look *l, const struct archives_request *rq,
			     unsigned states)
{
	for (size_t i = 0; i < rq->count; i++) {
		const struct mime_part *p = part_of(l, i);

		if (l->facts->part_states[i] & states && p->names)
			return attachment_shown(l->s, p->names->t);
	}
	return LIT("without a name");
}

static void judge_states(struct look *l, const struct archives_request *rq)
{
	const unsigned hidden = ARCHIVES_ENCRYPTED | ARCHIVES_SEALED;
	const unsigned broken = ARCHIVES_DAMAGED | ARCHIVES_UNREADABLE;
	const struct attachment_settings *mine = &l->set->attachment;
	const unsigned states = l->facts->states;

	if (l->facts->limits)
		judge_by_choice(
		    l, mine->limits, REPLY_UNINSPECTED,
		    fact(l->s, "not inspected: %s", archives_limit_text(l->facts->limits)));
	if (states & hidden)
		find(l,
		     reject(REPLY_ATTACHMENT_ENCRYPTED, LIT(""),
			    fact(l->s, "not inspected: an archive is encrypted%s: %.*s",
				 states & ARCHIVES_SEALED ? ", with the names of its files" : "",
				 TEXT(part_with(l, rq, hidden)))),
		     mine->encrypted_archives);
	if (states & broken)
		judge_by_choice(
		    l, mine->unreadable_archives, REPLY_ATTACHMENT_UNREADABLE,
		    fact(l->s, "not inspected: an archive is %s: %.*s",
			 states & ARCHIVES_UNREADABLE ? "of a kind that can't be read" : "damaged",
			 TEXT(part_with(l, rq, broken))));
}

static void judge_silence(struct look *l)
{
	const struct text facts =
	    fact(l->s, "archives not inspected: %.*s", TEXT(l->facts->reason));

	find(l,
	     l->set->attachment.unknown == NO_ANSWER_DEFER ? deferred(DEFERRAL_LOCAL, facts)
							   : undecided(facts),
	     l->set->attachment.archives);
}

struct verdict attachment_archives(const struct session *s, const struct settings *set)
{
	struct archives_facts facts = {0};
	struct archives_request rq;
	struct look l = {
	    .s = s, .set = set, .parts = s->tx->parts, .facts = &facts, .worst = pass()};

	if (set->attachment.archives == MODE_OFF)
		return pass();
	make_request(&l, &rq);
	if (rq.count == 0)
		return pass();
	s->world.ops->archives(s->world.self, s, &rq, &facts);
	if (!facts.answered) {
		judge_silence(&l);
		return l.worst;
	}
	for (size_t i = 0; i < facts.count && !attachment_refuses(&l.worst); i++)
		judge_file(&l, &facts.files[i]);
	if (!attachment_refuses(&l.worst))
		judge_states(&l, &rq);
	return l.worst;
}
