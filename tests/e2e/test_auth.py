"""Logins against our own users: the auth process, the mechanisms, and what who has logged in may."""
import base64
import json
import os
import select
import signal
import smtplib
import statistics
import subprocess
import tempfile
import time

import pytest

from certificates import Pair
from daemon import BUILD, PATIENCE, Daemon, free_port, wait_for
from hop import Hop
from scram import Scram
from smtp import Client
from test_tls import Secure, context

FOLDER = tempfile.TemporaryDirectory(prefix="gatepost-auth-")
PASSWORD = "correct horse"
AUTH = "auth { delay = \"0s\" attempts = 100 timeout = \"5s\" failures = \"100000/1h\" %s }"


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(login, password, authzid=""):
    return b64(f"{authzid}\0{login}\0{password}")


def add_user(daemon, login, password=PASSWORD, *args):
    return daemon.tool("user", "add", login, *args, input=password + "\n")


def daemon_with_auth(hop, auth="", extra="", limits=""):
    """Listeners: mx (no AUTH), submission (required), plain (AUTH without TLS, on a listener of its own),
    optional (offered)."""
    pair = Pair(FOLDER.name, "mx1.test")
    d = Daemon(hop_port=hop.port, limits=limits, options={"drain-timeout": "1s"})
    d.ports = {name: free_port() for name in ("submission", "optional", "plain")}
    d.sections = "\n".join([
        pair.section(),
        f'listener "submission" {{ address = {{ "127.0.0.1:{d.ports["submission"]}" }} tls = "required" '
        'auth = "required" route = "hop" }',
        f'listener "optional" {{ address = {{ "127.0.0.1:{d.ports["optional"]}" }} auth = "offered" }}',
        f'listener "plain" {{ address = {{ "127.0.0.1:{d.ports["plain"]}" }} tls = "off" auth = "required" '
        'auth-plaintext = true route = "hop" }',
        AUTH % auth, extra])
    return d


@pytest.fixture(scope="module")
def hop_server():
    h = Hop().start()
    yield h
    h.stop()


@pytest.fixture(scope="module")
def server(hop_server):
    d = daemon_with_auth(hop_server, limits='limit "login" { by = "login" on = { "plain" } recipients = { "30/1h" } }')
    d.start()
    add_user(d, "ann@local.test", PASSWORD, "--sender", "sales@local.test, @shop.test")
    add_user(d, "limited@local.test")
    yield d
    d.stop()


def plain_client(server, **kw):
    return Client(server.ports["plain"], **kw)


def logged_in(server, login="ann@local.test", password=PASSWORD):
    c = plain_client(server)
    assert c.cmd("AUTH PLAIN " + plain(login, password)) == 235
    return c


def test_what_ehlo_offers(server):
    def offers(lines):
        return [line[4:] for line in lines if line[4:].startswith("AUTH")]
    assert offers(server.client().hello.lines) == []
    assert offers(Client(server.ports["optional"]).hello.lines) == []  # no TLS yet
    assert offers(Secure(server.ports["optional"]).hello.lines) == ["AUTH PLAIN LOGIN SCRAM-SHA-256"]
    assert offers(plain_client(server).hello.lines) == ["AUTH PLAIN LOGIN SCRAM-SHA-256"]


def test_where_it_is_not_offered(server):
    assert str(server.client().cmd("AUTH PLAIN")) == "502 5.5.1 Command not implemented"
    assert str(Client(server.ports["optional"]).cmd("AUTH PLAIN")) == "538 5.7.11 TLS is required"
    assert str(Client(server.ports["submission"]).cmd("AUTH PLAIN")) == "530 5.7.0 TLS is required"


