"""DMARC through whole sessions: what passes by SPF or by a signature, what is marked, refused, put off or
saved by a forwarder, and whose message has no single author."""
import pytest

from daemon import Daemon
from dns_server import DnsServer
from test_dkim import Key

dkim = pytest.importorskip("dkim")

FAILED = "550 5.7.26 The message failed DMARC checks"
NO_ONE = "550 5.7.1 The message has no single author"
REJECT = "v=DMARC1; p=reject"


class Site:
    """All clients but those of 192.0.2.0/24 (by PROXY) are 127.0.0.1; SPF only monitors."""

    def __init__(self):
        self.key = Key(1024)
        zone = {f"{name}.test": {"TXT": "v=spf1 ip4:127.0.0.1 -all"} for name in ("bank", "evil", "mail.bank", "soft")}
        zone |= {f"s._domainkey.{name}.test": {"TXT": self.key.record} for name in ("bank", "evil", "lists")}
        zone |= {
            "_dmarc.bank.test": {"TXT": REJECT},
            "_dmarc.soft.test": {"TXT": "v=DMARC1; p=quarantine"},
            "_dmarc.org.test": {"TXT": "v=DMARC1; p=none; sp=quarantine; np=reject"},
            "there.org.test": {"A": "192.0.2.1"},
            "_dmarc.suffix.test": {"TXT": "v=DMARC1; p=reject; psd=y"},
            "_dmarc.dead.test": {"does": "servfail"},
            "_dmarc.slow.test": {"does": "drop"},
            "7.2.0.192.in-addr.arpa": {"PTR": "mout.lists.test"},
            "mout.lists.test": {"A": "192.0.2.7"},
            "8.2.0.192.in-addr.arpa": {"PTR": "mout.lists.test"},
            "9.2.0.192.in-addr.arpa": {"does": "servfail"},
        }
        self.dns = DnsServer(zone).start()
        domain = 'domain "{0}.test" {{ route = "box" check "dmarc" {{ {1} }} }}'
        self.daemon = Daemon(
            dns=self.dns, options={"dns-timeout": "1s"}, sections='check "spf" { mode = "monitor" }',
            domains="\n".join([
                'domain "mark.test" { route = "box" }',
                domain.format("strict", 'policy = "reject"'),
                domain.format("defer", 'policy = "reject" unknown = "defer"'),
                domain.format("trust", 'policy = "reject" unknown = "defer" '
                                       'trusted-forwarders = { ".Lists.test" }'),
                domain.format("odd", 'ambiguous-from = "off" doubtful-from = "enforce"')])).start()

    def send(self, to, author, sender=None, client=None, fields=None, sign=None, broken=False):
        """The reply, and what Authentication-Results says of DMARC."""
        header = fields if fields is not None else f"From: <{author}>\r\n"
        message = f"{header}Subject: x\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\nHi.\r\n".encode()
        if sign:
            message = dkim.sign(message, b"s", sign.encode(), self.key.pem,
                                include_headers=[b"from", b"subject"]) + message
        if broken:
            message += b"More.\r\n"
        with self.daemon.client(source="127.0.0.8" if client else "127.0.0.1", greet=not client) as c:
            if client:
                c.send(f"PROXY TCP4 {client} 192.0.2.25 40000 25\r\n")
                assert c.reply() == 220
                assert c.cmd("EHLO client.example") == 250
            assert c.mail(author if sender is None else sender) == 250
            assert c.rcpt(to) == 250
            reply = str(c.data(message))
        if not reply.startswith("250 "):
            return reply, None
        field = self.daemon.mailbox(*to.split("@"))[-1].decode().split("Received: ")[0].replace("\r\n\t", " ")
        found = [part.strip() for part in field.split(";") if part.strip().startswith("dmarc=")]
        # A comment may hold a semicolon.
        return reply, field[field.index(found[0]):].strip() if found else ""

    def stop(self):
        self.daemon.stop()
        self.dns.stop()


@pytest.fixture(scope="module")
def site():
    s = Site()
    yield s
    s.stop()


def check(got, reply, said=None):
    assert got[0].startswith(reply), got
    if said is not None:
        assert got[1] == said


