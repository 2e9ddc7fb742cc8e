/* The MAPI properties of an attachment in TNEF ([MS-OXTNEF] 2.1.3.4): its long name, and its file
 * where that stands among them. */
#include "policy/message/mime_tnef.h"

#include "shm/base/little_endian.h"

enum {
	TYPE_MULTIPLE = 0x1000U,
	TYPE_OBJECT = 0x000d,
	TYPE_STRING8 = 0x001e,
	TYPE_UNICODE = 0x001f,
	TYPE_BINARY = 0x0102,
	ID_NAMED = 0x8000, /* from here on: a property with a name of its own */
	ID_DISPLAY_NAME = 0x3001,
	ID_ATTACH_DATA = 0x3701,
	ID_ATTACH_FILENAME = 0x3704,
	ID_ATTACH_LONG_FILENAME = 0x3707,
	ID_ATTACH_PATHNAME = 0x3708,
	ID_ATTACH_LONG_PATHNAME = 0x370d,
};

void mime_mapi_begin(struct mime_mapi *mapi)
{
	*mapi = (struct mime_mapi){.state = MAPI_COUNT};
}

static bool is_variable(unsigned type)
{
	return type == TYPE_OBJECT || type == TYPE_STRING8 || type == TYPE_UNICODE ||
	       type == TYPE_BINARY;
}

/* Bytes of a value of a fixed size, padded to four; -1: no such type. */
static int fixed_size(unsigned type)
{
	switch (type) {
	case 0x0001: /* null */
		return 0;
	case 0x0002: /* short */
	case 0x0003: /* long */
	case 0x0004: /* float */
	case 0x000a: /* error */
	case 0x000b: /* boolean */
		return 4;
	case 0x0005: /* double */
	case 0x0006: /* currency */
	case 0x0007: /* application time */
	case 0x0014: /* 64 bits */
	case 0x0040: /* time */
		return 8;
	case 0x0048: /* GUID */
		return 16;
	default:
		return -1;
	}
}

static enum tnef_use use_of(const struct mime_mapi *mapi)
{
	switch (mapi->id) {
	case ID_DISPLAY_NAME:
	case ID_ATTACH_FILENAME:
	case ID_ATTACH_LONG_FILENAME:
	case ID_ATTACH_PATHNAME:
	case ID_ATTACH_LONG_PATHNAME:
		return mapi->type == TYPE_STRING8 || mapi->type == TYPE_UNICODE ? TNEF_NAME
										: TNEF_SKIP;
	case ID_ATTACH_DATA:
		if (mapi->type == TYPE_OBJECT)
			return TNEF_MESSAGE;
		return mapi->type == TYPE_BINARY ? TNEF_FILE : TNEF_SKIP;
	default:
		return TNEF_SKIP;
	}
}

static void next_property(struct mime_mapi *mapi)
{
	mapi->state = mapi->properties-- > 0 ? MAPI_TAG : MAPI_END;
}

/* `length` bytes and their padding come. */
static void begin_value(struct mime *m, struct mime_tnef *t, uint32_t length, enum tnef_use use)
{
	struct mime_mapi *mapi = &t->mapi;
	const bool wide = mapi->type == TYPE_UNICODE;

	mapi->padding = (4 - length % 4) % 4;
	mapi->state = length > 0 ? MAPI_VALUE : MAPI_PADDING;
	tnef_value_begin(m, t, use, length, wide ? LIT("utf-16le") : LIT(""));
}

static void next_value(struct mime *m, struct mime_tnef *t)
{
	struct mime_mapi *mapi = &t->mapi;

	if (mapi->values-- == 0) {
		mapi->values = 0;
		next_property(mapi);
	} else if (is_variable(mapi->type)) {
		mapi->state = MAPI_LENGTH;
	} else {
		begin_value(m, t, (uint32_t)fixed_size(mapi->type), TNEF_SKIP);
	}
}

/* The tag, and its name if it has one, are read. */
static void begin_property(struct mime *m, struct mime_tnef *t)
{
	struct mime_mapi *mapi = &t->mapi;
	const int size = fixed_size(mapi->type);

	/* Many values of no bytes would be work for nothing. */
	if (!is_variable(mapi->type) && (size < 0 || (size == 0 && mapi->multiple))) {
		tnef_stop(m, t);
		return;
	}
	mapi->values = 1;
	if (mapi->multiple || is_variable(mapi->type))
		mapi->state = MAPI_VALUES;
	else
		next_value(m, t);
}

/* What a state has gathered. */
static void take_word(struct mime *m, struct mime_tnef *t)
{
	struct mime_mapi *mapi = &t->mapi;
	const unsigned char *b = mapi->want.b;
	const uint32_t word = le32(b);

	switch (mapi->state) {
	case MAPI_COUNT:
		mapi->properties = word;
		next_property(mapi);
		break;
	case MAPI_TAG:
		mapi->type = word & 0xffff & ~TYPE_MULTIPLE;
		mapi->multiple = word & TYPE_MULTIPLE;
		mapi->id = word >> 16;
		if (mapi->id >= ID_NAMED)
			mapi->state = MAPI_GUID;
		else
			begin_property(m, t);
		break;
	case MAPI_GUID:
		mapi->state = MAPI_KIND;
		break;
	case MAPI_KIND:
		mapi->state = word == 0 ? MAPI_NUMBER : MAPI_NAME_LENGTH;
		break;
	case MAPI_NUMBER:
		begin_property(m, t);
		break;
	case MAPI_NAME_LENGTH:
		mapi->length = word;
		mapi->state = MAPI_NAME;
		mapi->padding = (4 - word % 4) % 4;
		tnef_value_begin(m, t, TNEF_SKIP, (uint64_t)word + mapi->padding, LIT(""));
		break;
	case MAPI_VALUES:
		mapi->values = word;
		next_value(m, t);
		break;
	default: /* MAPI_LENGTH */
		begin_value(m, t, word, use_of(mapi));
		break;
	}
}

static void take_value(struct mime *m, struct mime_tnef *t)
{
	struct mime_mapi *mapi = &t->mapi;

	if (mapi->state == MAPI_NAME) {
		begin_property(m, t);
	} else if (mapi->state == MAPI_VALUE && mapi->padding > 0) {
		mapi->state = MAPI_PADDING;
		tnef_value_begin(m, t, TNEF_SKIP, mapi->padding, LIT(""));
	} else {
		next_value(m, t);
	}
}

size_t mime_mapi_take(struct mime *m, struct mime_tnef *t, const char *p, size_t n)
{
	struct mime_mapi *mapi = &t->mapi;
	const char *const from = p;
	const size_t all = n;

	switch (mapi->state) {
	case MAPI_END:
		return all;
	case MAPI_NAME:
	case MAPI_VALUE:
	case MAPI_PADDING: {
		const size_t took = t->value.left > 0 ? tnef_value_take(m, t, p, n) : 0;

		if (t->value.left == 0 && !m->over)
			take_value(m, t);
		return took;
	}
	default:
		break;
	}
	if (tnef_gather(&mapi->want, mapi->state == MAPI_GUID ? 16 : 4, &p, &n)) {
		/* A value begins behind these bytes. */
		const uint64_t at = t->at;

		t->at += (uint64_t)(p - from);
		take_word(m, t);
		t->at = at;
	}
	return (size_t)(p - from);
}
