"""What has broken mail servers: each test names the class (CVE numbers stand for it).  After each the
workers still live, another session was not cut, and a new one is greeted within a second or so.

Replies of next hops: test_delivery.py.  Other protocols' first lines, too: tests/smtp/http*.smtp."""
import glob
import os
import re
import socket
import struct
import time

import pytest

from daemon import Daemon
from hop_process import HopProcess
from smtp import Client

HEAD = "From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nSubject: x\r\n"
SANITIZED = "asan" in os.environ.get("GATEPOST_BUILD", "build/asan")
PROXY = "127.0.0.8"


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    """A daemon whose patience with errors is endless, in front of a strict next hop."""
    hop = HopProcess(tmp_path_factory.mktemp("hop")).start()
    d = Daemon(options={"max-errors": 10000, "max-messages": 100000, "max-client-sessions": 1000},
               hop_port=hop.port)
    try:
        d.start()
        d.hop = hop
        yield d
    finally:
        d.stop()
        hop.stop()


@pytest.fixture(autouse=True)
def lives(edge):
    children = edge.children()
    with edge.client() as bystander:
        yield
        assert edge.children() == children, "a child has died, or was made:\n" + edge.log()[-3000:]
        assert bystander.cmd("NOOP") == 250
        begun = time.monotonic()
        with edge.client() as c:
            assert c.greeting == 220
        assert time.monotonic() - begun < (5 if SANITIZED else 1)


def resident_kib(d):
    total = 0
    for pid in d.children("worker"):
        with open(f"/proc/{pid}/statm") as f:
            total += int(f.read().split()[1]) * 4
    return total


def flat(before, after, kib=16384):
    """The sanitizer keeps freed memory on purpose."""
    assert SANITIZED or after - before < kib, f"grew from {before} to {after} KiB"


def replies(client, n):
    return [client.reply().code for _ in range(n)]


# --- Postfix CVE-2023-51764, Exim -51766, Sendmail -51765: a false end of data


SMUGGLED = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<eve@hop.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi"
BREAKS = ["\r\n", "\n", "\r", "\r\0\n", "\0\r\n", "\r\n\0", "\n\r", "\r\r\n", "\n\n", "\r\r", "\0", ""]
DOTS = [".", "\0.", ".\0", "..", ". "]


def false_ends():
    """All that isn't CR LF . CR LF, nor ends in it."""
    for a in BREAKS:
        for dot in DOTS:
            for b in BREAKS:
                end = a + dot + b
                if "\r\n.\r\n" not in end and b not in ("", "\0"):
                    yield end


def judge(hop_messages, name):
    """What a next hop may have been told, however it reads it."""
    assert len(hop_messages) == 1, f"{name!r}: the next hop took {len(hop_messages)} messages"
    raw = hop_messages[0]["raw"]
    assert hop_messages[0]["to"] == ["<bob@hop.test>"], name
    assert b"\0" not in raw
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", raw), f"{name!r}: a bare newline went on"
    # Dots are stuffed: to no reader is there a line that is just a dot.
    assert b"." not in re.split(rb"\r\n|\r|\n", raw), f"{name!r}: an end of data inside"
    assert b"smuggled" in raw


def test_smuggling_by_data(edge):
    """Every false end, sent as a whole and then byte by byte."""
    c = edge.client()
    count = len(edge.hop.messages)
    for end in false_ends():
        for cut in (False, True):
            assert c.mail() == 250 and c.rcpt("bob@hop.test") == 250
            assert c.cmd("DATA") == 354
            c.send(HEAD + "\r\nbefore")
            for piece in (end if cut else [end]):
                c.send(piece)
            c.send(SMUGGLED + "\r\n.\r\n")
            assert c.reply() == 250, repr(end)
            # Nothing of what was smuggled is answered.
            assert c.cmd("NOOP") == 250, repr(end)
    taken = edge.hop.messages[count:]
    ends = [e for e in false_ends() for _ in range(2)]
    assert len(taken) == len(ends)
    for end, message in zip(ends, taken):
        judge([message], end)
    c.quit()


