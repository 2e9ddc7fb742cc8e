"""What has broken TLS in mail servers (and what a scanner looks for), each against a real daemon: it lives, and says no."""
import os
import re
import socket
import ssl
import subprocess
import tempfile

import pytest

from certificates import RSA, Pair
from daemon import PATIENCE, Daemon, free_port
from test_tls import Secure, context, s_client

FOLDER = tempfile.TemporaryDirectory(prefix="gatepost-certs-")


@pytest.fixture(scope="module")
def server():
    ec, rsa = Pair(FOLDER.name, "mx1.test"), Pair(FOLDER.name, "mx1.test", RSA, file="rsa")
    other = Pair(FOLDER.name, "other.test")
    d = Daemon(options={"workers": 1, "max-client-sessions": 2000})
    d.implicit = free_port()
    d.sections = (f'certificate "mx1.test" {{ chain = {{ "{ec.chain}", "{rsa.chain}" }} key = {{ "{ec.key}", "{rsa.key}" }} }}\n'
                  f'{other.section()}\nlistener "submissions" {{ address = {{ "127.0.0.1:{d.implicit}" }} tls = "implicit" }}')
    yield d.start()
    assert d.status()["worker_deaths"] == 0
    d.stop()


def lives(server):
    with Secure(server.port) as c:
        assert c.cmd("NOOP") == 250


def client_hello(name):
    """A client's first words, as OpenSSL says them, with `name` (bytes) in the extension for the server's name."""
    stand_in = "x" * len(name) if len(name) < 64 else ".".join(["x" * 62] * 5)[:len(name)]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context().wrap_bio(incoming, outgoing, server_hostname=stand_in)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    head = b"\0" + len(name).to_bytes(2, "big")
    assert hello.count(head + stand_in.encode()) == 1
    return hello.replace(head + stand_in.encode(), head + name)


def answer_to(server, hello):
    """What comes back: "hello" (a ServerHello), "alert", or "end"."""
    with socket.create_connection(("127.0.0.1", server.implicit), PATIENCE) as s:
        s.sendall(hello)
        kind = s.recv(1)
        return {b"\x16": "hello", b"\x15": "alert", b"": "end"}[kind]


def test_a_name_of_every_byte(server):
    """Exim's CVE-2019-15846 was a name that ended in a backslash."""
    for byte in range(256):
        for name in (bytes([byte]) * 4, b"mx1" + bytes([byte])):
            assert answer_to(server, client_hello(name)) in ("hello", "alert", "end")
    lives(server)


@pytest.mark.parametrize("name", [b"\\", b"mx1.test\\", b"x" * 255, b"\\" * 255, b"." * 255, b"*.test", b"${run{/bin/true}}",
                                  b"%n%n%s%s", b"xn--80ak6aa92e.test", b"..", b".test", b"mx1.test.", b"127.0.0.1", b"-"])
def test_strange_names(server, name):
    assert answer_to(server, client_hello(name)) in ("hello", "alert")
    lives(server)


def test_an_empty_name_and_lies_about_its_length(server):
    hello = client_hello(b"abcdefgh.test")
    at = hello.index(b"abcdefgh.test")
    for length in (0, 1, 12, 14, 255, 0xffff):
        lie = hello[:at - 2] + length.to_bytes(2, "big") + hello[at:]
        assert answer_to(server, lie) in ("alert", "end", "hello")
    lives(server)


def test_a_customer_is_shown_to_nobody_who_asks_for_another(server):
    """Whatever is asked for: the default, on purpose."""
    for name in ("nobody.test", "other.test.", "xother.test", "*.test", "OTHER.TEST\\"):
        out = s_client(server.port, "-servername", name)
        assert "CN = mx1.test" in out and "CN = other.test" not in out, name


def test_hellos_cut_and_mangled(server):
    hello = client_hello(b"mx1.test")
    for n in range(1, len(hello), 7):
        with socket.create_connection(("127.0.0.1", server.implicit), PATIENCE) as s:
            s.sendall(hello[:n])
    for at in range(0, len(hello), 3):
        answer_to(server, hello[:at] + bytes([hello[at] ^ 0xff]) + hello[at + 1:] + b"\0" * 600)
    lives(server)


def test_renegotiations_by_the_thousand(server):
    """CVE-2021-3449.  The first is refused; who asks a thousand times has asked once."""
    for _ in range(3):
        p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-starttls", "smtp", "-tls1_2",
                              "-legacy_renegotiation"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            p.stdin.write("R\n" * 1000)
            p.stdin.flush()
        except BrokenPipeError:
            pass
        assert p.wait(PATIENCE) != 0
        assert "no renegotiation" in p.stdout.read()
        p.stdin.close()
    lives(server)


def test_key_updates_without_end(server):
    """TLS 1.3 has them in place of renegotiation: each costs us a hash and nobody an answer."""
    p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-starttls", "smtp", "-tls1_3"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        p.stdin.write("k\n" * 1000 + "QUIT\n")
        p.stdin.flush()
    except BrokenPipeError:
        pass
    p.stdin.close()
    p.wait(PATIENCE)
    p.stdout.close()
    lives(server)


@pytest.mark.parametrize("names", [["xn--" + "a" * 200 + ".test"], ["\\.test"], ["*.*.test"], ["a" * 60 + ".test"] * 40])
def test_client_certificates_with_odd_names(server, names):
    """CVE-2022-3602.  None is asked for, so none is looked at."""
    odd = Pair(FOLDER.name, "odd.test", names=names)
    out = s_client(server.port, "-cert", odd.chain, "-key", odd.key, "-servername", "mx1.test")
    assert "No client certificate CA names sent" in out
    assert "221 2.0.0" in out


