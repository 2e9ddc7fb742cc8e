"""Senders whose own mail servers are asked: who takes, refuses, puts off, hangs, lies, takes anything; what is
remembered of it, forgotten, and limited."""
import os
import re
import signal
import threading
import time

import pytest

from daemon import PATIENCE, Daemon, wait_for
from dns_server import DnsServer
from mx import Mx, shared_port
from smtp import Client

ID = r" \[mx1-[0-9A-Z]{4}-[0-9A-Z]{4}\]"
REFUSED = "550 5.1.7 Sender verification failed"
PROXY, GUEST = "127.0.0.8", "192.0.2.7"


def endless(line):
    def flood(sock):
        try:
            while True:
                sock.sendall(line * 1000)
        except OSError:
            pass
    return flood


# name: (the recipients that exist, other replies); each is the server of the domain NAME.test
SERVERS = {
    "good": ({"ann@good.test", "bob@good.test", "eve@good.test"}, {}),
    "plain": ({"postmaster@plain.test", "ann@plain.test"}, {"ghost@plain.test": b"550 no mailbox here by that name"}),
    "blocks-us": (set(), {"*": b"550 go away"}),
    "policy": (set(), {"*": b"550 5.7.1 Your address is on a list"}),
    "full": (set(), {"*": b"552 5.2.2 Mailbox full"}),
    "anything": (None, {}),
    "no-null": (None, {"MAIL": b"550 5.7.1 No bounces, please"}),
    "grey": (None, {"*": b"450 4.7.1 Greylisted"}),
    "tired": (None, {"GREETING": b"421 4.3.2 Too many connections"}),
    "old": ({"ann@old.test"}, {"EHLO": b"502 what?"}),
    "hangs": (None, {"GREETING": None}),
    "hangs-late": (None, {"*": None}),
    "closes": (None, {"MAIL": b""}),
    "garbage": (None, {"GREETING": b"\x00\xff\r\nHTTP/1.1 400 Bad Request"}),
    "banner": (None, {"GREETING": endless(b"220-still here\r\n")}),
    "line": (None, {"*": endless(b"250")}),
    "many": (None, {"*": endless(b"550-no\r\n")}),
    "nonsense": (None, {"*": b"354 go ahead"}),
    "rated": (set(), {}),
    "second": ({"ann@two.test"}, {}),
    "crowd": ({"ann@crowd.test"}, {}),
    "keeper": (set(), {}),
}
SILENT = ["hangs", "hangs-late", "closes", "garbage", "banner", "line", "many", "nonsense", "dead", "tired"]
HOSTS = {name: f"127.1.0.{i + 1}" for i, name in enumerate(SERVERS)}

SECTIONS = """
check "sender-verify"  {{ private-targets = true }}
check "sender-callout" {{ mode = "enforce"  port = {port}  timeout = "2s"  rate = "16/1h" }}
check "dictionary-attack" {{ unknown = "3/1h"  share = 1 }}
"""
DOMAINS = """
domain "local.test"  { route = "box" }
domain "strict.test" { route = "box"  check "sender-callout" { unknown = "defer" } }
domain "watch.test"  { route = "box"  check "sender-callout" { mode = "monitor" } }
domain "lax.test"    { route = "box"  check "sender-callout" { mode = "off" } }
"""


class Edge:
    def __init__(self):
        self.port = shared_port(*HOSTS.values())
        self.mx = {name: Mx(HOSTS[name], self.port, *SERVERS[name]).start() for name in SERVERS}
        self.dns = DnsServer({f"{n}.test": {"MX": [f"10 mx.{n}.test"]} for n in SERVERS}).start()
        self.dns.update({f"mx.{n}.test": {"A": HOSTS[n]} for n in SERVERS})
        self.dns.update({"dead.test": {"MX": ["10 mx.dead.test"]}, "mx.dead.test": {"A": "127.1.9.9"},
                         "two.test": {"MX": ["20 mx.second.test", "10 mx.dead.test", "15 mx.tired.test"]},
                         "other.test": {"MX": ["10 mx.good.test"]},
                         "none.test": {"MX": ["10 mx.none.test"]}, "mx.none.test": {"does": "servfail"},
                         "local.test": {"MX": ["10 mx.good.test"]}})
        self.daemon = Daemon({"workers": 2, "max-client-sessions": 500}, SECTIONS.format(port=self.port), DOMAINS,
                             dns=self.dns).start()

    def connections(self, name):
        return self.mx[name].connections if name in self.mx else 0

    def stop(self):
        try:
            self.daemon.stop()
        finally:
            self.dns.stop()
            for mx in self.mx.values():
                mx.stop()