def test_smuggling_at_every_split(edge):
    """The ends that have worked elsewhere, cut in two at each byte with a pause."""
    known = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\0\n.\r\n",
             "\r\n.\r\r\n", "\n\n.\r\n", "\r.\r\n"]
    c = edge.client()
    for end in known:
        text = HEAD + "\r\nbefore" + end + SMUGGLED + "\r\n.\r\n"
        start = text.index(end + SMUGGLED)
        for cut in range(start, start + len(end) + 2):
            count = len(edge.hop.messages)
            assert c.mail() == 250 and c.rcpt("bob@hop.test") == 250 and c.cmd("DATA") == 354
            c.send(text[:cut])
            time.sleep(0.002)
            c.send(text[cut:])
            assert c.reply() == 250, repr(end)
            judge(edge.hop.messages[count:], end)
    c.quit()


def test_smuggling_by_bdat(edge):
    """In a chunk nothing is an end; what goes on by DATA must hold none."""
    c = edge.client()
    count = len(edge.hop.messages)
    ends = list(false_ends()) + ["\r\n.\r\n", ".\r\n"]
    for end in ends:
        text = HEAD + "\r\nbefore" + end + SMUGGLED
        assert c.mail() == 250 and c.rcpt("bob@hop.test") == 250
        c.send(f"BDAT {len(text)} LAST\r\n{text}")
        assert c.reply() == 250, repr(end)
    taken = edge.hop.messages[count:]
    assert len(taken) == len(ends)
    for end, message in zip(ends, taken):
        judge([message], end)
    c.quit()


# --- Exim CVE-2017-16943, -16944: BDAT


def test_bdat_then_reset_over_and_over(edge):
    before = resident_kib(edge)
    for _ in range(5):
        c = edge.client()
        c.send("MAIL FROM:<a@example.org>\r\nRCPT TO:<bob@local.test>\r\nBDAT 10000\r\nx")
        assert replies(c, 2) == [250, 250]
        c.close()  # in the middle of the chunk
    c = edge.client()
    once = "MAIL FROM:<a@example.org>\r\nRCPT TO:<bob@local.test>\r\nBDAT 5\r\nhelloRSET\r\n"
    for _ in range(10):
        c.send(once * 100)
        assert set(replies(c, 400)) == {250}
    flat(before, resident_kib(edge))


def test_bdat_of_nothing_without_end(edge):
    c = edge.client()
    assert c.mail() == 250 and c.rcpt() == 250
    before = resident_kib(edge)
    for _ in range(10 if SANITIZED else 100):
        c.send("BDAT 0\r\n" * 1000)
        assert set(replies(c, 1000)) == {250}
    flat(before, resident_kib(edge))
    assert c.cmd("BDAT 0 LAST") == 250


# --- Exim CVE-2018-6789, -2023-42115, -42116; Cyrus SASL: AUTH


def test_auth_of_any_length(edge):
    """Not offered: refused whatever comes with it."""
    c = edge.client()
    for n in (*range(1, 40), 4095, 4096, 12288, 70000):
        assert 500 <= c.cmd("AUTH PLAIN " + "QUJD" * n + "==="[:n % 4]).code < 600
    for text in ("AUTH", "AUTH PLAIN", "AUTH PLAIN =", "AUTH EXTERNAL =", "AUTH NTLM *"):
        assert 500 <= c.cmd(text).code < 600


# --- Exim CVE-2019-10149, OpenSMTPD CVE-2020-7247: names that reach a shell


SHELL = ["${run{/bin/touch ${substr{0}{1}{$spool_directory}}tmp${substr{0}{1}{$spool_directory}}gp-x}}",
         "$(touch /tmp/gatepost-attack)", "`touch /tmp/gatepost-attack`", "%n%n%s%s%s",
         "|touch /tmp/gatepost-attack", ";touch /tmp/gatepost-attack;", "../../../../tmp/gatepost-attack",
         "{{7*7}}", "$IFS", "a;sleep${IFS}66"]


