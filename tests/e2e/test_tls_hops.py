"""TLS towards next hops: opportunistic, required, verified; hops that mean harm or can't do it."""
import os
import re
import socketserver
import ssl
import tempfile
import threading
import time

import pytest

from certificates import Pair
from daemon import Daemon, free_port
from hop import Hop

FOLDER = tempfile.TemporaryDirectory(prefix="gatepost-hop-certs-")
HEADER = b"From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nSubject: test\r\n\r\n"


class OddHop(socketserver.ThreadingTCPServer):
    """A hop that offers STARTTLS and then does what `odd` says: "inject" (a reply in plain behind its 220), "late" (the same,
    a moment later), "garbage" and "close" in place of a handshake, "silence", "refuse" (454), or "good": TLS, in
    which EHLO offers less than before."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, odd, pair=None):
        self.odd, self.messages, self.said = odd, [], []
        self.context = None
        if pair:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pair.chain, pair.key)
        super().__init__(("127.0.0.1", free_port()), OddSession)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class OddSession(socketserver.BaseRequestHandler):
    def say(self, text):
        self.request.sendall(text.encode() + b"\r\n")

    def line(self):
        got = b""
        while not got.endswith(b"\n"):
            c = self.request.recv(1)
            if not c:
                raise EOFError
            got += c
        return got.decode("latin-1").rstrip("\r\n")

    def handle(self):
        self.secure = False
        try:
            self.say("220 odd.test")
            while self.command(self.line()):
                pass
        except (OSError, EOFError):
            pass

    def command(self, line):
        verb = line[:4].upper()
        self.server.said.append(("tls " if self.secure else "") + verb)
        if verb == "EHLO":
            self.say("250 odd.test" if self.secure else "250-odd.test\r\n250-STARTTLS\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n250 DSN")
        elif verb == "STAR":
            return self.starttls()
        elif verb == "DATA":
            self.say("354 go on")
            text = ""
            while (part := self.line()) != ".":
                text += part + "\n"
            self.server.messages.append(("tls" if self.secure else "plain", text))
            self.say("250 2.0.0 queued as ODD")
        elif verb == "BDAT":
            size, text = int(line.split()[1]), b""
            while len(text) < size:
                text += self.request.recv(size - len(text))
            self.server.messages.append(("tls" if self.secure else "plain", text.decode()))
            self.say("250 2.0.0 queued as ODD")
        else:
            self.say("250 2.0.0 OK")
        return verb != "QUIT"

    def starttls(self):
        odd = self.server.odd
        if odd == "refuse":
            self.say("454 4.7.0 not today")
            return True
        if odd == "inject":
            # What a man in the middle would like to be taken for the answers to EHLO, MAIL and so on.
            self.say("220 go on\r\n250-odd.test\r\n250 CHUNKING\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken")
        else:
            self.say("220 go on")
        if odd == "late":
            time.sleep(.3)
            self.say("250 odd.test\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken")
        if odd == "garbage":
            self.say("what is this? " * 50)
        if odd in ("close", "garbage"):
            return False
        if odd in ("silence", "inject", "late"):
            while self.request.recv(4096):
                pass
            return False
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.secure = True
        return True


def server_context(pair, client_ca=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(pair.chain, pair.key)
    if client_ca:
        c.verify_mode = ssl.CERT_REQUIRED
        c.load_verify_locations(client_ca)
    return c


@pytest.fixture(scope="module")
def world():
    """One daemon, a route and a domain for each case: <case>.test."""
    f = FOLDER.name
    ca, stranger = Pair(f, "authority.test"), Pair(f, "stranger.test")
    # /etc/hosts knows no name of a test but one, so hops are addressed by address, and named by tls-name.
    good = Pair(f, "good.test", ca=ca, names=["good.test", "*.wild.test", "localhost"], addresses=["127.0.0.1"])
    ours = Pair(f, "edge.test", ca=ca)
    w = type("World", (), {})()
    w.tls = Hop(tls=server_context(good)).start()
    w.plain = Hop().start()
    w.first = Hop(tls=server_context(good), tls_first=True).start()
    w.lmtp = Hop(lmtp=True, tls=server_context(good)).start()
    w.asks = Hop(tls=server_context(good, client_ca=ca.chain), tls_first=True).start()
    w.odd = {odd: OddHop(odd, good) for odd in ("inject", "late", "garbage", "close", "silence", "refuse", "good")}
    routes = {
        "auto": (w.tls, ""),
        "off": (w.tls, 'tls = "off"'),
        "may": (w.tls, 'tls = "opportunistic" idle-timeout = "1s"'),
        "may-plain": (w.plain, 'tls = "opportunistic"'),
        "must": (w.tls, 'tls = "required" max-idle = 0'),
        "must-plain": (w.plain, 'tls = "required"'),
        "lmtp": (w.lmtp, 'tls = "required"'),
        "first": (w.first, ""),
        "verified": (w.tls, f'tls = "verified" tls-ca = "{ca.chain}"'),
        "verified-name": (w.tls, f'tls = "verified" tls-ca = "{ca.chain}" tls-name = "a.wild.test"'),
        "localhost": (w.tls, f'tls = "verified" tls-ca = "{ca.chain}"'),
        "wrong-name": (w.tls, f'tls = "verified" tls-ca = "{ca.chain}" tls-name = "a.b.wild.test"'),
        "wrong-ca": (w.tls, f'tls = "verified" tls-ca = "{stranger.chain}"'),
        "asks": (w.asks, f'tls-chain = "{ours.chain}" tls-key = "{ours.key}"'),
        "asks-nobody": (w.asks, ""),
        **{f"may-{odd}": (hop, 'tls = "opportunistic" max-idle = 0') for odd, hop in w.odd.items()},
        **{f"must-{odd}": (hop, 'tls = "required"') for odd, hop in w.odd.items()},
    }

    def host(hop, name="127.0.0.1"):
        scheme = ("lmtp" if hop is w.lmtp else "smtp") + ("s" if hop in (w.first, w.asks) else "")
        return f'"{scheme}://{name}:{hop.port}"'

    sections = [f'route "{n}" {{ hosts = {{ {host(h, "localhost") if n == "localhost" else host(h)} }} retry-down = "1s" {more} }}\ndomain "{n}.test" {{ route = "{n}" }}'
                for n, (h, more) in routes.items()]
    sections.append(f'route "several" {{ hosts = {{ {host(w.plain)}, {host(w.tls)} }} tls = "required" }}\n'
                    'domain "several.test" { route = "several" }')
    w.d = Daemon(options={"workers": 1, "tls-timeout": "3s"}, sections="\n".join(sections)).start()
    yield w
    w.d.stop()
    for hop in (w.tls, w.plain, w.first, w.lmtp, w.asks):
        hop.stop()
    for hop in w.odd.values():
        hop.shutdown()
        hop.server_close()


def send(w, name, text=None):
    with w.d.client() as c:
        return c.message(to=f"{name}@{name}.test", text=text)


def tls_of(hop, name):
    """Whether the hop got the messages for this case over TLS, one by one."""
    return [secure for (_, to, _), secure in zip(hop.messages, hop.handler.secure) if to == [f"{name}@{name}.test"]]


def test_what_is_offered_is_used_where_the_route_says_so(world):
    for name, hop, wanted in (("auto", world.tls, False),  # it does not leave the machine
                              ("off", world.tls, False), ("may", world.tls, True), ("must", world.tls, True),
                              ("may-plain", world.plain, False), ("first", world.first, True), ("lmtp", world.lmtp, True),
                              ("verified", world.tls, True), ("verified-name", world.tls, True),
                              ("localhost", world.tls, True)):
        assert send(world, name) == 250, name
        assert tls_of(hop, name) == [wanted], name
    e = world.d.wait_event("message", to="may@may.test", verdict="accepted")
    assert re.fullmatch(r"TLSv1\.3 TLS_\w+", e["hop-tls"])
    assert "hop-tls" not in world.d.wait_event("message", to="off@off.test", verdict="accepted")


@pytest.mark.parametrize("name, why", [("must-plain", "it does not offer STARTTLS"), ("wrong-name", "hostname mismatch"),
                                       ("wrong-ca", "unable to get local issuer certificate|self-signed certificate"),
                                       ("must-close", "end of file|[Cc]onnection reset"),
                                       ("must-garbage", "wrong version number|plain text after"), ("must-silence", "timeout"),
                                       ("must-refuse", "it refuses STARTTLS"),
                                       ("must-inject", "plain text after its reply to STARTTLS"),
                                       ("must-late", "wrong version number"), ("asks-nobody", "")])
def test_without_tls_nothing_goes_where_it_is_required(world, name, why):
    r = send(world, name)
    assert r.code == 451 and r.text.startswith("4.3.0")
    assert not any(name in to[0] for hop in (world.tls, world.plain, world.asks) for _, to, _ in hop.messages)
    if name[5:] in world.odd:
        assert not world.odd[name[5:]].messages
        assert "MAIL" not in world.odd[name[5:]].said
    world.d.wait_log('"facts":"no host of route [a-z-]+ is up"')
    if why:
        world.d.wait_log(f"no TLS: ({why})")


@pytest.mark.parametrize("odd", ["close", "garbage", "silence", "refuse", "inject", "late"])
def test_plain_after_all_where_that_is_allowed(world, odd):
    hop = world.odd[odd]
    assert send(world, f"may-{odd}") == 250
    assert send(world, f"may-{odd}") == 250
    assert [how for how, text in hop.messages] == ["plain", "plain"]
    assert "STAR" not in hop.said[hop.said.index("MAIL"):]  # it is remembered
    world.d.wait_log(r"TLS failed \(.*\): in plain for")


def test_what_was_offered_in_plain_is_forgotten(world):
    hop = world.odd["good"]
    hop.said.clear()
    assert send(world, "must-good") == 250
    assert [how for how, _ in hop.messages] == ["tls"]
    assert hop.said[:3] == ["EHLO", "STAR", "tls EHLO"]
    assert "tls DATA" in hop.said and "tls BDAT" not in hop.said


def test_another_host_is_tried(world):
    assert send(world, "several") == 250
    assert tls_of(world.tls, "several") == [True]


def test_byte_for_byte(world):
    body = (b"." * 70 + b"\r\n") * 3 + os.urandom(600000).hex().encode("ascii")
    body = body[:210] + b"".join(body[i:i + 76] + b"\r\n" for i in range(210, len(body), 76))
    for name in ("must", "first"):
        assert send(world, name, HEADER + body) == 250
        hop = world.tls if name == "must" else world.first
        content = next(c for _, to, c in reversed(hop.messages) if to == [f"{name}@{name}.test"])
        assert content.split(b"Subject: test\r\n\r\n")[1] == body


def test_sessions_are_resumed(world):
    """A connection of its own for each message (max-idle = 0)."""
    assert send(world, "must") == 250
    before = world.d.status()["metrics"]
    for _ in range(3):
        assert send(world, "must") == 250
    after = world.d.status()["metrics"]
    opened = after["hop_tls_handshakes"] - before["hop_tls_handshakes"]
    assert opened >= 3
    assert after["hop_tls_resumed"] - before["hop_tls_resumed"] == opened


def test_our_certificate_for_hops_that_ask(world):
    assert send(world, "asks") == 250


@pytest.mark.parametrize("options, mistake", [
    ('tls = "verified" tls-ca = "/nowhere"', "tls-ca: cannot read /nowhere: No such file"),
    ('tls = "verified" tls-ca = "/etc/passwd"', "tls-ca: /etc/passwd holds no certificate"),
    ('tls = "always"', '"always"'),
    ('tls-chain = "/nowhere"', "cannot read /nowhere"),
    ('tls-key = "/etc/passwd"', "tls-key: there is no tls-chain"),
])
def test_mistakes(start, options, mistake):
    d = Daemon(sections=f'route "x" {{ hosts = {{ "smtp://127.0.0.1:1" }}\n {options} }}')
    d.write()
    line = open(d.path).read().split("\n").index(f" {options} }}") + 1
    import subprocess
    from daemon import BUILD
    done = subprocess.run([f"{BUILD}/gatepostd", "-t", "-c", d.path], capture_output=True, text=True)
    d.stop()
    assert done.returncode == 2
    assert f"gatepost.conf:{line}: " in done.stderr and mistake in done.stderr, done.stderr
