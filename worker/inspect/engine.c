/* libclamav as an engine: its options, its database, one scan. */
#include "worker/inspect/engine.h"

#include "shm/base/log.h"
#include "worker/inspect/clam_library.h"

#include <iconv.h>
#include <malloc.h>

/* Of the time that a scan may take the engine's own limit, which is soft, is the first part. */
#define SOFT_SHARE 3 / 4

static struct clam clam;
static struct cl_engine *engine;
static bool in_zygote = true, loaded;
static uint64_t max_size;

/* ---- Loading */

static bool fail(struct buf *err, const char *what, cl_error_t rc)
{
	buf_printf(err, "cannot %s: %s", what, clam.cl_strerror(rc));
	return false;
}

/* What it says of the database is for the log; of a message it says too much, and strangers choose
 * what. */
static void on_message(enum cl_msg severity, const char *full, const char *message, void *context)
{
	const struct text t = text_trim(text_of(message));

	(void)full;
	(void)context;
	if (in_zygote && severity >= CL_MSG_WARN)
		log_warn("anti-virus engine: %.*s", TEXT(t));
}

static int on_signature(const char *type, const char *name, unsigned custom, void *context)
{
	static unsigned count;
	const struct engine_options *o = context;

	(void)type;
	(void)name;
	(void)custom;
	if ((++count & 1023) == 0 && o->progress)
		o->progress(o->progress_arg);
	return 0;
}

static cl_error_t on_compiled(size_t total, size_t done, void *context)
{
	const struct engine_options *o = context;

	(void)total;
	(void)done;
	if (o->progress)
		o->progress(o->progress_arg);
	return CL_SUCCESS;
}

static void on_found(int fd, const char *name, void *context);

static bool set_limits(const struct engine_options *o, struct buf *err)
{
	const struct {
		enum cl_engine_field field;
		long long value;
	} limits[] = {
	    {CL_ENGINE_MAX_FILESIZE, (long long)o->max_scan_size},
	    {CL_ENGINE_MAX_SCANSIZE, (long long)o->max_scan_size},
	    {CL_ENGINE_MAX_FILES, o->max_files},
	    {CL_ENGINE_MAX_RECURSION, o->max_depth},
	    {CL_ENGINE_MAX_SCANTIME, (long long)o->time_ms * SOFT_SHARE},
	    /* Memory of clean files between two questions, by a hash that can be made to collide.
	     */
	    {CL_ENGINE_DISABLE_CACHE, 1},
	    /* No memory becomes code. */
	    {CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const cl_error_t rc =
		    clam.cl_engine_set_num(engine, limits[i].field, limits[i].value);

		if (rc != CL_SUCCESS)
			return fail(err, "set the engine's limits", rc);
	}
	const cl_error_t rc = clam.cl_engine_set_str(engine, CL_ENGINE_TMPDIR, ".");

	return rc == CL_SUCCESS || fail(err, "set the engine's directory", rc);
}

/* Its converters of character sets are files that the jail doesn't have: those that mail is written
 * in stay open. */
static void load_converters(void)
{
	static const char *const names[] = {
	    "UTF-7",        "UTF-16",       "UTF-32",       "ISO-8859-1",   "ISO-8859-2",
	    "ISO-8859-5",   "ISO-8859-6",   "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",
	    "ISO-8859-13",  "ISO-8859-15",  "KOI8-R",       "KOI8-U",       "WINDOWS-1250",
	    "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255",
	    "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "IBM866",       "SHIFT_JIS",
	    "EUC-JP",       "ISO-2022-JP",  "EUC-KR",       "ISO-2022-KR",  "GB2312",
	    "GBK",          "GB18030",      "BIG5",         "EUC-TW",       "TIS-620",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)iconv_open("UTF-16BE", names[i]);
		(void)iconv_open("UTF-8", names[i]);
	}
}

