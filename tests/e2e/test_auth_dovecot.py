"""Logins that a real Dovecot judges, over its auth socket."""
import base64
import os
import re
import socket
import subprocess
import threading

import pytest

from daemon import BUILD, PATIENCE, Daemon, free_port, wait_for
from dovecot import Dovecot
from smtp import Client
from test_auth import AUTH, PASSWORD, Scram, b64, plain, scram


@pytest.fixture(scope="module")
def backend():
    d = Dovecot()
    d.configure()
    d.add("ann@local.test", PASSWORD, "sender=sales@local.test,@shop.test")
    d.add("crypted@local.test", PASSWORD, scheme="SHA512-CRYPT")
    yield d.start()
    d.stop()


def daemon_asking(socket_path, extra=""):
    d = Daemon(options={"drain-timeout": "1s"})
    d.ports = {"plain": free_port()}
    d.sections = "\n".join([
        f'listener "plain" {{ address = {{ "127.0.0.1:{d.ports["plain"]}" }} auth = "required" auth-plaintext = true '
        'tls = "off" route = "box" }', AUTH % f'backend = "dovecot:{socket_path}" {extra}'])
    return d


@pytest.fixture(scope="module")
def server(backend):
    d = daemon_asking(backend.socket).start()
    wait_for(lambda: "250-AUTH" in str(Client(d.ports["plain"]).hello), what="AUTH in EHLO")
    yield d
    d.stop()


def client(server):
    return Client(server.ports["plain"])


def test_passwords(server):
    c = client(server)
    assert "250-AUTH PLAIN LOGIN SCRAM-SHA-256" in c.hello.lines
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", "wrong")) == 535
    assert c.cmd("AUTH PLAIN " + plain("nobody@local.test", PASSWORD)) == 535
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", "x" * 8000)) == 535  # longer than its lines
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", "tab\tnewline\nend")) == 535
    assert c.cmd("AUTH LOGIN " + b64("Ann@Local.test")) == 334
    assert c.cmd(b64(PASSWORD)) == 235
    assert server.wait_event("auth", login="ann@local.test", verdict="accepted", mechanism="LOGIN")
    c = client(server)
    assert c.cmd("AUTH PLAIN " + plain("crypted@local.test", PASSWORD)) == 235


def test_scram(server):
    c = client(server)
    assert scram(c, "ann@local.test", "wrong")[0] == 535
    assert server.wait_event("auth", login="ann@local.test", verdict="refused", mechanism="SCRAM-SHA-256")
    assert scram(c, "nobody@local.test")[0].code in (501, 535)
    assert scram(c, "ann@local.test")[0] == 235
    assert c.mail("ann@local.test") == 250


def test_senders(server):
    """Dovecot's field "sender" says what else the login may send from."""
    c = client(server)
    assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
    for sender, code in (("ann@local.test", 250), ("sales@local.test", 250), ("x@shop.test", 250), ("bob@local.test", 553)):
        assert c.mail(sender) == code
        c.cmd("RSET")


def test_many_at_once(server):
    """Exchanges of many sessions on the few connections of the workers, each with its own answer."""
    clients = [client(server) for _ in range(40)]
    exchanges = [Scram("ann@local.test", PASSWORD if i % 2 else "wrong") for i in range(len(clients))]
    for c, s in zip(clients, exchanges):
        c.send("AUTH SCRAM-SHA-256 " + b64(s.first()) + "\r\n")
    for c, s in zip(clients, exchanges):
        c.send(b64(s.final(base64.b64decode(c.reply().text).decode())) + "\r\n")
    assert [c.reply().code for c in clients] == [334 if i % 2 else 535 for i in range(len(clients))]
    for i, c in enumerate(clients):
        if i % 2:
            assert c.cmd("") == 235
        c.close()


def test_broken_off(server):
    """What is cancelled, or left alone, costs nobody else anything."""
    for _ in range(5):
        c = client(server)
        assert c.cmd("AUTH SCRAM-SHA-256 " + b64(Scram("ann@local.test", "x").first())) == 334
        assert c.cmd("*") == 501
        c2 = client(server)
        assert c2.cmd("AUTH SCRAM-SHA-256 " + b64(Scram("ann@local.test", "x").first())) == 334
        c2.close()
        assert c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235
        c.close()


