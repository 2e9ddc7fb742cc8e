/* Verifying the example of RFC 8463 A.3, signed by Ed25519 and by RSA: what the library and OpenSSL
 * load at their first use is then there, and they are known to work. */
#include "worker/inspect/dkim_verify.h"

/* clang-format off */
static const char example[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n"
    "\r\n"
    "Joe.\r\n";

static const struct dns_record keys_of_example[] = {
    {.text = LIT("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")},
    {.text = LIT("v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
		 "Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1L"
		 "xj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB")},
};
/* clang-format on */

enum { SIGNED_AT = 1528637909, FIELDS = 2 };

static bool next_piece(void *self, struct text *out)
{
	struct text *rest = self;

	*out = *rest;
	*rest = LIT("");
	return true;
}

static bool verify_example(struct arena *a)
{
	const struct header *h = header_parse(text_of(example), 0, a);
	struct text body = text_make(example + h->size, sizeof(example) - 1 - h->size);
	struct dkim_fields fields;
	struct dkim_key keys[DKIM_SIGNATURES_MAX];
	struct dkim_verdict verdicts[DKIM_SIGNATURES_MAX] = {0};
	const struct dkim_work w = {h, &fields, keys, verdicts, next_piece, &body};

	dkim_fields_of(h, SIGNED_AT, a, &fields);
	if (fields.count != FIELDS)
		return false;
	for (size_t i = 0; i < FIELDS; i++) {
		const struct known_answer answer = {
		    .status = DNS_OK, .records = &keys_of_example[i], .count = 1};

		if (dkim_key_read(&answer, &fields.v[i], a, &keys[i]) != DKIM_REASON_NONE)
			return false;
	}
	return dkim_judge(&w) && verdicts[0].reason == DKIM_REASON_NONE &&
	       verdicts[1].reason == DKIM_REASON_NONE;
}

bool dkim_prepare(void)
{
	struct arena a;
	bool works;

	arena_init(&a, NULL, NULL);
	works = dkim_judge_open() && verify_example(&a);
	arena_reset(&a);
	return works;
}