def test_plain(server):
    c = plain_client(server)
    assert str(c.cmd("AUTH PLAIN " + plain("ann@local.test", "wrong"))) == \
        "535 5.7.8 Authentication credentials invalid"
    assert c.cmd("AUTH PLAIN " + plain("nobody@local.test", PASSWORD)) == 535
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD, "bob@local.test")) == 535
    assert str(c.cmd("AUTH PLAIN")) == "334 "
    assert c.cmd(plain("Ann@Local.TEST", PASSWORD, "Ann@Local.TEST")) == 235
    assert str(c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD))) == \
        "503 5.5.1 Authentication is allowed only once per message"


def test_login(server):
    c = plain_client(server)
    assert str(c.cmd("AUTH LOGIN")) == "334 " + b64("Username:")
    assert str(c.cmd(b64("ann@local.test"))) == "334 " + b64("Password:")
    assert c.cmd(b64("wrong")) == 535
    assert str(c.cmd("AUTH login " + b64("ann@local.test"))) == "334 " + b64("Password:")
    assert str(c.cmd(b64(PASSWORD))) == "235 2.7.0 Authentication successful"


def scram(client, login, password=PASSWORD, authzid=""):
    """A whole exchange: the last reply, and the client's side of it."""
    s = Scram(login, password, authzid)
    r = client.cmd("AUTH SCRAM-SHA-256 " + b64(s.first()))
    if r == 334:
        r = client.cmd(b64(s.final(base64.b64decode(r.text).decode())))
    if r == 334:
        assert base64.b64decode(r.text).decode() == f"v={s.server}"  # it has proved itself
        r = client.cmd("")
    return r, s


def test_scram(server):
    c = plain_client(server)
    assert scram(c, "ann@local.test", "wrong")[0] == 535
    assert scram(c, "Ann@local.test")[0] == 235
    assert c.mail("ann@local.test") == 250
    c = plain_client(server)
    assert scram(c, "ann@local.test", PASSWORD, "ann@local.test")[0] == 235
    c = plain_client(server)
    assert scram(c, "ann@local.test", PASSWORD, "bob@local.test")[0].code in (501, 535)
    assert str(c.cmd("AUTH SCRAM-SHA-256")) == "334 "  # without an initial response
    first = Scram("ann@local.test", PASSWORD)
    r = c.cmd(b64(first.first()))
    r = c.cmd(b64(first.final(base64.b64decode(r.text).decode())))
    assert c.cmd(b64("something")) == 501  # to the server's last word there is nothing to say
    assert c.mail("ann@local.test") == 530


def test_scram_of_nobody(server):
    """Its salt and count are the same each time, and look like anybody's."""
    c = plain_client(server)
    (r1, one), (r2, two), (r3, other) = (scram(c, n) for n in ("nobody@x.test", "NOBODY@x.test", "nobody2@x.test"))
    assert r1 == 535 and r2 == 535 and r3 == 535
    _, ann = scram(plain_client(server), "ann@local.test")
    assert one.salt == two.salt != other.salt
    assert (len(one.salt), one.iterations) == (len(ann.salt), ann.iterations)