@pytest.mark.parametrize("local", SHELL)
def test_shell_in_a_local_part(edge, local):
    quoted = '"' + local.replace('"', '\\"') + '"'
    for name in (local.replace(" ", ""), quoted):
        for command in (f"MAIL FROM:<{name}@example.org>", "MAIL FROM:<x@example.org>"):
            with edge.client() as c:
                sent = c.cmd(command)
                if sent == 250:
                    to = c.rcpt(f"{name}@local.test")
                    if to == 250:
                        assert c.data(HEAD + "\r\nx\r\n").code < 600
    assert glob.glob("/tmp/gatepost-attack*") + glob.glob("/tmp/gp-x*") == []
    outside = [os.path.relpath(p, edge.mail) for p in glob.glob(f"{edge.mail}/*")]
    assert set(outside) <= {"local.test"}


def test_log_is_escaped(edge):
    """A name with quotes, line ends and controls: the line stays one, and JSON."""
    with edge.client(hello=None) as c:
        c.send(b'EHLO a"b\\c\x01\xff\n{"event":"forged"}\r\n')
        c.reply()
        c.mail('"a\\"b"@example.org')
        c.rcpt("bob@local.test")
        c.data(HEAD + "\r\nx\r\n")
    edge.wait_event("message", **{"from": '"a\\"b"@example.org'})
    assert edge.events("forged") == []


@pytest.mark.parametrize("path", ["<;sleep 66;>", "<;x;@>", "<|x|>", "<;x;>", "<@>", "<a@>", "<@b>", "<<a@b.c>",
                                  "<a@b..c>", "<a b@example.org>", "<\x01@example.org>"])
def test_path_that_is_none(edge, path):
    with edge.client() as c:
        assert 500 <= c.cmd("MAIL FROM:" + path).code < 600
        c.mail()
        assert 500 <= c.cmd("RCPT TO:" + path).code < 600


# --- Exim CVE-2019-16928: a long EHLO


def test_long_hello(edge):
    for power in range(21):
        with edge.client(hello=None) as c:
            r = c.cmd("EHLO " + "a" * 2 ** power)
            assert r == 250 or 500 <= r.code < 600, power
            if r == 250:
                assert c.message() == 250


# --- 21Nails CVE-2020-28017: count of recipients


def test_recipients_without_end(edge):
    c = edge.client()
    assert c.mail() == 250
    total, codes = (5000 if SANITIZED else 200000), []
    before = None
    while len(codes) < total:
        n = len(codes)
        c.send("".join(f"RCPT TO:<u{n + i}@local.test>\r\n" for i in range(1000)))
        try:
            codes += replies(c, 1000)
        except EOFError:
            break
        before = before or resident_kib(edge)
    assert codes[:200] == [250] * 200
    rest = codes[200:]
    assert set(rest) <= {452, 421}, set(rest)
    assert 421 not in rest[:5000], "452 is no error of the client's"
    flat(before, resident_kib(edge))
    c.close()


# --- 21Nails CVE-2020-28020, -28023, -28024, -28026; SpamAssassin CVE-2017-15705: sizes


SIZES = [2 ** 16 - 1, 2 ** 16, 2 ** 16 + 1, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1]


@pytest.mark.parametrize("size", SIZES)
def test_line_of_size(edge, size):
    """A line of the body goes on byte for byte, or is refused; so does a field."""
    with edge.client() as c:
        line = ("y" * (size - 2) + "\r\n").encode()
        r = c.message(to="bob@hop.test", text=HEAD.encode() + b"\r\n" + line)
        assert r == 250 or 500 <= r.code < 600
        if r == 250:
            assert edge.hop.messages[-1]["raw"].endswith(b"\r\n" + line)
        r = c.message(to="bob@hop.test", text=HEAD + "X-Y: " + "z" * (size - 7) + "\r\n\r\nx\r\n")
        assert r == 250 or 500 <= r.code < 600
        if size > 300000:
            assert r == 552
        # As a command it is too long, and the session goes on.
        assert 500 <= c.cmd("NOOP " + "n" * (size - 7)).code < 600
        assert c.message() == 250