@pytest.fixture(scope="module")
def edge():
    e = Edge()
    yield e
    e.stop()


def session(d, client=GUEST):
    c = Client(d.port, source=PROXY, greet=False)
    c.send(f"PROXY TCP4 {client} 192.0.2.1 1000 25\r\n")
    c.reply()
    c.cmd("EHLO mx.guest.test")
    return c


def rcpt(d, sender, to="bob@local.test", client=GUEST):
    with session(d, client) as c:
        assert c.mail(sender) == 250
        return str(c.rcpt(to))


def refused(reply, text=REFUSED):
    assert re.fullmatch(re.escape(text) + ID, reply), reply
    return re.search(r"\[(.*)\]", reply).group(1)


def metric(d, name):
    return d.status()["metrics"][name]


def test_who_exists_and_who_does_not(edge):
    d, mx = edge.daemon, edge.mx["good"]
    assert rcpt(d, "ann@good.test").startswith("250")
    incident = refused(rcpt(d, "ghost@good.test"))
    told = d.tool("explain", incident).stdout
    assert "mx.good.test [127.1.0.1] said 550 5.1.1 No such user" in told
    assert "exempt add sender-callout sender:ghost@good.test" in told
    # as a bounce would come, and nothing that isn't needed
    assert mx.commands[0] == ["EHLO mx1.test", "MAIL FROM:<>", "RCPT TO:<ann@good.test>", "RSET", "MAIL FROM:<>",
                              mx.commands[0][5], "QUIT"]
    assert re.fullmatch(r"RCPT TO:<[0-9a-z]{16}@good.test>", mx.commands[0][5])
    assert mx.commands[1] == ["EHLO mx1.test", "MAIL FROM:<>", "RCPT TO:<ghost@good.test>", "QUIT"]


def test_answers_are_remembered_by_all_workers(edge):
    d, mx = edge.daemon, edge.mx["good"]
    rcpt(d, "bob@good.test")
    rcpt(d, "no@good.test")
    d.tool("sender", "remembered")  # the keeper has written them
    before, kept = mx.connections, metric(d, "verify_remembered")
    for _ in range(6):
        assert rcpt(d, "BOB@Good.test").startswith("250")
        refused(rcpt(d, "no@good.test"))
    assert mx.connections == before
    assert metric(d, "verify_remembered") >= kept + 12
    incident = refused(rcpt(d, "no@good.test", client="192.0.2.8"))
    assert "No such user, asked" in d.tool("explain", incident).stdout


def test_whom_nobody_asks_about(edge):
    d, mx = edge.daemon, edge.mx["good"]
    before = mx.connections
    assert rcpt(d, "").startswith("250")
    assert rcpt(d, "x@[192.0.2.7]").startswith("250")
    assert rcpt(d, "x@local.test").startswith("250"), "a domain of ours"
    assert rcpt(d, "x@none.test").startswith("250"), "nobody knows its servers"
    assert rcpt(d, "never@good.test", to="postmaster@local.test").startswith("250")
    assert rcpt(d, "never@good.test", to="bob@lax.test").startswith("250")
    with d.client(source="127.0.0.9") as own:
        own.mail("never@good.test")
        assert own.rcpt() == 250
    with session(d) as c:
        c.mail("never@good.test")
        assert c.rcpt("bob@elsewhere.test") == 550
    assert mx.connections == before


def test_exemption_and_monitor(edge):
    d = edge.daemon
    assert rcpt(d, "eva@good.test", to="bob@watch.test").startswith("250")
    d.wait_event("message")
    wait_for(lambda: any("sender-callout" in str(e.get("would")) for e in d.events("message")), what="noted")
    refused(rcpt(d, "eva@good.test"))
    d.tool("exempt", "add", "sender-callout", "sender:eva@good.test")
    assert rcpt(d, "eva@good.test").startswith("250")