def test_peers(server):
    """Python's smtplib, swaks and gsasl, each with what it can."""
    for method in ("auth_plain", "auth_login"):
        with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=PATIENCE) as s:
            s.ehlo()
            s.starttls(context=context())
            s.ehlo()
            s.user, s.password = "ann@local.test", PASSWORD
            assert s.auth(method[5:], getattr(s, method))[0] == 235
            s.sendmail("ann@local.test", ["x@elsewhere.test"], "From: ann@local.test\r\n\r\nHello.\r\n")
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=PATIENCE) as s:
        s.starttls(context=context())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            s.login("ann@local.test", "wrong")
    for mechanism in ("PLAIN", "LOGIN"):
        done = subprocess.run(["swaks", "--server", f"127.0.0.1:{server.ports['submission']}", "--tls", "--auth", mechanism,
                               "--auth-user", "ann@local.test", "--auth-password", PASSWORD, "--from", "ann@local.test",
                               "--to", "x@elsewhere.test", "--helo", "me.example"],
                              capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0 and "235 2.7.0" in done.stdout, done.stdout + done.stderr
    for mechanism in ("SCRAM-SHA-256", "PLAIN"):
        done = subprocess.run(["gsasl", "--client", "--smtp", "--no-starttls", "--mechanism", mechanism, "--no-cb",
                               "--authentication-id", "ann@local.test", "--password", PASSWORD,
                               "--connect", f"127.0.0.1:{server.ports['plain']}"],
                              input="QUIT\n", capture_output=True, text=True, timeout=PATIENCE)
        assert "235 2.7.0" in done.stdout, done.stdout + done.stderr


def test_required(server):
    c = plain_client(server)
    assert str(c.mail("ann@local.test")) == "530 5.7.0 Authentication required"
    assert c.cmd("VRFY bob") == 530
    assert c.rcpt() == 503
    for line, code in (("NOOP", 250), ("RSET", 250), ("HELO me.example", 250), ("EHLO me.example", 250), ("QUIT", 221)):
        assert c.cmd(line) == code
    own = plain_client(server, source="127.0.0.9")  # of a trusted network
    assert own.message("x@y.example", "bob@elsewhere.test") == 250
    with Secure(server.ports["optional"]) as c:  # offered: a stranger is served as ever
        assert c.message() == 250
        assert c.message(to="x@elsewhere.test") == 550


def test_order(server):
    c = plain_client(server, hello=None)
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 503  # before EHLO
    c = logged_in(server)
    assert c.mail("ann@local.test") == 250
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 503
    c = Secure(server.ports["optional"])
    assert c.mail() == 250
    assert str(c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD))) == "503 5.5.1 Bad sequence of commands"
    assert c.cmd("AUTH") == 503
    assert c.cmd("RSET") == 250
    assert c.cmd("AUTH") == 501
    assert str(c.cmd("AUTH CRAM-MD5")) == "504 5.5.4 Authentication mechanism not supported"
    assert c.cmd("AUTH PLAIN = =") == 501
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
    assert c.cmd("EHLO again.example") == 250  # a new EHLO doesn't log out
    assert c.message("ann@local.test", "x@elsewhere.test") == 550  # that listener has no route for it
    assert c.cmd("RSET") == 250
    assert c.message("ann@local.test") == 250


def test_cancel(server):
    c = plain_client(server)
    for commands in (["AUTH PLAIN"], ["AUTH LOGIN"], ["AUTH LOGIN", b64("ann@local.test")], ["AUTH SCRAM-SHA-256"],
                     ["AUTH SCRAM-SHA-256", b64(Scram("ann@local.test", "x").first())]):
        for line in commands:
            assert c.cmd(line) == 334
        assert str(c.cmd("*")) == "501 5.7.0 Authentication cancelled"
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235


def test_sender_belongs_to_login(server):
    c = logged_in(server)
    for good in ("ann@local.test", "ANN@LOCAL.test", "ann+tag@local.test", "", "sales@local.test", "sales+x@local.test",
                 "anybody@shop.test"):
        assert c.mail(good) == 250, good
        assert c.cmd("RSET") == 250
    for bad in ("bob@local.test", "ann@other.test", "ann@sub.local.test", "x@sub.shop.test", "annx@local.test",
                '"ann@local.test"@other.test'):
        r = c.mail(bad)
        assert r == 553 and r.text.startswith("5.7.1 The sender address does not belong to the login"), bad
    assert c.mail("ann@local.test", " AUTH=<>") == 250
    assert c.cmd("RSET") == 250
    assert c.mail("ann@local.test", " AUTH=ann+2Bx@local.test") == 250
    assert c.cmd("RSET") == 250
    for bad in ("", "=", "=x+0D+0AX-Evil:1", "=a b", "=+0A", "=" + "x" * 501, "=a AUTH=a"):
        assert 500 <= c.mail("ann@local.test", " AUTH" + bad).code < 600, bad
    incident = c.mail("bob@local.test").text.split()[-1].strip("[]()")
    assert "ann@local.test" in server.tool("explain", incident).stdout


