"""Authentication-Results: forged ones go, all of them, foreign ones stay, ours is there; on every way
that a message can take."""
import random

import pytest

from daemon import Daemon
from dns_server import DnsServer
from hop import Hop

OURS = "Authentication-Results: mx1.test;"
BODY = "\r\nAuthentication-Results: mx1.test; body\r\n.\r\n..x\r\nend\r\n"
FORGED = [
    "Authentication-Results: mx1.test; dmarc=pass header.from=bank.example",
    "authentication-results : MX1.test 1; spf=pass",
    "Authentication-Results:\r\n\t(comment (nested)) mx1.test (x)\r\n\t;\r\n dkim=pass",
    'Authentication-Results: "mx1.\\test"; spf=pass',
    "Authentication-Results\r\n : mx1.test; spf=pass",
    "AUTHENTICATION-RESULTS:mx1.test.;none",
    "Authentication-Results: =?us-ascii?q?mx1.test?=; spf=pass",
    "Authentication-Results: hop.example; spf=pass",  # one of authserv-ids-removed
]
FOREIGN = [
    "Authentication-Results: other.example; spf=pass smtp.mailfrom=mx1.test",
    "Authentication-Results: other.example (mx1.test); none",
    "Authentication-Results:   mx1.test.example\t; \t none",
    "X-Authentication-Results: mx1.test; spf=pass",
]
ZONE = {
    "good.test": {"TXT": "v=spf1 ip4:127.0.0.1 ip4:192.0.2.7 -all"},
    "bad.test": {"TXT": "v=spf1 ip4:192.0.2.1 -all"},
    "away.test": {"does": "servfail"},
    "7.2.0.192.in-addr.arpa": {"PTR": "mout.good.test"},
    "mout.good.test": {"A": "192.0.2.7"},
}


class Site:
    def __init__(self):
        self.dns = DnsServer(ZONE).start()
        self.hop = Hop().start()
        self.lmtp = Hop(lmtp=True).start()
        # More fields than are listed could hide a second From: not what is tested here.
        self.daemon = Daemon(dns=self.dns, hop_port=self.hop.port,
                             sections=f'route "lmtp" {{ hosts = {{ "lmtp://127.0.0.1:{self.lmtp.port}" }} }} '
                                      'domain "lmtp.test" { route = "lmtp" } '
                                      'check "reverse-dns" { mode = "monitor" } '
                                      'check "spf" { mode = "monitor" } check "dmarc" { ambiguous-from = "off" }',
                             options={"authserv-ids-removed": ["hop.example"], "spool-memory": "64K"}).start()

    def client(self, **kw):
        return self.daemon.client(**kw)

    def stop(self):
        self.daemon.stop()
        self.hop.stop()
        self.lmtp.stop()
        self.dns.stop()


@pytest.fixture(scope="module")
def site():
    s = Site()
    yield s
    s.stop()


def by_data(c, to, message, sender="ann@good.test"):
    assert c.mail(sender) == 250
    assert c.rcpt(to) == 250
    assert c.data(message) == 250


def by_bdat(c, to, message, sender="ann@good.test"):
    assert c.mail(sender, f" SIZE={len(message)}") == 250
    assert c.rcpt(to) == 250
    third = len(message) // 3
    for chunk in (message[:third], message[third:2 * third]):
        c.send(b"BDAT %d\r\n" % len(chunk) + chunk)
        assert c.reply() == 250
    c.send(b"BDAT %d LAST\r\n" % (len(message) - 2 * third) + message[2 * third:])
    assert c.reply() == 250


def last(site, to):
    """What has arrived there, without our own fields, and these."""
    if not to.endswith("@local.test"):
        content = (site.hop if to.endswith("@hop.test") else site.lmtp).messages[-1][2]
    else:
        content = site.daemon.mailbox(to.split("@")[0])[-1]
    head, mark, rest = content.partition(b"X-First: 1\r\n")
    assert mark
    return head.decode(), mark + rest


def message(fields, body=BODY):
    return ("X-First: 1\r\n" + "".join(f + "\r\n" for f in fields) + body).encode()


HEAD = ["From: <ann@good.test>", "Date: Mon, 01 Jun 2026 09:00:00 +0200", "Subject: x"]
WAYS = [(way, to) for way in (by_data, by_bdat) for to in ("x@hop.test", "x@lmtp.test", "box@local.test")]


@pytest.mark.parametrize("way, to", WAYS)
def test_forged_ones_go_foreign_ones_stay(site, way, to):
    to = to.replace("box", f"mixed-{way.__name__}")
    mixed = [x for pair in zip(FORGED[::2], FOREIGN, FORGED[1::2]) for x in pair]
    with site.client() as c:
        way(c, to, message(mixed + HEAD))
    head, rest = last(site, to)
    assert rest == message(FOREIGN + HEAD)
    assert head.count(OURS) == 1 and "spf=pass smtp.mailfrom=good.test" in head


