"""Logins against our own users: the auth process, the mechanisms, and what who has logged in may."""
import base64
import json
import os
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
from smtp import Client
from test_tls import Secure, context

FOLDER = tempfile.TemporaryDirectory(prefix="gatepost-auth-")
PASSWORD = "correct horse"
AUTH = "auth { delay = \"0s\" attempts = 100 failures = \"100000/1h\" %s }"


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
    d = Daemon(hop_port=hop.port, limits=limits)
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
    d = daemon_with_auth(hop_server, limits='limit "login" { by = "login" on = { "plain" } recipients = { "3/1h" } }')
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