def test_passes(site):
    said = "dmarc=pass (p=reject) header.from=bank.test"
    check(site.send("a@strict.test", "ann@bank.test"), "250 ", said)
    check(site.send("b@strict.test", "ann@bank.test", sender="x@mail.bank.test"), "250 ", said)
    check(site.send("c@strict.test", "ann@bank.test", sender="x@other.test", sign="bank.test"), "250 ", said)
    check(site.send("d@strict.test", "ann@BANK.test", sender="x@evil.test", sign="bank.test"), "250 ", said)
    check(site.send("e@strict.test", "ann@nothing.test"), "250 ", "dmarc=none header.from=nothing.test")
    event = site.daemon.wait_event("message", dmarc="pass bank.test", dkim="pass bank.test")
    assert event["spf"] == "none other.test" or event["spf"] == "pass evil.test"


def test_failures(site):
    check(site.send("a@strict.test", "ann@bank.test", sender="x@evil.test", sign="evil.test"), FAILED)
    check(site.send("a@strict.test", "ann@bank.test", sender="x@evil.test", sign="bank.test", broken=True), FAILED)
    check(site.send("f@mark.test", "ann@bank.test", sender="x@evil.test"), "250 ",
          "dmarc=fail (p=reject) policy.dmarc=reject header.from=bank.test")
    check(site.send("g@strict.test", "ann@soft.test", sender="x@evil.test"), "250 ",
          "dmarc=fail (p=quarantine) policy.dmarc=quarantine header.from=soft.test")
    event = site.daemon.wait_event("incident", check="dmarc")
    assert "fail bank.test: no aligned SPF or DKIM pass, p=reject of bank.test" in event["facts"]
    site.daemon.wait_event("message", dmarc="fail bank.test reject", verdict="accepted")


def test_names_that_do_not_exist_and_public_suffixes(site):
    check(site.send("a@strict.test", "ann@gone.org.test", sender="x@evil.test"), FAILED)
    check(site.send("h@strict.test", "ann@there.org.test", sender="x@evil.test"), "250 ",
          "dmarc=fail (p=quarantine) policy.dmarc=quarantine header.from=there.org.test")
    # Two names below a public suffix have nothing in common.
    site.dns.update({"one.suffix.test": {"TXT": "v=spf1 ip4:127.0.0.1 -all"}})
    check(site.send("a@strict.test", "ann@two.suffix.test", sender="x@one.suffix.test"), FAILED)
    check(site.send("i@strict.test", "ann@m.one.suffix.test", sender="x@one.suffix.test"), "250 ",
          "dmarc=pass (p=reject) header.from=m.one.suffix.test")


def test_dead_dns(site):
    for name in ("dead", "slow"):
        check(site.send(f"{name}@strict.test", f"ann@{name}.test"), "250 ",
              f"dmarc=temperror header.from={name}.test")
        check(site.send(f"{name}@defer.test", f"ann@{name}.test"), "451 4.4.3 ")
        check(site.send(f"{name}@mark.test", f"ann@{name}.test"), "250 ",
              f"dmarc=temperror header.from={name}.test")


def test_forwarders(site):
    def said(by):
        return (f"dmarc=fail (p=reject; trusted_forwarder: {by} .lists.test) policy.dmarc=none "
                "header.from=bank.test")

    check(site.send("j@trust.test", "ann@bank.test", sender="l@lists.test", client="192.0.2.7"), "250 ", said("host"))
    check(site.send("k@trust.test", "ann@bank.test", sender="l@lists.test", sign="lists.test"), "250 ",
          said("signature of"))
    # A name that doesn't point back; another one's signature; a name that nobody could look up.
    check(site.send("l@trust.test", "ann@bank.test", sender="l@lists.test", client="192.0.2.8"), FAILED)
    check(site.send("l@trust.test", "ann@bank.test", sender="l@lists.test", sign="evil.test"), FAILED)
    check(site.send("l@trust.test", "ann@bank.test", sender="l@lists.test", client="192.0.2.9"), "451 4.4.3 ")
    site.daemon.wait_event("message", dmarc="fail bank.test reject, trusted_forwarder: host .lists.test")
    # Only this domain trusts them.
    check(site.send("l@strict.test", "ann@bank.test", sender="l@lists.test", client="192.0.2.7"), FAILED)