def test_starttls_injections(server):
    """CVE-2011-0411, -2021-38371, -2021-33515, -2024-34083: in one packet, in two, and with the hello behind it."""
    for extra in (b"EHLO x\r\n", b"MAIL FROM:<x@example.org>\r\n", b"RSET\r\n", b"STARTTLS\r\n", b"\n", client_hello(b"mx1.test")):
        with server.client() as c:
            c.send(b"STARTTLS\r\n" + extra)
            assert c.reply() == 503
            assert c.closed()
    with server.client() as c:
        c.send("MAIL FROM:<ann@example.org>\r\nRSET\r\nSTARTTLS\r\n")  # before it, they may
        assert c.reply() == 250 and c.reply() == 250 and c.reply() == 220
        c.sock = context().wrap_socket(c.sock)
        c.send("RCPT TO:<bob@local.test>\r\n")
        assert c.reply() == 503  # no MAIL is left
    server.wait_event("session", end="plain text after STARTTLS")


def test_other_protocols(server):
    """ALPACA: a browser that was led here gets one reply and no second."""
    for port, first in ((server.port, client_hello(b"mx1.test")), (server.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                        (server.implicit, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (server.implicit, b"EHLO plain.example\r\n")):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
            s.sendall(first)
            got = b""
            while part := s.recv(4096):
                got += part
            assert b"250" not in got
            assert len(re.findall(rb"^[245]\d\d ", got, re.M)) <= 2
    for alpn in (["http/1.1"], ["h2"], ["imap"], ["ftp"], ["pop3"]):
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            Secure(server.implicit, implicit=True, tls=context(alpn=alpn))
    lives(server)


# What testssl looks for, by the numbers of the cipher suites, since a client of today can't speak most of them.
WEAK = {"NULL": (0x0001, 0x0002, 0x003b, 0xc010), "export": (0x0003, 0x0006, 0x0008), "RC4": (0x0004, 0x0005, 0xc011, 0xc007),
        "DES": (0x0009, 0x000a, 0x0016, 0xc012), "nobody's (anon)": (0x0018, 0x0034, 0x006c, 0x00a6, 0xc018),
        "without forward secrecy": (0x002f, 0x0035, 0x003c, 0x009c, 0x009d), "DHE": (0x0033, 0x0067, 0x009e, 0x009f),
        "CBC": (0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028), "IDEA, SEED": (0x0007, 0x0096),
        "Camellia, ARIA": (0x0041, 0xc03c, 0xc076, 0xc05c), "CCM, PSK": (0xc0ac, 0xc0ae, 0x008c, 0x00a8)}


def hello_of(suites, version=ssl.TLSVersion.TLSv1_2):
    """A ClientHello of TLS 1.2 that offers these suites."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context(version).wrap_bio(incoming, outgoing, server_hostname="mx1.test").do_handshake()
    hello = outgoing.read()
    at = 5 + 4 + 2 + 32  # record, message, version, random
    at += 1 + hello[at]  # session
    old = int.from_bytes(hello[at:at + 2], "big")
    body = hello[9:at] + (2 * len(suites)).to_bytes(2, "big") + b"".join(x.to_bytes(2, "big") for x in suites) + hello[at + 2 + old:]
    return hello[:3] + (len(body) + 4).to_bytes(2, "big") + b"\1" + len(body).to_bytes(3, "big") + body


@pytest.mark.parametrize("kind", WEAK)
def test_nothing_weak_is_spoken(server, kind):
    for suite in WEAK[kind]:
        assert answer_to(server, hello_of([suite])) == "alert", hex(suite)
    assert answer_to(server, hello_of([*WEAK[kind], 0xc02f])) == "hello"


def test_old_protocols_are_not_spoken(server):
    good = hello_of([0xc02f])
    for minor in (0, 1, 2):  # SSL 3, TLS 1.0, 1.1
        assert answer_to(server, good[:9] + bytes([3, minor]) + good[11:]) == "alert"
    assert answer_to(server, b"\x80\x2e\x01\x00\x02" + b"\0" * 43) in ("alert", "end")  # SSL 2
    assert answer_to(server, good) == "hello"


def test_what_a_scanner_wants_to_see(server):
    out = s_client(server.port, "-tls1_2", "-servername", "mx1.test")
    assert "Secure Renegotiation IS supported" in out
    assert "Compression: NONE" in out
    assert "Extended master secret: yes" in out
    assert re.search(r"Server Temp Key: X25519", out)
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        assert f"Cipher is {suite}" in s_client(server.port, "-tls1_3", "-ciphersuites", suite)
    for group, spoken in (("X25519", True), ("P-256", True), ("P-384", True), ("P-521", False), ("ffdhe2048", False)):
        assert ("Cipher is (NONE)" not in s_client(server.port, "-groups", group)) == spoken, group
    # A handshake that claims to be a second try at less is refused (RFC 7507), and one of SHA-1 signatures is.
    assert "inappropriate fallback" in s_client(server.port, "-tls1_2", "-fallback_scsv")
    assert "Cipher is (NONE)" in s_client(server.port, "-tls1_2", "-sigalgs", "RSA+SHA1:ECDSA+SHA1", "-cipher", "ALL@SECLEVEL=0")


def test_no_early_data(server):
    """0-RTT can be played again by anybody; mail delivered twice."""
    path = f"{FOLDER.name}/session"
    s_client(server.port, "-tls1_3", "-sess_out", path)
    if os.path.exists(path):
        assert "Max Early Data: 0" in s_client(server.port, "-tls1_3", "-sess_in", path)
