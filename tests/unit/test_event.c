/* Events: what was written is read; what was damaged is refused; what a client sent forges nothing.
 */
#include "shm/event.h"

#include <check.h>
#include <stdlib.h>

static const int64_t WALL_US = INT64_C(1780305247123456); /* 2026-06-01T09:14:07.123Z */

static struct event_view view_of(const struct event *e)
{
	struct event_view v;

	ck_assert(event_parse(e->bytes, e->n, &v));
	return v;
}

static const char *as_text(const struct event *e)
{
	static char line[EVENT_LINE_MAX];
	struct event_view v = view_of(e);
	struct buf out = buf_over(line, sizeof(line));

	event_format_text(&v, &out);
	ck_assert(!out.cut);
	return line;
}

static const char *as_json(const struct event *e)
{
	static char line[EVENT_LINE_MAX];
	struct event_view v = view_of(e);
	struct buf out = buf_over(line, sizeof(line));

	event_format_json(&v, &out);
	ck_assert(!out.cut);
	return line;
}

static struct event full_event(void)
{
	struct event e;
	struct ip ip;

	ck_assert(ip_parse(LIT("192.0.2.1"), &ip));
	event_begin(&e, EVENT_MESSAGE, WALL_US);
	event_ip(&e, FIELD_client, &ip);
	event_int(&e, FIELD_client_port, 50000);
	event_text(&e, FIELD_helo, LIT("mx.example.org"));
	event_text(&e, FIELD_login, LIT(""));
	event_text(&e, FIELD_reply, LIT("250 2.0.0 Taken"));
	event_int(&e, FIELD_duration, 1250000);
	event_int(&e, FIELD_until, WALL_US);
	event_int(&e, FIELD_incident, 33);
	event_text(&e, FIELD_ran, LIT("spf pass 12"));
	event_text(&e, FIELD_ran, LIT("helo-ip pass 1"));
	return e;
}

START_TEST(reads_what_was_written)
{
	struct event e = full_event();
	struct event_view v = view_of(&e);
	struct field_view f;
	size_t offset = 0;
	unsigned fields = 0;
	char text[IP_TEXT_MAX];

	ck_assert_int_eq(v.type, EVENT_MESSAGE);
	ck_assert_int_eq(v.wall_us, WALL_US);
	ck_assert(event_get(&v, FIELD_client, &f));
	ck_assert_str_eq(ip_format(&f.ip, text), "192.0.2.1");
	ck_assert(event_get(&v, FIELD_client_port, &f));
	ck_assert_int_eq(f.number, 50000);
	ck_assert(event_get(&v, FIELD_helo, &f));
	ck_assert(text_eq(f.text, LIT("mx.example.org")));
	ck_assert(!event_get(&v, FIELD_login, &f));
	ck_assert(event_get(&v, FIELD_ran, &f));
	ck_assert(text_eq(f.text, LIT("spf pass 12")));
	while (event_next(&v, &offset, &f))
		fields++;
	ck_assert_uint_eq(fields, 9);
}
END_TEST

START_TEST(reads_as_a_line)
{
	struct event e = full_event();

	ck_assert_str_eq(as_text(&e),
			 "message client=192.0.2.1 client-port=50000 helo=mx.example.org "
			 "reply=\"250 2.0.0 Taken\" duration=1.250000s "
			 "until=2026-06-01T09:14:07.123Z incident=0000-0011 "
			 "ran=\"spf pass 12\" ran=\"helo-ip pass 1\"");
	ck_assert_str_eq(as_json(&e),
			 "{\"time\":\"2026-06-01T09:14:07.123Z\",\"event\":\"message\","
			 "\"client\":\"192.0.2.1\",\"client-port\":50000,"
			 "\"helo\":\"mx.example.org\",\"reply\":\"250 2.0.0 Taken\","
			 "\"duration\":1.250000,\"until\":\"2026-06-01T09:14:07.123Z\","
			 "\"incident\":\"0000-0011\","
			 "\"ran\":[\"spf pass 12\",\"helo-ip pass 1\"]}");
}
END_TEST