static bool load_database(const struct engine_options *o, struct engine_info *info, struct buf *err)
{
	unsigned signatures = 0;
	int rc = (int)clam.cl_load(o->database, engine, &signatures, CL_DB_STDOPT | CL_DB_PUA);

	if (rc != CL_SUCCESS) {
		buf_printf(err, "cannot load %s: %s", o->database,
			   clam.cl_strerror((cl_error_t)rc));
		return false;
	}
	if (signatures == 0) {
		buf_printf(err, "%s has no signatures", o->database);
		return false;
	}
	rc = (int)clam.cl_engine_compile(engine);
	if (rc != CL_SUCCESS)
		return fail(err, "compile the signatures", (cl_error_t)rc);
	*info = (struct engine_info){
	    .signatures = signatures,
	    .version = (uint32_t)clam.cl_engine_get_num(engine, CL_ENGINE_DB_VERSION, &rc),
	    .built_wall_s = clam.cl_engine_get_num(engine, CL_ENGINE_DB_TIME, &rc),
	};
	return true;
}

bool engine_load(const struct engine_options *o, struct engine_info *info, struct buf *err)
{
	cl_error_t rc;

	if (!clam_library_load(&clam, err))
		return false;
	clam.cl_set_clcb_msg(on_message);
	rc = clam.cl_init(CL_INIT_DEFAULT);
	if (rc != CL_SUCCESS)
		return fail(err, "start the anti-virus engine", rc);
	engine = clam.cl_engine_new();
	if (!engine)
		return fail(err, "start the anti-virus engine", CL_EMEM);
	if (!set_limits(o, err))
		return false;
	clam.cl_engine_set_clcb_sigload(engine, on_signature, (void *)o);
	clam.cl_engine_set_clcb_engine_compile_progress(engine, on_compiled, (void *)o);
	clam.cl_engine_set_clcb_virus_found(engine, on_found);
	if (!load_database(o, info, err))
		return false;
	load_converters();
	/* What loading needed and no inspector will. */
	malloc_trim(0);
	loaded = true;
	max_size = o->max_size;
	return true;
}

bool engine_is_loaded(void)
{
	return loaded;
}

uint64_t engine_max_size(void)
{
	return max_size;
}

/* ---- Scanning */

struct scan {
	struct arena *arena;
	struct scan_result *out;
};

static struct text clean_name(struct text name, struct arena *a)
{
	char shown[SCAN_NAME_MAX + 1];
	size_t n = 0;

	for (; n < name.n && n < SCAN_NAME_MAX; n++)
		shown[n] = name.p[n] > ' ' && name.p[n] <= '~' ? name.p[n] : '?';
	return arena_text(a, n ? text_make(shown, n) : LIT("without-a-name"));
}

static void add_match(struct scan *s, struct text name)
{
	struct scan_result *r = s->out;
	struct scan_match m = {.name = clean_name(name, s->arena)};

	m.kind = scan_kind_of(m.name);
	for (size_t i = 0; i < r->match_count; i++) {
		if (text_eq(r->matches[i].name, m.name))
			return;
		/* One more real signature than there is room for replaces an opinion. */
		if (r->match_count == SCAN_MATCHES_MAX && r->matches[i].kind > m.kind) {
			r->matches[i] = m;
			return;
		}
	}
	if (r->match_count < SCAN_MATCHES_MAX)
		r->matches[r->match_count++] = m;
}

static void on_found(int fd, const char *name, void *context)
{
	(void)fd;
	add_match(context, text_of(name));
}

/* All matches, since one of them may be ignored; and whatever was not looked at, which else would
 * be clean. */