def test_one_way_for_all(server, hop_server):
    """Recipients of all kinds share a message, and all go by the listener's route."""
    before = len(hop_server.messages)
    c = logged_in(server)
    assert c.message("ann@local.test", ["bob@local.test", "x@elsewhere.test", "y@hop.test", "postmaster@local.test"]) == 250
    sender, recipients, text = hop_server.messages[before]
    assert sender == "ann@local.test"
    assert recipients == ["bob@local.test", "x@elsewhere.test", "y@hop.test", "postmaster@local.test"]
    assert b" with ESMTPA id " in text
    assert server.wait_event("message", login="ann@local.test", recipients=4)["route"] == "hop"


def test_what_a_stranger_would_hear_is_not_held_against_it(server):
    c = plain_client(server, hello="192.0.2.1")
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
    assert c.message("ann@local.test", "x@elsewhere.test") == 250
    with Secure(server.ports["optional"], hello="192.0.2.1") as stranger:
        assert stranger.message("ann@local.test") == 550 and stranger.cmd("RSET") == 250
        assert stranger.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
        assert stranger.message("ann@local.test") == 250


def test_starttls_forgets_it(hop_server):
    """Who has logged in without TLS, where that may be, is a stranger again after the handshake."""
    d = daemon_with_auth(hop_server, extra="")
    port = free_port()
    d.sections += (f'\nlistener "both" {{ address = {{ "127.0.0.1:{port}" }} auth = "required" auth-plaintext = true '
                   'route = "hop" }')
    d.start()
    try:
        add_user(d, "ann@local.test")
        c = Client(port)
        assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
        assert c.cmd("STARTTLS") == 220
        c.sock = context().wrap_socket(c.sock, server_hostname="mx1.test")
        assert c.cmd("EHLO me.example") == 250
        assert c.mail("ann@local.test") == 530
        assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
        assert c.mail("ann@local.test") == 250
        c.close()
        # Users while nothing runs; and a backend that a reload takes away, and brings back.
        d.process.send_signal(signal.SIGTERM)
        d.process.wait(PATIENCE)
        add_user(d, "late@local.test")
        assert "late@local.test" in d.tool("user", "list").stdout
        d.start(wait=False)
        d.wait_log("serving: generation", count=2)
        assert logged_in(d, "late@local.test").mail("late@local.test") == 250
        sections = d.sections
        d.sections = sections.replace("auth { ", f'auth {{ backend = "dovecot:{d.dir}/nowhere" ')
        d.reload()
        wait_for(lambda: not d.children("gatepostd: auth"), what="the auth process's end")
        assert plain_client(d).cmd("AUTH PLAIN " + plain("late@local.test", PASSWORD)) == 454
        d.sections = sections
        d.reload()
        assert logged_in(d, "late@local.test").mail("late@local.test") == 250
    finally:
        d.stop()


def test_esmtpsa(server, hop_server):
    before = len(hop_server.messages)
    with Secure(server.ports["submission"]) as c:
        assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
        assert c.message("ann@local.test", "x@elsewhere.test") == 250
    text = hop_server.messages[before][2]
    assert b" with ESMTPSA id " in text
    assert text.startswith(b"Authentication-Results: mx1.test;\r\n\tauth=pass smtp.auth=ann@local.test\r\nReceived: ")


def test_limit_of_a_login(server):
    c = logged_in(server, "limited@local.test")
    assert c.message("limited@local.test", [f"x{i}@elsewhere.test" for i in range(30)]) == 250
    r = logged_in(server, "limited@local.test").mail("limited@local.test")
    assert str(r).startswith("450 4.7.1 You can only send to 30 recipients per 1h"), r
    assert logged_in(server).mail("ann@local.test") == 250


