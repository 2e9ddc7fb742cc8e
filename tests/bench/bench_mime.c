/* What the MIME walker costs: a mail of 5 KB (text and HTML, twenty header fields), one of 1 MB
 * with an attachment in base64, and a megabyte of plain text; fed in pieces as the network has
 * them. */
#include "policy/message/mime.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PIECE = 4096, MESSAGE_MAX = 1200000, ROUNDS = 5 };

static const struct mime_bounds bounds = {50, 1000, 2000, 4096};
static char message[MESSAGE_MAX];
static size_t message_n;

static void add(const char *text)
{
	const size_t n = strlen(text);

	if (n > sizeof(message) - message_n)
		exit(1);
	memcpy(message + message_n, text, n);
	message_n += n;
}

static void add_header(void)
{
	message_n = 0;
	add("Received: from mail-a.example.org (mail-a.example.org [192.0.2.1])\r\n\tby "
	    "mx.example.net "
	    "(Postfix) with ESMTPS id 4F1B2C3D4E\r\n\tfor <b@example.net>; Tue, 24 Nov 2026 "
	    "08:00:00 "
	    "+0000 (UTC)\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; "
	    "s=k1;\r\n\tt=1606204800; h=from:to:subject:date:message-id:mime-version;\r\n\t"
	    "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=");
	for (int i = 0; i < 5; i++)
		add("dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZ\r\n\t ");
	add("\r\n");
	for (int i = 0; i < 12; i++)
		add("X-Field-Of-Some-Kind: a value as such fields have them\r\n");
	add("From: Ann <ann@example.org>\r\nTo: Bob <b@example.net>\r\nSubject: a report\r\n"
	    "Message-ID: <1@example.org>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n"
	    "MIME-Version: 1.0\r\n");
}

static void small_mail(void)
{
	add_header();
	add("Content-Type: multipart/alternative; boundary=\"000000000000abc\"\r\n\r\n"
	    "--000000000000abc\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\n\r\n");
	while (message_n < 2800)
		add("Some words in a line that is as long as such lines usually are.\r\n");
	add("--000000000000abc\r\nContent-Type: text/html; charset=\"UTF-8\"\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	while (message_n < 5000)
		add("<p>Some words in a line that is as long as such lines =C3=BC usually=\r\n");
	add("--000000000000abc--\r\n");
}

static void large_mail(void)
{
	add_header();
	add("Content-Type: multipart/mixed; boundary=\"abc\"\r\n\r\n--abc\r\n\r\nSee the file.\r\n"
	    "--abc\r\nContent-Type: application/octet-stream; name=\"=?utf-8?Q?f=C3=BCr?=.bin\"\r\n"
	    "Content-Disposition: attachment;\r\n filename*=utf-8''f%C3%BCr.bin\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	while (message_n < 1000000)
		add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4\r"
		    "\n");
	add("--abc--\r\n");
}

static void text_mail(void)
{
	add_header();
	add("\r\n");
	while (message_n < 1000000)
		add("Some words in a line that is as long as such lines usually are.\r\n");
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* As a worker does it: a transaction's arena, pieces, the end. */
static size_t walk(size_t *memory)
{
	struct arena a;
	struct mime *m;
	size_t parts;

	arena_init(&a, NULL, NULL);
	m = mime_begin(&a, &bounds);
	for (size_t at = 0; at < message_n; at += PIECE)
		mime_feed(m, message + at, message_n - at < PIECE ? message_n - at : PIECE);
	parts = mime_end(m)->count;
	*memory = a.used;
	arena_reset(&a);
	return parts;
}

static void measure(const char *what, void (*make)(void), int times)
{
	int64_t best = INT64_MAX;
	size_t parts = 0, memory = 0;

	make();
	for (int round = 0; round < ROUNDS; round++) {
		const int64_t start = now_ns();

		for (int i = 0; i < times; i++)
			parts = walk(&memory);
		const int64_t ns = (now_ns() - start) / times;

		if (ns < best)
			best = ns;
	}
	printf("%-28s %8zu bytes, %zu parts: %8.2f us a mail, %6.1f ns a KB, %zu bytes of memory\n",
	       what, message_n, parts, (double)best / 1000, (double)best * 1024 / (double)message_n,
	       memory);
}

int main(void)
{
	measure("mime: text and HTML", small_mail, 20000);
	measure("mime: attachment in base64", large_mail, 200);
	measure("mime: plain text", text_mail, 200);
	return 0;
}