START_TEST(a_client_forges_no_field_and_no_line)
{
	struct event e;

	event_begin(&e, EVENT_NOTE, 0);
	event_text(&e, FIELD_helo, LIT("a verdict=accepted"));
	event_text(&e, FIELD_from, LIT("x\r\nmessage client=192.0.2.9"));
	event_text(&e, FIELD_to, LIT("\" verdict=accepted \""));
	event_text(&e, FIELD_host, LIT("a=b"));
	event_text(&e, FIELD_login, text_make("n\0l\x7f\x1b[31m", 9));
	event_text(&e, FIELD_key, LIT("back\\slash"));
	event_text(&e, FIELD_text, LIT("\xc3\xa4"));
	ck_assert_str_eq(as_text(&e), "note helo=\"a verdict=accepted\" "
				      "from=\"x\\x0D\\x0Amessage client=192.0.2.9\" "
				      "to=\"\\x22 verdict=accepted \\x22\" host=\"a=b\" "
				      "login=\"n\\x00l\\x7F\\x1B[31m\" key=\"back\\x5Cslash\" "
				      "text=\"\\xC3\\xA4\"");
	ck_assert_str_eq(as_json(&e), "{\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"note\","
				      "\"helo\":\"a verdict=accepted\","
				      "\"from\":\"x\\u000d\\u000amessage client=192.0.2.9\","
				      "\"to\":\"\\\" verdict=accepted \\\"\",\"host\":\"a=b\","
				      "\"login\":\"n\\u0000l\\u007f\\u001b[31m\","
				      "\"key\":\"back\\\\slash\",\"text\":\"\\u00e4\"}");
}
END_TEST

static void json_text_is(const char *bytes, const char *json)
{
	struct event e;
	char want[200];
	struct buf b = buf_over(want, sizeof(want));

	event_begin(&e, EVENT_NOTE, 0);
	event_text(&e, FIELD_text, text_of(bytes));
	buf_printf(&b, "\"text\":\"%s\"}", json);
	ck_assert_ptr_nonnull(strstr(as_json(&e), want));
}

START_TEST(json_holds_utf8_and_marks_what_is_none)
{
	json_text_is("\xe2\x82\xac", "\\u20ac");
	json_text_is("\xf0\x9f\x93\xac", "\\ud83d\\udcec");
	json_text_is("\xf4\x8f\xbf\xbf", "\\udbff\\udfff");
	json_text_is("a\xff", "a\\\\xFF");
	json_text_is("\xc3", "\\\\xC3");                                  /* cut short */
	json_text_is("\xc3(", "\\\\xC3(");                                /* not continued */
	json_text_is("\xc0\xaf", "\\\\xC0\\\\xAF");                       /* overlong */
	json_text_is("\xe0\x80\xaf", "\\\\xE0\\\\x80\\\\xAF");            /* overlong */
	json_text_is("\xed\xa0\x80", "\\\\xED\\\\xA0\\\\x80");            /* surrogate */
	json_text_is("\xf4\x90\x80\x80", "\\\\xF4\\\\x90\\\\x80\\\\x80"); /* above U+10FFFF */
	json_text_is("\xf8\x88\x80\x80\x80", "\\\\xF8\\\\x88\\\\x80\\\\x80\\\\x80");
}
END_TEST

START_TEST(numbers_keep_their_sign)
{
	struct event e;

	event_begin(&e, EVENT_NOTE, 0);
	event_int(&e, FIELD_size, INT64_MIN);
	event_int(&e, FIELD_duration, -1500000);
	ck_assert_str_eq(as_text(&e), "note size=-9223372036854775808 duration=-1.500000s");
}
END_TEST