def test_log(server):
    c = plain_client(server)
    assert c.cmd("AUTH PLAIN " + plain("log\x1b[31m@local.test", "S3cret\x07word")) == 535
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", "S3cretword")) == 535
    assert server.wait_event("auth", login="log\x1b[31m@local.test", verdict="refused")["mechanism"] == "PLAIN"
    assert server.wait_event("auth", login="ann@local.test", verdict="refused")["client"] == "127.0.0.1"
    logged_in(server).quit()
    server.wait_event("session", login="ann@local.test")
    log = server.log()
    assert "S3cret" not in log and b64("S3cretword") not in log and "\x1b" not in log and PASSWORD not in log


def test_user_commands(server):
    add_user(server, "Carol@Local.test")
    assert server.tool("user", "add", "carol@local.test", check=False, input="x\n").returncode == 1
    assert server.tool("user", "add", "dan@local.test", check=False, input="").returncode == 2
    assert server.tool("user", "add", "dan@local.test", check=False, input="\n").returncode == 2
    assert server.tool("user", "add", "dan@local.test", check=False, input="x" * 512 + "\n").returncode == 2
    assert server.tool("user", "add", "a b", check=False, input="x\n").returncode == 2
    assert server.tool("user", "add", "dan@local.test", "--sender", "no address", check=False, input="x\n").returncode == 2
    assert "sales@local.test @shop.test" in server.tool("user", "list").stdout
    listed = json.loads(server.tool("user", "list", "--json").stdout)
    assert [u["login"] for u in listed] == ["ann@local.test", "carol@local.test", "limited@local.test"]
    assert "$y$" not in server.tool("user", "list", "--json").stdout
    assert logged_in(server, "carol@local.test").mail("carol@local.test") == 250
    server.tool("user", "passwd", "carol@local.test", input="another\n")
    server.tool("user", "sender", "carol@local.test", "c@shop.test")
    c = plain_client(server)
    assert c.cmd("AUTH PLAIN " + plain("carol@local.test", PASSWORD)) == 535
    assert scram(c, "carol@local.test")[0] == 535
    assert scram(c, "carol@local.test", "another")[0] == 235
    assert c.mail("c@shop.test") == 250
    server.tool("user", "del", "carol@local.test")
    assert plain_client(server).cmd("AUTH PLAIN " + plain("carol@local.test", "another")) == 535
    assert server.tool("user", "del", "carol@local.test", check=False).returncode == 1
    assert server.tool("user", "passwd", "carol@local.test", check=False, input="x\n").returncode == 1


def at_terminal(server, typed, *args):
    """`gatepost ARGS` with a terminal for stdin, at which somebody types lines: exit status, what it showed."""
    master, slave = os.openpty()
    done = subprocess.Popen([f"{BUILD}/gatepost", "-c", server.path, *args], stdin=slave, stdout=slave, stderr=slave)
    shown = b""
    for line in typed:
        while not shown.rstrip().endswith(b":"):
            assert select.select([master], [], [], PATIENCE)[0], shown
            shown += os.read(master, 1000)
        os.write(master, line.encode() + b"\n")
        shown += b"|"
    done.wait(PATIENCE)
    os.close(slave)  # ours was the last: what was shown ends
    try:
        while chunk := os.read(master, 1000):
            shown += chunk
    except OSError:
        pass
    os.close(master)
    return done.returncode, shown.decode()


def test_password_prompt(server):
    status, shown = at_terminal(server, ["typed word", "typed word"], "user", "passwd", "limited@local.test")
    assert status == 0 and "typed word" not in shown and "Password for limited@local.test:" in shown, shown
    assert plain_client(server).cmd("AUTH PLAIN " + plain("limited@local.test", "typed word")) == 235
    status, shown = at_terminal(server, ["one", "two"], "user", "passwd", "limited@local.test")
    assert status == 2 and "not the same: nothing changed" in shown
    assert plain_client(server).cmd("AUTH PLAIN " + plain("limited@local.test", "typed word")) == 235