def test_header_that_is_huge(edge):
    """A million addresses; and a header section that never ends: refused, in time and memory."""
    before = resident_kib(edge)
    begun = time.monotonic()
    with edge.client() as c:
        to = "To: " + ",\r\n ".join(f"u{i}@local.test" for i in range(1000000)) + "\r\n"
        assert c.message(text=HEAD + to + "\r\nx\r\n") == 552
        assert c.message(text=HEAD + "X-A: b\r\n" * 3000000 + "\r\nx\r\n") == 552
        assert c.message(text=HEAD + "X-A: b\r\n" * 100 + " folded\r\n" * 20000 + "\r\nx\r\n").code in (250, 552)
        assert c.message() == 250
    assert time.monotonic() - begun < 60
    flat(before, resident_kib(edge), 65536)


@pytest.mark.parametrize("params", [
    " AUTH=x+0D+0AX-Evil:1", " AUTH=<>+0D+0A.+0D+0A", " ENVID=x+0D+0AX-Evil:1", " AUTH=x\r", " AUTH=+", " AUTH=+0",
    " ENVID=" + "+0A" * 30])
def test_xtext_of_mail_is_no_line_end(edge, params):
    """21Nails CVE-2020-28021 and its like: +0D+0A stays as it is, or is refused."""
    count = len(edge.hop.messages)
    with edge.client() as c:
        r = c.mail(params=params)
        if r == 250:
            assert c.rcpt("bob@hop.test") == 250
            assert c.data(HEAD + "\r\nx\r\n") == 250
            message = edge.hop.messages[-1]
            assert "X-Evil" not in message["from"] or "+0D+0A" in message["from"]
            assert b"X-Evil" not in message["raw"]
            assert len(edge.hop.messages) == count + 1
        else:
            assert 500 <= r.code < 600


@pytest.mark.parametrize("params", [" ORCPT=rfc822;bob+0D+0ARCPT+20TO:<eve@hop.test>", " ORCPT=rfc822;a+0Ab",
                                    " NOTIFY=NEVER,", " ORCPT=;", " ORCPT=rfc822;" + "a" * 900])
def test_xtext_of_rcpt_is_no_line_end(edge, params):
    count = len(edge.hop.messages)
    with edge.client() as c:
        assert c.mail() == 250
        r = c.rcpt("bob@hop.test", params)
        if r == 250:
            assert c.data(HEAD + "\r\nx\r\n") == 250
            assert len(edge.hop.messages) == count + 1
            assert len(edge.hop.messages[-1]["to"]) == 1
        else:
            assert 500 <= r.code < 600


# --- Exim CVE-2023-42117: PROXY


def v2(command, family, body, length=None):
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family])
            + struct.pack(">H", len(body) if length is None else length) + body)