static struct cl_scan_options scan_options(void)
{
	return (struct cl_scan_options){
	    .general = CL_SCAN_GENERAL_ALLMATCHES | CL_SCAN_GENERAL_HEURISTICS,
	    .parse = ~0U,
	    .heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX | CL_SCAN_HEURISTIC_BROKEN |
			 CL_SCAN_HEURISTIC_BROKEN_MEDIA | CL_SCAN_HEURISTIC_MACROS |
			 CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE | CL_SCAN_HEURISTIC_ENCRYPTED_DOC |
			 CL_SCAN_HEURISTIC_PHISHING_SSL_MISMATCH |
			 CL_SCAN_HEURISTIC_PHISHING_CLOAK | CL_SCAN_HEURISTIC_PARTITION_INTXN,
	};
}

static bool says_limit(cl_error_t rc)
{
	return rc == CL_EMAXREC || rc == CL_EMAXSIZE || rc == CL_EMAXFILES;
}

void engine_scan(const char *message, size_t n, struct arena *a, struct scan_result *out)
{
	struct scan s = {.arena = a, .out = out};
	struct cl_scan_options options = scan_options();
	cl_fmap_t *map = clam.cl_fmap_open_memory(message, n);
	const char *name = NULL;
	unsigned long scanned = 0;
	cl_error_t rc;

	*out = (struct scan_result){.code = SCAN_FAILED, .reason = LIT("no memory to scan it")};
	if (!map)
		return;
	in_zygote = false;
	rc = clam.cl_scanmap_callback(map, NULL, &name, &scanned, engine, &options, &s);
	clam.cl_fmap_close(map);
	if (rc == CL_VIRUS)
		add_match(&s, text_of(name ? name : ""));
	else if (says_limit(rc))
		add_match(&s, LIT("Heuristics.Limits.Exceeded"));
	else if (rc == CL_ETIMEOUT)
		add_match(&s, LIT("Heuristics.Limits.Exceeded.MaxScanTime"));
	else if (rc != CL_CLEAN) {
		out->reason = arena_printf(a, "the engine says: %s", clam.cl_strerror(rc));
		return;
	}
	out->code = SCAN_DONE;
	out->reason = LIT("");
}

/* ---- The proof */

#define MAIL_HEAD                                                                                  \
	"Received: from localhost\r\nMIME-Version: 1.0\r\n"                                        \
	"Content-Type: application/octet-stream; name=\"x.com\"\r\n"                               \
	"Content-Transfer-Encoding: base64\r\n\r\n"
#define EICAR                                                                                      \
	"WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFO\r\n"                         \
	"VElWSVJVUy1URVNULUZJTEUhJEgrSCo=\r\n"
#define NOTHING "bm90aGluZw==\r\n"

/* False: it can't scan. */
static bool scan_for_proof(const char *message, struct arena *a, bool *found)
{
	struct scan_result r;

	engine_scan(message, strlen(message), a, &r);
	*found = false;
	for (size_t i = 0; i < r.match_count; i++)
		*found = *found || r.matches[i].kind == SCAN_SIGNATURE;
	return r.code == SCAN_DONE;
}

enum engine_proof engine_prove(void)
{
	struct arena a;
	bool in_eicar = false, in_nothing = false, works;

	arena_init(&a, NULL, NULL);
	works = scan_for_proof(MAIL_HEAD EICAR, &a, &in_eicar) &&
		scan_for_proof(MAIL_HEAD NOTHING, &a, &in_nothing);
	arena_reset(&a);
	if (!works)
		return ENGINE_FAILS;
	if (!in_eicar)
		return ENGINE_BLIND;
	return in_nothing ? ENGINE_SEES_TOO_MUCH : ENGINE_PROVEN;
}

const char *engine_proof_text(enum engine_proof p)
{
	static const char *const texts[] = {
	    [ENGINE_PROVEN] = "the anti-virus engine works",
	    [ENGINE_BLIND] = "the anti-virus database does not know the test file of EICAR",
	    [ENGINE_SEES_TOO_MUCH] =
		"the anti-virus database finds something where there is nothing",
	    [ENGINE_FAILS] = "the anti-virus engine can't scan",
	};

	return p <= ENGINE_FAILS ? texts[p] : "the anti-virus engine did not end in good order";
}
