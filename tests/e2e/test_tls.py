"""TLS towards clients: STARTTLS (RFC 3207) and implicit, with the peers that are out there."""
import smtplib
import socket
import ssl
import subprocess
import tempfile

import pytest

from certificates import EC, RSA, Pair
from daemon import PATIENCE, Daemon, free_port
from smtp import Client

FOLDER = tempfile.TemporaryDirectory(prefix="gatepost-certs-")


def context(version=None, ciphers=None, alpn=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if version:
        c.minimum_version = c.maximum_version = version
    if ciphers:
        c.set_ciphers(ciphers)
    if alpn:
        c.set_alpn_protocols(alpn)
    return c


class Secure(Client):
    """A Client that has spoken STARTTLS, or TLS from the first byte."""

    def __init__(self, port, implicit=False, tls=None, name="mx1.test", session=None, hello="client.example",
                 source="127.0.0.1"):
        super().__init__(port, source=source, greet=False)
        tls = tls or context()
        if not implicit:
            assert self.reply() == 220
            assert self.cmd(f"EHLO {hello}") == 250
            assert self.cmd("STARTTLS") == 220
        self.sock = tls.wrap_socket(self.sock, server_hostname=name, session=session)
        if implicit:
            self.greeting = self.reply()
        self.hello = self.cmd(f"EHLO {hello}") if hello else None


@pytest.fixture(scope="module")
def server():
    """Listeners: mx (offered), submission (required), submissions (implicit), plain (off)."""
    pair = Pair(FOLDER.name, "mx1.test")
    rsa = Pair(FOLDER.name, "mx1.test", RSA, file="mx1-rsa")
    other = Pair(FOLDER.name, "other.test", names=["other.test", "*.wild.test"])
    d = Daemon()
    d.ports = {name: free_port() for name in ("required", "implicit", "off")}
    d.sections = "\n".join(
        [f'certificate "mx1.test" {{ chain = {{ "{pair.chain}", "{rsa.chain}" }} key = {{ "{pair.key}", "{rsa.key}" }} }}',
         other.section()] +
        [f'listener "{n}" {{ address = {{ "127.0.0.1:{p}" }} tls = "{n}" }}' for n, p in d.ports.items()])
    yield d.start()
    d.stop()


def s_client(port, *args, send="QUIT\r\n", starttls=True):
    """What openssl s_client prints."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof",
                           *(["-starttls", "smtp"] if starttls else []), *args],
                          input=send, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout + done.stderr


def test_starttls_with_openssl(server):
    out = s_client(server.port, "-CAfile", f"{FOLDER.name}/mx1.test.pem", "-verify_hostname", "mx1.test",
                   "-servername", "mx1.test", "-quiet", "-brief",
                   send="EHLO me.example\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@local.test>\r\nQUIT\r\n")
    assert "Verification: OK" in out
    assert "TLSv1.3" in out
    assert "250 2.1.5 Ok" in out
    assert "STARTTLS" not in out  # not listed once TLS is on


def test_implicit_with_openssl(server):
    out = s_client(server.ports["implicit"], "-brief", starttls=False)
    assert "220 mx1.test ESMTP" in out
    assert "221 2.0.0" in out


def test_smtplib_delivers_and_says_so(server):
    with smtplib.SMTP("127.0.0.1", server.port, "client.example") as c:
        c.starttls(context=context())
        c.sendmail("ann@example.org", ["tina@local.test"],
                   "From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nSubject: tls\r\n\r\nHello.\r\n")
    mail = server.mailbox("tina")[0].decode()
    assert "(using TLSv1.3 TLS_AES_256_GCM_SHA384)" in mail
    assert "with ESMTPS id" in mail
    server.wait_event("message", verdict="accepted", to="tina@local.test", tls="TLSv1.3 TLS_AES_256_GCM_SHA384")


def test_swaks(server):
    for args in (["--tls", "--port", server.port], ["--tls-on-connect", "--port", server.ports["implicit"]]):
        done = subprocess.run(["swaks", "--server", "127.0.0.1", "--from", "ann@example.org", "--to",
                               "swen@local.test", *map(str, args)], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.mailbox("swen")) == 2


def test_a_large_message_comes_whole(server):
    text = "From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\n" + "x" * 70 + "\r\n"
    body = text + ("0123456789" * 7 + "\r\n") * 40000
    with Secure(server.port) as c:
        assert c.message(to="large@local.test", text=body) == 250
    assert server.mailbox("large")[0].endswith(body.encode())


def test_offered_and_listed_where_it_is(server):
    with server.client() as c:
        assert "250-STARTTLS" in c.hello.lines
    with Client(server.ports["off"]) as c:
        assert "250-STARTTLS" not in c.hello.lines
        assert c.cmd("STARTTLS") == 502
    with Secure(server.port) as c:
        assert "250-STARTTLS" not in c.hello.lines
        assert c.cmd("STARTTLS") == 503
    with Secure(server.ports["implicit"], implicit=True) as c:
        assert "250-STARTTLS" not in c.hello.lines
        assert c.cmd("STARTTLS") == 503


def test_starttls_syntax_and_place(server):
    with server.client() as c:
        assert c.cmd("STARTTLS now") == 501
        assert c.mail() == 250
        assert c.cmd("STARTTLS") == 503  # not within a transaction
        assert c.cmd("RSET") == 250
        assert c.cmd("STARTTLS") == 220


def test_plain_bytes_after_starttls_end_it(server):
    """CVE-2011-0411 and its many descendants: nothing that came in plain is answered in TLS."""
    for extra in ("MAIL FROM:<x@example.org>\r\n", "NOOP\r\n", "\r\n", "N"):
        with server.client() as c:
            c.send("STARTTLS\r\n" + extra)
            assert c.reply() == 503
            assert c.closed()
    # What comes after the 220 in plain can only be a broken handshake.
    with server.client() as c:
        assert c.cmd("STARTTLS") == 220
        c.send("MAIL FROM:<x@example.org>\r\n")
        assert c.closed()
        assert b"250" not in c.buffer


def test_what_was_said_before_is_forgotten(server):
    with Secure(server.port, hello=None) as c:
        assert c.cmd("VRFY bob") == 503  # no EHLO since
        # Clients that go on without a new EHLO are served all the same.
        assert c.mail() == 250
        assert c.rcpt() == 250
    with Client(server.port, hello=None) as c:
        assert c.cmd("STARTTLS") == 220
        c.sock = context().wrap_socket(c.sock)
        assert c.mail() == 503  # it never said a name


def test_required(server):
    with Client(server.ports["required"], hello=None) as c:
        for line in ("HELO client.example", "MAIL FROM:<ann@example.org>", "RCPT TO:<bob@local.test>", "DATA", "RSET",
                     "VRFY bob", "HELP", "AUTH PLAIN AGEAYg==", "NONSENSE"):
            assert str(c.cmd(line)) == "530 5.7.0 TLS is required", line
        c.send("BDAT 6 LAST\r\nNOOP\r\n")  # the chunk is no command
        assert str(c.reply()) == "530 5.7.0 TLS is required"
        assert c.cmd("NOOP") == 250
        assert "250-STARTTLS" in c.cmd("EHLO client.example").lines
        assert str(c.mail()) == "530 5.7.0 TLS is required"
        assert c.cmd("QUIT") == 221
    with Secure(server.ports["required"]) as c:
        assert c.message(to="rita@local.test") == 250


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_spoken(server, version):
    with Secure(server.port, tls=context(version)) as c:
        assert c.sock.version() == version.name.replace("_", ".")


@pytest.mark.parametrize("cipher", ["-tls1", "-tls1_1"])
def test_versions_that_are_not(server, cipher):
    out = s_client(server.port, cipher, "-cipher", "ALL:@SECLEVEL=0")
    assert "Cipher is (NONE)" in out or "no protocols available" in out, out


GOOD = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"]
BAD = ["AES128-GCM-SHA256", "AES256-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
       "DHE-RSA-AES128-GCM-SHA256", "aNULL", "eNULL", "CAMELLIA128-SHA"]


def test_ciphers_as_a_scanner_sees_them(server):
    for cipher in GOOD:
        with Secure(server.port, tls=context(ssl.TLSVersion.TLSv1_2, cipher)) as c:
            assert c.sock.cipher()[0] == cipher
    for cipher in BAD:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Secure(server.port, tls=context(ssl.TLSVersion.TLSv1_2, cipher + ":@SECLEVEL=0"))


def test_a_handshake_that_fails_is_told_to_the_log(server):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Secure(server.port, tls=context(ssl.TLSVersion.TLSv1_2, "AES256-SHA"), source="127.0.0.31")
    server.wait_event("session", client="127.0.0.31", end="TLS handshake failed", text="no shared cipher")


def test_renegotiation_is_refused(server):
    p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-starttls", "smtp", "-tls1_2",
                          "-legacy_renegotiation"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    p.stdin.write("R\n")
    p.stdin.flush()  # left open: it ends by itself
    assert p.wait(PATIENCE) != 0
    assert "no renegotiation" in p.stdout.read()
    p.stdin.close()


def test_alpn(server):
    with Secure(server.port, tls=context(alpn=["smtp"])) as c:
        assert c.sock.selected_alpn_protocol() == "smtp"
    for other in (["http/1.1"], ["h2", "imap"]):
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            Secure(server.ports["implicit"], implicit=True, tls=context(alpn=other))


def test_http_inside_tls(server):
    with Secure(server.ports["implicit"], implicit=True, hello=None) as c:
        c.send("POST / HTTP/1.1\r\nHost: mx1.test\r\n\r\nMAIL FROM:<x@example.org>\r\n")
        assert c.closed()
        assert b"250" not in c.buffer


def peer_of(server, name, **kw):
    """The names in the certificate that a client gets which asks for `name`, and the type of its key."""
    out = s_client(server.port, *(["-servername", name] if name else ["-noservername"]), *kw.get("args", ()))
    pem = out[out.index("-----BEGIN"):out.index("-----END CERTIFICATE-----") + 26]
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True, text=True).stdout
    kind = "ec" if "id-ecPublicKey" in text else "rsa"
    return text.split("Subject: CN = ")[1].split("\n")[0], kind


@pytest.mark.parametrize("asked, gets", [
    ("mx1.test", "mx1.test"), ("other.test", "other.test"), ("OTHER.test", "other.test"),
    ("a.wild.test", "other.test"), ("a.b.wild.test", "mx1.test"), ("wild.test", "mx1.test"),
    ("nobody.test", "mx1.test"), (None, "mx1.test")])
def test_names(server, asked, gets):
    assert peer_of(server, asked)[0] == gets


def test_two_kinds_of_key(server):
    ec, rsa = (["-tls1_2", "-cipher", f"ECDHE-{k}-AES128-GCM-SHA256"] for k in ("ECDSA", "RSA"))
    assert peer_of(server, "mx1.test", args=ec) == ("mx1.test", "ec")
    assert peer_of(server, "mx1.test", args=rsa) == ("mx1.test", "rsa")
    assert peer_of(server, "mx1.test", args=["-sigalgs", "RSA-PSS+SHA256"]) == ("mx1.test", "rsa")
    assert peer_of(server, "mx1.test") == ("mx1.test", "ec")
