"""Certificates over time: alarms, reloads under load, tickets, who has to use TLS at all."""
import os
import re
import signal
import ssl
import tempfile
import time

import pytest

from certificates import RSA, Pair
from daemon import Daemon, wait_for
from test_tls import Secure, context, peer_of

FOLDER = tempfile.TemporaryDirectory(prefix="gatepost-certs-")
HOUR = 3600


def written(pair, seconds_ago):
    """The files of the pair, as if written then."""
    then = time.time() - seconds_ago
    for path in (pair.chain, pair.key):
        os.utime(path, (then, then))
    return pair


@pytest.fixture(scope="module")
def server():
    """A default certificate that is good for long, and one that ends in six days."""
    good = written(Pair(FOLDER.name, "mx1.test", days=300), HOUR)
    late = written(Pair(FOLDER.name, "late.test", days=7), HOUR)
    d = Daemon(options={"max-client-sessions": 5000, "drain-timeout": "60s"},
               sections=f"{good.section()}\n{late.section()}\n"
                        'check "tls-required" { clients = { "127.0.0.41/32" } }',
               domains='domain "local.test" { route = "box" }\ndomain "bank.test" { route = "box" tls = "required" }\n'
                       'domain "try.test" { route = "box" tls = "required" check "tls-required" { mode = "monitor" } }')
    d.good, d.late = good, late
    yield d.start()
    d.stop()


def certificates(server):
    return server.status()["certificates"]


def test_an_alarm_for_what_ends_soon(server):
    wait_for(lambda: certificates(server)["expiring"], what="the alarm")
    facts = certificates(server)
    assert facts["count"] == 2 and facts["expiring"] == 1 and facts["outdated"] == 0
    assert [(a["name"], a["alarm"]) for a in facts["alarms"]] == [("certificate late.test", "expiring")]
    assert server.status()["metrics"]["certificate_alarms"] == 1
    assert re.search(r"^warnings +certificate late\.test ends in 6 days$", server.tool("status").stdout, re.M)
    server.wait_log(r'certificate "late\.test": .*/late\.test\.pem ends in 6 days')


def test_a_broken_pair_leaves_the_old_one_in_force(server):
    old = peer_of(server, "mx1.test")
    with open(server.good.key) as f:
        key = f.read()
    for text, why in ((key[:100], "it holds no private key"),
                      (open(server.late.key).read(), "the key does not belong to the certificate")):
        before = server.log().count("stays in force")
        with open(server.good.key, "w") as f:
            f.write(text)
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("stays in force", count=before + 1)
        server.wait_log(f'reload: .*gatepost.conf:[0-9]+: certificate "mx1.test": .*{why}')
        assert peer_of(server, "mx1.test") == old
    with open(server.good.key, "w") as f:
        f.write(key)
    written(server.good, HOUR)


def test_an_alarm_for_what_is_older_than_its_file(server):
    written(server.good, HOUR / 2)  # renewed, and nobody has reloaded
    wait_for(lambda: certificates(server)["outdated"], what="the alarm")
    assert {"name": "certificate mx1.test", "alarm": "outdated"}.items() <= certificates(server)["alarms"][0].items()
    assert "certificate mx1.test is older than its file: reload" in server.tool("status").stdout
    server.wait_log(r"mx1\.test\.pem has changed and is not in force: reload")
    server.reload()
    wait_for(lambda: not certificates(server)["outdated"], what="the end of the alarm")


def test_a_thousand_sessions_survive_a_new_certificate(server):
    tls = context()
    sessions = []
    for i in range(1000):
        c = Secure(server.port, tls=tls, hello=None, source=f"127.0.1.{i % 250 + 1}")
        c.send("EHLO x\r\nMAIL FROM:<ann@example.org>\r\n")
        sessions.append(c)
    for c in sessions:
        assert c.reply() == 250 and c.reply() == 250
    Pair(FOLDER.name, "mx1.test", RSA, days=300)
    server.reload()
    assert peer_of(server, "mx1.test") == ("mx1.test", "rsa")
    for c in sessions:
        c.send("NOOP\r\nRCPT TO:<crowd@local.test>\r\n")
    for c in sessions:
        assert c.reply() == 250 and c.reply() == 250
    for c in sessions[::50]:
        assert c.data("From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\nx\r\n") == 250
    for c in sessions:
        c.close()
    assert len(server.mailbox("crowd")) == 20


def test_tickets_are_everybodys(server):
    """All workers know each other's, those of the next generation too, and those that come after a death."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        tls = context(version)
        with Secure(server.port, tls=tls) as c:
            session = c.sock.session
            assert session.has_ticket

        def resumes():
            with Secure(server.port, tls=tls, session=session) as c:
                return c.sock.session_reused and c.message(to="tickets@local.test") == 250

        assert all(resumes() for _ in range(8))
        server.reload()
        assert resumes()
        workers = server.children("worker")
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(set(server.children("worker")) - set(workers)) >= 2, what="new workers")
        assert resumes()
    names = {e["worker"] for e in server.events("session") if e.get("tls")}
    assert names == {1, 2}
    assert server.status()["metrics"]["tls_resumed"] >= 12


def test_a_session_is_not_resumed_for_ever(start):
    pair = Pair(FOLDER.name, "short.test")
    d = start(options={"ticket-life": "1s"}, sections=pair.section())
    tls = context()
    with Secure(d.port, tls=tls) as c:
        session = c.sock.session
    time.sleep(3.2)  # two lives, and a tick
    with Secure(d.port, tls=tls, session=session) as c:
        assert not c.sock.session_reused
        assert c.mail() == 250


def test_recipients_that_want_tls(server):
    with server.client() as c:
        assert c.mail() == 250
        assert str(c.rcpt("a@bank.test")).startswith("530 5.7.0 TLS is required")
        assert c.rcpt("postmaster@bank.test") == 250  # who can't has to be able to say so
        assert c.rcpt("a@try.test") == 250
        assert c.rcpt("a@local.test") == 250
    with Secure(server.port) as c:
        assert c.message(to="a@bank.test") == 250
    server.wait_event("incident", check="tls-required", code="530")


def test_clients_that_have_to_use_tls(server):
    with server.client(source="127.0.0.41") as c:
        c.mail()
        assert str(c.rcpt("a@local.test")).startswith("530 5.7.0 TLS is required")
        server.tool("exempt", "add", "tls-required", "client:127.0.0.41", "--reason", "a scanner of 2009")
        assert c.rcpt("a@local.test") == 250
        server.tool("exempt", "del", "tls-required", "client:127.0.0.41")
    with Secure(server.port, source="127.0.0.41") as c:
        assert c.message(to="a@local.test") == 250