START_TEST(long_texts_are_cut_and_late_ones_left_out)
{
	struct event e;
	struct event_view v;
	struct field_view f;
	char big[3 * EVENT_TEXT_MAX];

	memset(big, 'x', sizeof(big));
	event_begin(&e, EVENT_NOTE, 0);
	for (int i = 0; i < 10; i++)
		event_text(&e, FIELD_ran, text_make(big, sizeof(big)));
	ck_assert_uint_le(e.n, EVENT_MAX);
	event_int(&e, FIELD_size, 5);
	event_text(&e, FIELD_text, LIT("late"));
	v = view_of(&e);
	ck_assert(event_get(&v, FIELD_ran, &f));
	ck_assert_uint_eq(f.text.n, EVENT_TEXT_MAX);
	ck_assert(!event_get(&v, FIELD_size, &f));
	ck_assert(!event_get(&v, FIELD_text, &f));
}
END_TEST

/* The longest line that an event can become. */
START_TEST(the_longest_lines_fit)
{
	struct event e;
	char nasty[EVENT_TEXT_MAX];

	memset(nasty, 1, sizeof(nasty));
	event_begin(&e, EVENT_NOTE, 0);
	for (int i = 0; i < 10; i++)
		event_text(&e, FIELD_ran, text_make(nasty, sizeof(nasty)));
	ck_assert_uint_gt(strlen(as_json(&e)), 5 * EVENT_MAX);
	as_text(&e);
	event_begin(&e, EVENT_NOTE, 0);
	for (int i = 0; i < EVENT_MAX; i++)
		event_text(&e, FIELD_message_id, LIT("\1"));
	as_text(&e);
}
END_TEST

START_TEST(damaged_bytes_are_no_event)
{
	struct event e = full_event();
	struct event_view v;

	for (size_t n = 0; n < e.n; n++) {
		if (event_parse(e.bytes, n, &v)) { /* cut between two fields */
			struct field_view f;
			size_t offset = 0;
			while (event_next(&v, &offset, &f))
				;
			ck_assert_uint_eq(offset, v.n);
		}
	}
	e.bytes[0] = EVENT_TYPES;
	ck_assert(!event_parse(e.bytes, e.n, &v));
	e = full_event();
	e.bytes[5] = 1;
	ck_assert(!event_parse(e.bytes, e.n, &v));
	e = full_event();
	e.bytes[16 + 2] = 15; /* an address of 15 bytes */
	ck_assert(!event_parse(e.bytes, e.n, &v));
	e.bytes[16 + 3] = 0xff; /* beyond the end */
	ck_assert(!event_parse(e.bytes, e.n, &v));
	e = full_event();
	ck_assert(!event_parse(e.bytes, EVENT_MAX + 1, &v));
}
END_TEST

START_TEST(fields_of_a_later_version_are_passed_over)
{
	struct event e;

	event_begin(&e, EVENT_NOTE, 0);
	event_text(&e, FIELD_helo, LIT("a"));
	e.bytes[16] = EVENT_FIELDS;
	event_text(&e, FIELD_text, LIT("b"));
	ck_assert_str_eq(as_text(&e), "note text=b");
}
END_TEST

START_TEST(names_and_weights_come_from_the_table)
{
	ck_assert_str_eq(event_field_name(FIELD_recipients_refused), "recipients-refused");
	ck_assert_str_eq(event_type_name(EVENT_INCIDENT), "incident");
	ck_assert_int_eq(event_field_type(FIELD_ran), FIELD_TEXTS_);
	ck_assert(event_matters(EVENT_BLOCK));
	ck_assert(!event_matters(EVENT_SESSION));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("event");
	TCase *tc = tcase_create("event");

	tcase_add_test(tc, reads_what_was_written);
	tcase_add_test(tc, reads_as_a_line);
	tcase_add_test(tc, a_client_forges_no_field_and_no_line);
	tcase_add_test(tc, json_holds_utf8_and_marks_what_is_none);
	tcase_add_test(tc, numbers_keep_their_sign);
	tcase_add_test(tc, long_texts_are_cut_and_late_ones_left_out);
	tcase_add_test(tc, the_longest_lines_fit);
	tcase_add_test(tc, damaged_bytes_are_no_event);
	tcase_add_test(tc, fields_of_a_later_version_are_passed_over);
	tcase_add_test(tc, names_and_weights_come_from_the_table);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