FROMS = [
    ("From: <x@evil.test>\r\nFrom: <ceo@bank.test>\r\n", "several From fields"),
    ("From: <x@evil.test>, <ceo@bank.test>\r\n", "From names several domains"),
    ("From: " + ",\r\n ".join(f"<x@e{i}.test>" for i in range(99)) + ", <ceo@bank.test>\r\n",
     "From names several domains"),
    ("From: Board: <x@evil.test>, <ceo@bank.test>;\r\n", "From holds a group"),
    ("From: <x@evil.test\x00@bank.test>\r\n", "From is malformed"),
    ("From: <x@evil.test> <ceo@bank.test>\r\n", "From is malformed"),
    ("From: x@evil.test(\r\n", "From is malformed"),
    ("From: <x@evil.test>\r\nFrom\r\n : <ceo@bank.test>\r\n", "From is malformed"),
    ("From: " + "(a" * 90 + ")" * 90 + " ,,, <ceo@bank.test\r\n", "From is malformed"),
]


@pytest.mark.parametrize("fields, why", FROMS, ids=range(len(FROMS)))
def test_no_single_author(site, fields, why):
    check(site.send("a@mark.test", None, sender="x@evil.test", fields=fields), NO_ONE)
    user = f"no-{FROMS.index((fields, why))}"
    check(site.send(f"{user}@odd.test", None, sender="x@evil.test", fields=fields), "250 ", f"dmarc=permerror ({why})")


def test_doubtful_authors(site):
    rows = [("", "no From field"), ("From: undisclosed:;\r\n", "From names nobody"),
            ("From: ceo@bank.test <x@evil.test>\r\n", "From shows an address of another domain in the name")]
    for i, (fields, why) in enumerate(rows):
        check(site.send("a@odd.test", None, sender="x@evil.test", fields=fields), NO_ONE)
        check(site.send(f"doubt-{i}@mark.test", None, sender="x@evil.test", fields=fields), "250 ",
              f"dmarc=permerror ({why})")
    # In quotes it is only a name.
    check(site.send("quoted@odd.test", None, sender="x@evil.test", fields='From: "ceo@bank.test" <x@evil.test>\r\n'),
          "250 ", "dmarc=none header.from=evil.test")


def test_a_from_of_one_megabyte(start, dns):
    dns.update({"evil.test": {"TXT": "v=spf1 ip4:127.0.0.1 -all"}})
    d = start(dns=dns, options={"max-header-size": "2M"}, sections='check "spf" { mode = "monitor" }')
    body = "Subject: x\r\n\r\nx\r\n"
    for one, reply in ((" <x@evil.test>,\r\n", 250), (" <x@evil.test>, <y@b.test>,\r\n", 550), (" (x)\r\n", 550),
                       (" x\r\n", 550)):
        with d.client() as c:
            assert c.mail("x@evil.test") == 250
            assert c.rcpt() == 250
            assert c.data("From:" + one * (1000000 // len(one)) + " <x@evil.test>\r\n" * (reply == 250) + body) == reply
    assert d.client().cmd("NOOP") == 250


def test_composition(site):
    """No name of the sender's choosing makes another result, or puts the victim's name beside a pass."""
    hello = "evil.test;dmarc=pass.header.from=bank.test"
    with site.daemon.client(hello=hello) as c:
        assert c.mail("") == 250
        assert c.rcpt("compose@odd.test") == 250
        message = b"From: <x@evil.test>\r\nSubject: x\r\n\r\nx\r\n"
        signed = dkim.sign(message, b"s", b"evil.test", site.key.pem, include_headers=[b"from"],
                           identity=b"@evil.test") + message
        signed = signed.replace(b"d=evil.test", b"d=bank.test(.evil.test", 1)
        assert c.data(signed) == 250
    box = site.daemon.mailbox("compose", "odd.test")[0].decode().replace("\r\n\t", " ")
    field = next(line for line in box.split("\r\n") if line.startswith("Authentication-Results:"))
    assert "dmarc=pass" not in field and "dkim=pass" not in field and "from=bank.test" not in field