def test_a_bare_550_may_be_about_us(edge):
    """Then postmaster, who must exist, is asked for, too."""
    d = edge.daemon
    refused(rcpt(d, "ghost@plain.test"))
    assert edge.mx["plain"].asked("postmaster@plain.test") == 1
    assert rcpt(d, "ghost@blocks-us.test").startswith("250")
    assert edge.mx["blocks-us"].asked("postmaster@blocks-us.test") == 1


@pytest.mark.parametrize("name", ["policy", "full"])
def test_refused_for_other_reasons(edge, name):
    assert rcpt(edge.daemon, f"ann@{name}.test").startswith("250")
    assert rcpt(edge.daemon, f"ann@{name}.test", to="bob@strict.test").startswith("250")
    assert "refused" not in edge.daemon.tool("sender", "remembered").stdout.split(f"ann@{name}.test")[-1][:20]


def test_a_server_that_takes_anything_is_noticed(edge):
    d, mx = edge.daemon, edge.mx["anything"]
    for i in range(4):
        assert rcpt(d, f"u{i}@anything.test").startswith("250")
        d.tool("sender", "remembered")
    assert mx.connections == 1
    assert "takes any address" in d.tool("sender", "remembered", "@anything.test").stdout


def test_a_server_that_refuses_the_null_sender(edge):
    d, mx = edge.daemon, edge.mx["no-null"]
    for i in range(4):
        assert rcpt(d, f"u{i}@no-null.test", to="bob@strict.test").startswith("250")
        d.tool("sender", "remembered")
    assert mx.connections == 1
    assert "refuses the null sender" in d.tool("sender", "remembered", "@no-null.test").stdout


def test_a_temporary_answer_is_never_a_refusal(edge):
    d, mx = edge.daemon, edge.mx["grey"]
    assert rcpt(d, "ann@grey.test").startswith("250")
    assert rcpt(d, "ann@grey.test").startswith("250")
    refused(rcpt(d, "ann@grey.test", to="bob@strict.test"), "451 4.3.0 A check could not be completed, try again later")
    assert mx.asked("ann@grey.test") == 1, "not asked again for a while"
    assert d.tool("sender", "remembered", "ann@grey.test", check=False).returncode == 1
    # it takes mail now, and who knows that has it forgotten that it didn't
    mx.says.clear()
    mx.taken = {"ann@grey.test"}
    d.tool("sender", "forget", "ann@grey.test", check=False)
    assert rcpt(d, "ann@grey.test", to="bob@strict.test").startswith("250")
    assert mx.asked("ann@grey.test") == 2


@pytest.mark.parametrize("name", SILENT)
def test_no_answer_refuses_nobody(edge, name):
    d = edge.daemon
    began = time.monotonic()
    with session(d) as c:
        c.mail(f"ann@{name}.test")
        c.send("RCPT TO:<bob@local.test>\r\n")
        with d.client() as other:  # nobody else waits
            assert other.greeting == 220
        assert c.reply() == 250
        took = time.monotonic() - began
        refused(str(c.rcpt("carl@strict.test")), "451 4.3.0 A check could not be completed, try again later")
    assert took < 15, f"{took:.1f} s with a time-out of 2 s"
    assert d.tool("sender", "remembered", f"ann@{name}.test", check=False).returncode == 1
    before = edge.connections(name)
    assert rcpt(d, f"eve@{name}.test").startswith("250")
    assert edge.connections(name) == before, "known to have no answer"


def test_an_old_server_and_a_second_one(edge):
    d = edge.daemon
    refused(rcpt(d, "ghost@old.test"))
    assert edge.mx["old"].commands[0][:2] == ["EHLO mx1.test", "HELO mx1.test"]
    refused(rcpt(d, "ghost@two.test"))
    assert rcpt(d, "ann@two.test").startswith("250")