TCP4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack(">HH", 1000, 25)
BAD_PROXY = {
    **{f"v1 of {n}": b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 25" + b" " * (n - 39) for n in (106, 107, 108, 200)},
    "v1 LF": b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\n",
    "v1 family": b"PROXY TCP5 192.0.2.1 192.0.2.2 1000 25\r\n",
    "v1 mixed": b"PROXY TCP4 2001:db8::1 192.0.2.2 1000 25\r\n",
    "v1 port": b"PROXY TCP4 192.0.2.1 192.0.2.2 99999 25\r\n",
    "v1 empty": b"PROXY\r\n",
    "v1 no end": b"PROXY TCP4 192.0.2.1",
    "no proxy": b"EHLO x\r\n",
    "v2 short": v2(0x21, 0x11, TCP4[:8]),
    "v2 length past the end": v2(0x21, 0x11, TCP4, 400),
    "v2 length of 65535": v2(0x21, 0x11, TCP4, 65535),
    "v2 version": v2(0x31, 0x11, TCP4),
    "v2 command": v2(0x2f, 0x11, TCP4),
    "v2 zero length": v2(0x21, 0x11, b""),
}


@pytest.mark.parametrize("name", BAD_PROXY)
def test_bad_proxy_header(edge, name):
    """Closed within a second or so, without a word."""
    with Client(edge.port, source=PROXY, greet=False) as c:
        c.send(BAD_PROXY[name])
        assert c.closed(5)
        assert c.buffer == b""


@pytest.mark.parametrize("header", [
    v2(0x20, 0x00, b""), v2(0x21, 0x11, TCP4), v2(0x21, 0x11, TCP4 + b"\x04\x00\x02ab"), b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
    b"PROXY TCP6 2001:db8::1 2001:db8::2 1000 25\r\n"])
def test_good_proxy_header_at_every_split(edge, header):
    for cut in range(1, len(header), 3):
        with Client(edge.port, source=PROXY, greet=False) as c:
            c.send(header[:cut])
            c.send(header[cut:] + b"NOOP\r\n")
            assert c.reply() == 220
            assert c.reply() == 250


def test_tlvs_past_the_end(edge):
    """Their lengths are no concern of ours: either taken or closed, and nothing is read beyond."""
    for tlv in (b"\x04\xff\xffab", b"\x04", b"\x04\x00"):
        with Client(edge.port, source=PROXY, greet=False) as c:
            c.send(v2(0x21, 0x11, TCP4 + tlv))
            try:
                assert c.reply() == 220
            except EOFError:
                pass


def test_proxy_header_of_a_stranger(edge):
    """Not taken as one: a command that is unknown, and the client stays who he is."""
    for header in (b"PROXY TCP4 127.0.0.9 192.0.2.2 1000 25\r\n", v2(0x21, 0x11, TCP4)):
        with Client(edge.port, greet=False) as c:
            c.send(header)
            assert c.reply() == 220
            assert 500 <= c.reply().code < 600
    with Client(edge.port, greet=False) as c:
        c.send(b"PROXY TCP4 127.0.0.9 192.0.2.2 1000 25\r\nEHLO x\r\nMAIL FROM:<a@example.org>\r\n"
               b"RCPT TO:<b@elsewhere.test>\r\n")
        codes = replies(c, 5)
    assert codes[:4] == [220, codes[1], 250, 250] and codes[4] >= 500, codes


# --- ALPACA CVE-2021-3618: other protocols


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /x HTTP/1.1\r\n\r\nMAIL FROM:<a@b.c>\r\n",
                                   b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_other_protocol(edge, first):
    with edge.client(hello=None) as c:
        c.send(first)
        assert 500 <= c.reply().code < 600
        assert c.closed(8)
        assert c.buffer.count(b"\r\n") <= 1, c.buffer


# --- qmail CVE-2005-1513: numbers past 32 and 64 bits


HUGE = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1, 2 ** 64,
        2 ** 64 + 1, 10 ** 40]


@pytest.mark.parametrize("size", HUGE)
def test_numbers_past_their_word(edge, size):
    with edge.client() as c:
        assert 500 <= c.mail(params=f" SIZE={size}").code < 600
        assert c.mail() == 250 and c.rcpt() == 250
        c.send(f"BDAT {size}\r\n")
        if size <= 2 ** 31:
            c.send(b"x" * 100000)  # it is read, and may go on so for long
        else:
            assert 500 <= c.reply().code < 600
            assert c.closed(8)
    with edge.client() as c:
        # A field that claims a size is a field.
        assert c.message(headers=f"Content-Length: {size}\r\n") == 250
        assert 500 <= c.mail(params=f" SIZE=-{size}").code < 600


# --- Dovecot CVE-2019-11500: NUL and controls in commands and quoted strings


def test_nul_and_controls(edge):
    with edge.client() as c:
        for n in range(1, 32):
            if chr(n) in "\r\n":
                continue
            assert 500 <= c.mail(f'"a{chr(n)}b"@example.org').code < 600, n
        for text in ('MAIL FROM:<"a\0b"@example.org>', "\0", "NOOP\0", 'MAIL FROM:<"a\\\0"@example.org>',
                     "MAIL FROM:<a@example.org\0>", "EHLO x\0y"):
            assert 500 <= c.cmd(text).code < 600, repr(text)
        for text in ('<"a@example.org>', '<"a\\"@example.org>', '<"a\\>', '<">', '<"', '<"\\'):
            assert 500 <= c.cmd("MAIL FROM:" + text).code < 600, repr(text)
        assert c.message() == 250


# --- CVE-2021-38371 and its like: what is pipelined behind STARTTLS


def test_starttls_is_not_offered(edge):
    with edge.client() as c:
        assert "STARTTLS" not in str(c.hello)
        c.send("STARTTLS\r\nMAIL FROM:<x@example.org>\r\n")
        assert 500 <= c.reply().code < 600
        assert c.reply() == 250