@pytest.mark.parametrize("size", [1000, 150000], ids=["memory", "file"])
@pytest.mark.parametrize("to", ["x@hop.test", "large@local.test"])
def test_thousands_and_64_kb(site, size, to):
    folded = "Authentication-Results:" + "\r\n (x)" * 1000 + "\r\n mx1.test; none"
    long = "Authentication-Results: mx1.test; spf=pass" + "\r\n (" + "x" * 60 + ")"
    long += ("\r\n (" + "x" * 60 + ")") * 1000
    fields = [folded, HEAD[0], long, *HEAD[1:], *[FORGED[0]] * 300, FOREIGN[0], *[FORGED[5]] * 300]
    body = BODY + ".dots\r\n" * (size // 7)
    to = to.replace("large", f"large-{size}")
    with site.client() as c:
        by_data(c, to, message(fields, body))
    head, rest = last(site, to)
    assert rest == message([*HEAD, FOREIGN[0]], body)
    assert head.count(OURS) == 1


def test_thousandfold_past_any_list_of_fields(site):
    fields = [f for _ in range(3000) for f in ("A: b", "Authentication-Results: mx1.test")]
    with site.client() as c:
        by_data(c, "x@hop.test", message(HEAD + fields))
    assert last(site, "x@hop.test")[1] == message(HEAD + ["A: b"] * 3000)


def test_random_mixtures(site):
    rng = random.Random(7)
    with site.client() as c:
        for _ in range(30):
            parts = [rng.choice(FORGED + FOREIGN + ["A: b\r\n c", "Subject: mx1.test"])
                     for _ in range(rng.randrange(40))]
            way = rng.choice((by_data, by_bdat))
            way(c, "x@hop.test", message(parts + HEAD))
            assert last(site, "x@hop.test")[1] == message([p for p in parts if p not in FORGED] + HEAD)


def test_a_first_line_that_continues_continues_nothing_of_ours(site):
    with site.client() as c:
        by_data(c, "x@hop.test", b" ; dmarc=pass header.from=bank.example\r\n" + message(HEAD))
    head, _ = last(site, "x@hop.test")
    fields = head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
    assert fields[0].startswith(OURS) and "bank.example" not in fields[0]
    assert fields[1].startswith("Received: ")


def test_a_message_of_forged_results_only(site):
    with site.client() as c:
        by_data(c, "x@hop.test", (FORGED[0] + "\r\n").encode())
    content = site.hop.messages[-1][2].decode()
    assert content.count("Authentication-Results") == 1 and "bank.example" not in content


def test_what_we_say(site):
    def said(sender, hello="client.example", source="127.0.0.1", proxy=None):
        with site.client(source=source, greet=not proxy) as c:
            if proxy:
                c.send(proxy)
                assert c.reply() == 220
            c.cmd(f"EHLO {hello}")
            by_data(c, "x@hop.test", message(HEAD), sender)
        head, _ = last(site, "x@hop.test")
        assert all(len(line) <= 78 for line in head.split("\r\n"))
        return head.replace("\r\n\t", " ").split("\r\n")[0]

    assert "; spf=pass smtp.mailfrom=good.test; spf=none smtp.helo=client.example" in said("ann@good.test")
    assert "spf=fail smtp.mailfrom=bad.test" in said("ann@bad.test")
    assert "spf=temperror smtp.mailfrom=away.test" in said("ann@away.test")
    assert "; spf=fail smtp.helo=bad.test" in said("", "bad.test")
    assert 'smtp.helo="x?y??bank.example"' in said("", "x;y==bank.example")
    assert "; none" in said("ann@bad.test", source="127.0.0.9")
    assert "; iprev=pass (mout.good.test) policy.iprev=192.0.2.7;" in said(
        "ann@good.test", source="127.0.0.8", proxy="PROXY TCP4 192.0.2.7 192.0.2.25 40000 25\r\n")


def test_options(start, hop):
    h = hop()
    d = start(hop_port=h.port, options={"authserv-id": "example.net", "authentication-results": "remove"})
    sent = message(["Authentication-Results: example.net; x", "Authentication-Results: mx1.test; x", *HEAD])
    with d.client() as c:
        by_data(c, "x@hop.test", sent)
    content = h.messages[-1][2]
    assert content.startswith(b"Received: ") and content.endswith(message(["Authentication-Results: "
                                                                           "mx1.test; x", *HEAD]))
    d.reload(**{"authentication-results": "off"})
    with d.client() as c:
        by_data(c, "x@hop.test", sent)
    content = h.messages[-1][2]
    assert content.startswith(b"Received: ") and content.endswith(sent)
    d.reload(**{"authentication-results": "on"})
    with d.client() as c:
        by_data(c, "x@hop.test", sent)
    assert h.messages[-1][2].startswith(b"Authentication-Results: example.net;")