def test_a_crowd_asks_once(edge):
    """The same address, 60 sessions at once, in two workers."""
    d, mx = edge.daemon, edge.mx["crowd"]
    gate, faults = threading.Barrier(60), []

    def run():
        try:
            with session(d) as c:
                c.mail("ghost@crowd.test")
                gate.wait()
                refused(str(c.rcpt()))
        except Exception as e:
            faults.append(e)

    threads = [threading.Thread(target=run) for _ in range(60)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults, faults[:3]
    assert mx.asked("ghost@crowd.test") <= 4, "once a worker, give or take the moment of writing"


def test_a_target_is_not_asked_too_often(edge):
    d, mx = edge.daemon, edge.mx["rated"]
    replies = [rcpt(d, f"u{i}@rated.test") for i in range(20)]
    assert sum(r.startswith("550 5.1.7") for r in replies) == 16
    assert all(r.startswith("250") for r in replies[16:])
    assert mx.connections == 16
    refused(rcpt(d, "u3@rated.test"))


def test_refused_senders_are_no_dictionary_attack(edge):
    d = edge.daemon
    refused(rcpt(d, "nobody@good.test"))
    with session(d) as c:
        for _ in range(12):
            assert c.mail("nobody@good.test") == 250
            assert c.rcpt() == 550
            c.cmd("RSET")
    assert rcpt(d, "ann@good.test").startswith("250")
    assert "192.0.2.7" not in d.tool("blocks", "list").stdout


def test_forgetting_and_a_restart(edge):
    """With and without a daemon that runs, the next session sees it."""
    d, mx = edge.daemon, edge.mx["good"]
    mx.commands.clear()
    refused(rcpt(d, "new@good.test"))
    refused(rcpt(d, "late@good.test"))
    started = d.log().count("serving: generation")
    d.process.send_signal(signal.SIGTERM)
    d.process.wait(PATIENCE)
    assert d.tool("sender", "forget", "late@good.test").stdout == "forgotten: 1 answer about late@good.test\n"
    mx.taken |= {"new@good.test", "late@good.test"}
    d.start(wait=False)
    d.wait_log("serving: generation", count=started + 1)
    assert rcpt(d, "late@good.test").startswith("250")
    refused(rcpt(d, "new@good.test"))
    assert mx.asked("new@good.test") == 1, "remembered over the restart"
    told = d.tool("sender", "forget", "New@good.test").stdout
    assert told == "forgotten: 1 answer about New@good.test\n"
    assert rcpt(d, "new@good.test").startswith("250")
    assert mx.asked("new@good.test") == 2
    again = d.tool("sender", "forget", "x@good.test", check=False)
    assert again.returncode == 1 and again.stderr == "gatepost: nothing is remembered of x@good.test\n"
    mx.taken.discard("new@good.test")
    assert '"forgotten": ' in d.tool("sender", "forget", "@good.test", "--json").stdout
    assert d.tool("sender", "remembered", "@good.test", check=False).returncode == 1
    assert d.tool("sender", "forget", "good.test", check=False).returncode == 2


def test_without_a_keeper(edge):
    """Who remembers is away: each worker asks once, and what it learned is written later."""
    d, mx = edge.daemon, edge.mx["keeper"]
    (keeper,) = d.children("keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        for _ in range(8):
            refused(rcpt(d, "gone@keeper.test"))
    finally:
        os.kill(keeper, signal.SIGKILL)
    assert mx.asked("gone@keeper.test") <= 2
    wait_for(lambda: d.tool("sender", "remembered", "gone@keeper.test", check=False).returncode == 0,
             what="the next keeper has written it")
    asked = mx.asked("gone@keeper.test")
    for _ in range(4):
        refused(rcpt(d, "gone@keeper.test"))
    assert mx.asked("gone@keeper.test") == asked


def test_own_and_inner_addresses_are_never_asked(start, edge):
    """Whatever a stranger writes into his DNS: neither loopback, nor ourselves."""
    mx = edge.mx["good"]
    before = mx.connections
    d = start(dns=edge.dns, sections=f'check "sender-callout" {{ mode = "enforce"  port = {edge.port}  timeout = "2s" }}')
    edge.dns.update({"inner.test": {"MX": ["10 mx.inner.test"]}, "mx.inner.test": {"A": ["10.255.255.1", "127.1.0.1"]}})
    assert rcpt(d, "ann@inner.test").startswith("250")
    assert mx.connections == before
    ours = Daemon({"workers": 1}, dns=edge.dns)
    ours.sections = (f'check "sender-verify" {{ private-targets = true }}\n'
                     f'check "sender-callout" {{ mode = "enforce"  port = {ours.port}  timeout = "2s" }}')
    edge.dns.update({"mirror.test": {"A": "127.0.0.1"}})
    try:
        ours.start()
        assert rcpt(ours, "ann@mirror.test").startswith("250")
        assert metric(ours, "connections") == 1
        assert "own address" in ours.log()
    finally:
        ours.stop()