def test_passwords_of_all_kinds(server):
    for password in ("x" * 511, "Grüße – ¹", "quote' \" \\ ; -- %s", " leading and trailing "):
        server.tool("user", "passwd", "limited@local.test", input=password + "\n")
        c = plain_client(server)
        assert c.cmd("AUTH PLAIN " + plain("limited@local.test", password + "x")) == 535
        assert c.cmd("AUTH PLAIN " + plain("limited@local.test", password)) == 235, password
        if password.isascii():
            assert scram(plain_client(server), "limited@local.test", password)[0] == 235


# --- attacks: Exim CVE-2018-6789, CVE-2023-42115; Cyrus SASL CVE-2019-19906, CVE-2022-24407; Dovecot CVE-2019-11500


def refused(reply):
    return reply.code in (334, 500, 501, 503, 504, 535)


class Tireless:
    """A client that connects anew when it is told 421 for its many errors."""

    def __init__(self, server):
        self.server, self.client = server, plain_client(server)

    def cmd(self, line):
        try:
            r = self.client.cmd(line)
        except (EOFError, ConnectionError):
            r = None
        if r is None or r == 421:
            self.client = plain_client(self.server)
            return self.client.cmd(line) if r is None else r
        return r


def test_attack_base64(server):
    """Every length, every remainder, every padding: none of them logs in."""
    c = Tireless(server)
    for n in (*range(1, 20), 63, 64, 65, 1023, 1024, 1025, 4095, 4096):
        for base in ("A" * n, "A" * n + "=", "A" * n + "==", "A" * n + "===", "=" + "A" * n, "A" * n + "=A", "A" * n + "\x80"):
            r = c.cmd("AUTH PLAIN " + base)
            assert r.code in (501, 535, 421), base[:20]


def test_attack_responses(server):
    """Each mechanism with 0 to 5 responses, each of a bad kind."""
    bad = ("", "=", "*", "A" * 12288, b64("\0"), b64("\0" * 9), b64("a" * 9000), "\0", "not base64!", b64("n,,n=,r="),
           b64("n,,n=x,r=y"), b64("c=biws,r=,p="), b64("p=tls-unique,,n=x,r=y"), b64("n,a=" + "x" * 3000 + ",n=x,r=y"))
    c = Tireless(server)
    for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        for response in bad:
            r = c.cmd(f"AUTH {mechanism} {response}".rstrip())
            for _ in range(5):
                if r != 334:
                    break
                r = c.cmd(response)
            assert r.code in (500, 501, 535, 421), (mechanism, response[:20], r)
    for mechanism in ("EXTERNAL", "NTLM", "GSSAPI", "SCRAM-SHA-256-PLUS", "XOAUTH2", "", "X" * 1000):
        assert c.cmd(f"AUTH {mechanism} =").code in (501, 504, 421)


def test_attack_plain_fields(server):
    """Names and passwords of 0 to 70,000 bytes, NULs: exactly three fields, or 5xx."""
    c = Tireless(server)
    for n in (0, 1, 63, 64, 255, 256, 319, 320, 321, 511, 512, 513, 4000, 8000, 70000):
        assert c.cmd("AUTH PLAIN " + plain("u" * n, "p")).code in (500, 501, 535, 421)
        assert c.cmd("AUTH PLAIN " + plain("ann@local.test", "p" * n)).code in (500, 501, 535, 421)
        r = c.cmd("AUTH LOGIN")
        if r == 334 and c.cmd(b64("u" * n)) == 334:
            assert c.cmd(b64("p" * n)).code in (500, 501, 535, 421)
    for raw in (b"\0", b"\0\0", b"ann@local.test\0" + PASSWORD.encode(),
                b"\0ann@local.test\0" + PASSWORD.encode() + b"\0", b"\0ann@local.test\0" + PASSWORD.encode() + b"\0x",
                b"\0ann@local.test\0\0" + PASSWORD.encode(), b"\0ann@local.test\0x' OR '1'='1", b"\0' OR 1=1 --\0x"):
        assert c.cmd("AUTH PLAIN " + b64(raw)).code in (501, 535, 421), raw