def test_restart(server, backend):
    """Gone: 454, no verdict; back: the next login finds it."""
    s = Scram("ann@local.test", PASSWORD)
    c = client(server)
    r = c.cmd("AUTH SCRAM-SHA-256 " + b64(s.first()))
    backend.halt()
    assert c.cmd(b64(s.final(base64.b64decode(r.text).decode()))) == 454
    assert str(c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD))) == \
        "454 4.7.0 Temporary authentication failure, try again later"
    assert server.wait_event("auth", verdict="deferred", login="ann@local.test")
    backend.start()
    wait_for(lambda: c.cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD)) == 235, what="a login", pause=0.3)


def test_temporary(server):
    """Dovecot can't tell: 454, and no failure is counted."""
    c = client(server)
    assert c.cmd("AUTH PLAIN " + plain("ann@away.test", PASSWORD)) == 454
    event = server.wait_event("auth", login="ann@away.test")
    assert event["verdict"] == "deferred" and event["facts"] == "Dovecot can't tell at the moment"


class Impostor:
    """A server on a unix socket that answers each line with what `answer` says; None: hang up."""

    def __init__(self, path, greeting, answer):
        self.path, self.greeting, self.answer = path, greeting, answer
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.sock.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(conn,), daemon=True).start()

    def talk(self, conn):
        try:
            conn.sendall(self.greeting)
            for line in conn.makefile("rb"):
                if line.startswith((b"VERSION", b"CPID")):
                    continue
                said = self.answer(line)
                if said is None:
                    break
                conn.sendall(said)
        except OSError:
            pass
        conn.close()

    def close(self):
        self.sock.close()
        os.unlink(self.path)


HELLO = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n"


def test_impostors(tmp_path):
    """What is not Dovecot, or is broken: never a login, never a refusal, and never a worker's end."""
    path = str(tmp_path / "auth")
    d = daemon_asking(path, 'mechanisms = { "plain" }')
    d.start()
    try:
        workers = d.children("worker")

        def login():
            return client(d).cmd("AUTH PLAIN " + plain("ann@local.test", PASSWORD))
        assert login() == 454  # nothing there
        def id_of(line):
            return line.split(b"\t")[1]
        cases = [(HELLO, lambda line: None), (b"", lambda line: b""), (b"220 mx ESMTP\r\n", lambda line: b"x\n"),
                 (b"VERSION\t2\t0\n", lambda line: b""), (HELLO, lambda line: b"OK\n"),
                 (HELLO, lambda line: b"OK\t" + id_of(line) + b"\tuser=\n"),
                 (HELLO, lambda line: b"OK\t" + id_of(line) + b"\tuser=a b\n"),
                 (HELLO, lambda line: b"CONT\t" + id_of(line) + b"\tnot base64!\n"),
                 (HELLO, lambda line: b"OK\t999999\tuser=ann@local.test\n"),
                 (HELLO, lambda line: b"FAIL\t" + id_of(line) + b"\tuser=ann@local.test\ttemp\n"),
                 (HELLO, lambda line: b"FAIL\t" + id_of(line) + b"\tcode=temp_fail\n"),
                 (HELLO, lambda line: b"x" * 70000), (HELLO, lambda line: b"OK\t1\0\n")]
        for greeting, answer in cases:
            there = Impostor(path, greeting, answer)
            assert login() == 454
            there.close()
        there = Impostor(path, HELLO, lambda line: b"OK\t" + id_of(line) + b"\tuser=a\x01tb@local.test\n")
        assert login() == 454  # a tab in a name
        there.close()
        assert d.children("worker") == workers
    finally:
        d.stop()


def test_configuration_mistakes(server):
    with open(server.path) as f:
        text = f.read()
    done = subprocess.run([f"{BUILD}/gatepostd", "-T", "-c", server.path], capture_output=True, text=True, timeout=PATIENCE)
    assert "backend = " in done.stdout
    line = next(i for i, t in enumerate(text.splitlines(), 1) if t.startswith("auth {"))
    for backend in ("ldap:x", "dovecot:relative", "dovecot:"):
        path = f"{server.dir}/broken.conf"
        with open(path, "w") as f:
            f.write(re.sub('backend = "[^"]*"', f'backend = "{backend}"', text))
        done = subprocess.run([f"{BUILD}/gatepostd", "-t", "-c", path], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 2
        assert f'{path}:{line}: auth: backend: "{backend}" is neither "local" nor "dovecot:/PATH"' in done.stderr