def test_long_lines(server):
    """RFC 4954 4: 12,288 bytes with CR LF, with the command or by themselves; and no other command is as long."""
    c = plain_client(server)
    assert c.cmd("AUTH PLAIN " + "A" * 12272) == 501  # no three fields, but read
    assert c.cmd("AUTH PLAIN " + "A" * 12280) == 500
    assert c.cmd("AUTH PLAIN") == 334
    assert c.cmd("A" * 12284) == 501
    assert c.cmd("AUTH PLAIN") == 334
    assert str(c.cmd("A" * 12288)) == "500 5.5.6 Authentication exchange line is too long"
    assert c.cmd("NOOP " + "x" * 3000) == 500
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235


# --- the auth process


def auth_pid(server):
    return wait_for(lambda: (server.children("gatepostd: auth") or [None])[0], what="an auth process")


def test_time_tells_nothing(server):
    """Names that exist and names that don't take the same time, within what a busy machine allows."""
    def median(login):
        took = []
        for _ in range(9):
            start = time.monotonic()
            assert c.cmd("AUTH PLAIN " + plain(login, "wrong")) == 535
            took.append(time.monotonic() - start)
        return statistics.median(took)
    c = plain_client(server)
    known, unknown = median("ann@local.test"), median("nobody@local.test")
    assert 1 / 4 < known / unknown < 4, (known, unknown)
    assert unknown > 0.003  # it has hashed


def test_death_of_the_auth_process(server):
    """Those that are under way hear 454; the next finds another process; no worker notices."""
    workers = server.children("worker")
    s = Scram("ann@local.test", PASSWORD)
    c = plain_client(server)
    r = c.cmd("AUTH SCRAM-SHA-256 " + b64(s.first()))
    pid = auth_pid(server)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), what="its death")
    assert str(c.cmd(b64(s.final(base64.b64decode(r.text).decode())))) == \
        "454 4.7.0 Temporary authentication failure, try again later"
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
    assert auth_pid(server) != pid and server.children("worker") == workers


def test_standing_still(server):
    """One that doesn't answer: 454 after the time-out, and the session goes on."""
    pid = auth_pid(server)
    c = plain_client(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 454
    finally:
        os.kill(pid, signal.SIGCONT)
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
    assert server.wait_event("auth", verdict="deferred", mechanism="PLAIN")


def test_what_the_auth_process_has(server):
    """Neither the shared memory nor a listening socket; and no worker has the store."""
    with open(f"/proc/{auth_pid(server)}/maps") as f:
        maps = f.read()
    assert "gatepost-auth" in maps and "users/data.mdb" in maps and "memfd:gatepost (" not in maps
    for pid in server.children("worker"):
        with open(f"/proc/{pid}/maps") as f:
            assert "users/data.mdb" not in f.read()


def test_reload_keeps_it(server):
    pid = auth_pid(server)
    server.reload()
    assert auth_pid(server) == pid
    assert logged_in(server).mail("ann@local.test") == 250


def test_configuration_mistakes(server):
    def said(section, **kw):
        with open(server.path) as f:
            text = f.read()
        path = f"{FOLDER.name}/broken.conf"
        with open(path, "w") as f:
            f.write(text + section + "\n")
        done = subprocess.run([f"{BUILD}/gatepostd", "-t", "-c", path], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 2, done.stdout
        return done.stderr
    listener = 'listener "x" { address = { "127.0.0.1:1" } %s }'
    assert 'listener "x": route: no route "nowhere"' in said(listener % 'route = "nowhere"')
    assert 'listener "x": auth: it is offered under TLS only' in said(listener % 'auth = "offered" tls = "off"')
    assert 'listener "x": auth: "required" wants a route' in said(listener % 'auth = "required"')

