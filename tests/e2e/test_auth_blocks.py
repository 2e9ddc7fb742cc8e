"""Guessing passwords: who is blocked and who isn't, over all workers, kills and restarts; what a blocked client
hears; attempts of one message; slow answers; and lifting it all."""
import base64
import json
import os
import re
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from daemon import Daemon, free_port, wait_for
from fake_dovecot import FakeDovecot
from scram import Scram
from smtp import Client

PROXY = "127.0.0.8"  # speaks for the clients of these tests, by the PROXY protocol
AT_AUTH = "535 5.7.8 The sender is blacklisted due to repeated auth failures"
AT_MAIL = "550 5.7.1 The sender is blacklisted due to repeated auth failures"
PASSWORDS = {"ann@local.test": "right", "bob@local.test": "right", "boss@local.test": "right"}


def daemon_with_logins(auth, sections="", local=False, **options):
    """`local`: the users are our own, else a fake Dovecot's."""
    d = Daemon(options=options)
    folder = tempfile.mkdtemp(prefix="gatepost-auth-", dir=d.dir)
    os.chmod(folder, 0o755)
    d.dovecot = FakeDovecot(f"{folder}/auth", PASSWORDS)
    backend = "local" if local else f"dovecot:{d.dovecot.path}"
    d.submission = free_port()
    d.sections = "\n".join([
        f'listener "submission" {{ address = {{ "127.0.0.1:{d.submission}" }} tls = "off" auth = "required" '
        'auth-plaintext = true route = "box" proxy-from = { "127.0.0.8/32" } }',
        f'auth {{ backend = "{backend}" {auth} }}', sections])
    return d


@pytest.fixture(scope="module")
def edge():
    """Ten pairs in ten minutes, as ever; no delays, and attempts in plenty."""
    d = daemon_with_logins('delay = "0s" attempts = 100', workers=3, sections="""
        auth-network "office" { networks = { "203.0.113.0/28" } failures = "20/10m" }""")
    yield d.start()
    d.stop()
    d.dovecot.stop()


@pytest.fixture(scope="module")
def slow():
    """Three pairs, delays, and little room."""
    d = daemon_with_logins('failures = "3/10m" delay = "1s" delay-max = "2s"', local=True, workers=1,
                           **{"max-sessions": 20})
    d.start()
    for login, password in PASSWORDS.items():
        d.tool("user", "add", login, input=password + "\n")
    yield d
    d.stop()
    d.dovecot.stop()


def plain(login, password):
    return "AUTH PLAIN " + base64.b64encode(f"\0{login}\0{password}".encode()).decode()


def come(d, address, port=None, hello="phone.test"):
    """A session of the client `address`."""
    c = Client(port or d.submission, source=PROXY, greet=False)
    c.send(f"PROXY TCP4 {address} 192.0.2.2 1000 25\r\n")
    c.greeting = c.reply()
    if hello and c.greeting == 220:
        c.cmd(f"EHLO {hello}")
    return c


def guess(d, address, pairs):
    """All of them in one session; the last reply."""
    with come(d, address) as c:
        for pair in pairs:
            last = c.cmd(plain(*pair))
    return last


def wrong(login, n, start=0):
    return [(login, f"wrong {i}") for i in range(start, start + n)]


def scram(client, login, password):
    """A whole exchange of SCRAM-SHA-256; the last reply."""
    side = Scram(login, password)

    def say(text):
        return base64.b64encode(text.encode()).decode()

    r = client.cmd("AUTH SCRAM-SHA-256 " + say(side.first()))
    if r == 334:
        r = client.cmd(say(side.final(base64.b64decode(r.text).decode())))
    return client.cmd("") if r == 334 else r


def together(calls):
    """Calls them all at once, and returns what they return; each is a function and its arguments."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [f.result() for f in [pool.submit(*call) for call in calls]]


def try_once(d, address):
    """What a client hears that tries to log in, in a few words."""
    with come(d, address) as c:
        reply = str(c.cmd(plain("ann@local.test", "right")))
    return re.sub(r" \[mx1-.*", "", reply)


def is_blocked(d, address):
    said = try_once(d, address)
    assert said in (AT_AUTH, "235 2.7.0 Authentication successful")
    return said == AT_AUTH


def block(d, address, pairs=10):
    guess(d, address, wrong("nobody@local.test", pairs))
    assert is_blocked(d, address)


def blocks(d):
    return {b["who"]: b for b in json.loads(d.tool("blocks", "list", "--json").stdout)}


# --- ten thousand

def address_of(n):
    return f"198.18.{n // 250}.{n % 250 + 1}"


def pairs_of(n):
    """Ten attempts: of half of the clients ten pairs; of a quarter one less; of a quarter an old password."""
    if n % 4 == 3:
        return [(f"phone{n}@local.test", "old")] * 10
    pairs = [(f"user{(n + i) % 7}@local.test", f"guess {i}") for i in range(10)]
    return pairs if n % 4 < 2 else pairs[:9] + pairs[:1]


def attack(d, clients):
    """A session of ten attempts for each client; where a worker dies of it, all ten again."""
    end = time.monotonic() + 120
    for n in clients:
        while time.monotonic() < end:
            try:
                with come(d, address_of(n), hello=None) as c:
                    c.send("EHLO bot.test\r\n" + "".join(plain(*p) + "\r\n" for p in pairs_of(n)))
                    replies = [c.reply() for _ in range(11)]
                assert all(r == 535 for r in replies[1:]), replies
                break
            except (EOFError, OSError):
                continue
        else:
            raise AssertionError("too slow")


def kill_all(d):
    """Everything at once, as a power cut would."""
    pids = [d.process.pid, *d.children()]
    pids += [p for child in pids[1:] for p in d._children_of(child)]
    os.kill(d.process.pid, signal.SIGSTOP)
    for pid in [*pids[1:], pids[0]]:
        os.kill(pid, signal.SIGKILL)
    d.process.wait()


def start_again(d):
    before = d.log().count("serving: generation")
    d.start(wait=False)
    d.wait_log("serving: generation", count=before + 1)


def test_exactly_the_right_ones(edge):
    expected = {address_of(n) for n in range(1000) if n % 4 < 2}

    def ck_blocked():
        assert set(blocks(edge)) == expected
        for n in range(0, 1000, 50):
            for m in range(n, n + 4):
                assert is_blocked(edge, address_of(m)) == (m % 4 < 2)

    def kill_worker():
        wait_for(lambda: edge.dovecot.asked > 3000, what="3000 questions")
        victim = edge.children("worker")[0]
        os.kill(victim, signal.SIGKILL)
        return victim

    *_, victim = together([*((attack, edge, range(k, 1000, 8)) for k in range(8)), (kill_worker,)])
    assert victim not in edge.children("worker")
    assert edge.dovecot.asked >= 9000
    ck_blocked()
    edge.restart()
    ck_blocked()
    kill_all(edge)
    start_again(edge)
    ck_blocked()


# --- one client

def test_what_a_blocked_client_hears(edge):
    address = "192.0.2.10"
    with come(edge, address) as c:
        for pair in wrong("ann@local.test", 10):
            assert str(c.cmd(plain(*pair))) == "535 5.7.8 Authentication credentials invalid"
        incident = re.search(r"\[(mx1-\S+)\]", str(c.cmd(plain("ann@local.test", "right")))).group(1)
        assert str(c.mail()).startswith(AT_MAIL)
        # It may ask as often as any client may err.
        for _ in range(30):
            last = c.cmd("AUTH PLAIN")
            if last == 421:
                break
        assert last == 421 and c.closed()
    with come(edge, address) as c:
        assert str(c.mail()).startswith(AT_MAIL)
    # Its mail to us isn't touched.
    with come(edge, address, port=edge.port) as c:
        assert c.message() == 250
    said = edge.tool("explain", incident).stdout
    assert "REFUSED at AUTH: " + AT_AUTH in said
    assert re.search(r"decided +auth-block \(enforce.*10 pairs on 1 login in 10m", said), said
    assert f"gatepost blocks del {address}" in said
    edge.wait_event("block", check="auth-block", client=address)


def test_a_guess_that_was_on_its_way(edge):
    """Begun before the block, judged after it: nobody learns whether it was right."""
    edge.dovecot.held["ann@local.test"] = threading.Event()
    try:
        with come(edge, "192.0.2.12") as right, come(edge, "192.0.2.12") as wrong_one:
            asked = edge.dovecot.asked
            right.send(plain("ann@local.test", "right") + "\r\n")
            wrong_one.send(plain("ann@local.test", "wrong") + "\r\n")
            wait_for(lambda: edge.dovecot.asked == asked + 2, what="both questions")
            guess(edge, "192.0.2.12", wrong("nobody@local.test", 10))
            edge.dovecot.held["ann@local.test"].set()
            assert str(right.reply()).startswith(AT_AUTH)
            assert str(wrong_one.reply()).startswith(AT_AUTH)
            assert right.mail() == 550
    finally:
        del edge.dovecot.held["ann@local.test"]


def test_a_success_takes_failures_away(edge):
    address = "192.0.2.11"
    guess(edge, address, wrong("ann@local.test", 5) + wrong("bob@local.test", 4))
    assert guess(edge, address, [("ann@local.test", "right")]) == 235
    guess(edge, address, wrong("bob@local.test", 5, 4))
    assert not is_blocked(edge, address)
    guess(edge, address, wrong("bob@local.test", 1, 9))
    assert is_blocked(edge, address)


def test_networks_with_a_threshold_of_their_own(edge):
    guess(edge, "203.0.113.7", wrong("nobody@local.test", 19))
    assert not is_blocked(edge, "203.0.113.7")
    guess(edge, "203.0.113.7", wrong("nobody@local.test", 1, 19))
    assert is_blocked(edge, "203.0.113.7")
    assert blocks(edge)["203.0.113.7"]["facts"] == "20 pairs on 1 login in 10m"


def test_exemptions(edge):
    edge.tool("exempt", "add", "auth-block", "client:192.0.2.32/28", "--reason", "scanners")
    guess(edge, "192.0.2.33", wrong("nobody@local.test", 15))
    assert not is_blocked(edge, "192.0.2.33")
    block(edge, "192.0.2.50")
    edge.tool("exempt", "add", "auth-block", "client:192.0.2.50")
    assert not is_blocked(edge, "192.0.2.50")


def test_the_tool(edge):
    address = "192.0.2.60"
    block(edge, address)
    shown = next(line for line in edge.tool("blocks", "list").stdout.splitlines() if line.startswith(address + " "))
    assert re.match(r"192\.0\.2\.60 +auth-block +enforce +10 pairs on 1 login in 10m +\d{4}-", shown)
    listed = blocks(edge)[address]
    assert listed["why"] == "auth-block" and listed["mode"] == "enforce" and listed["since"] < listed["until"]
    done = edge.tool("blocks", "del", address, "--reason", "old scanner", "--by", "help")
    assert done.stdout == f"lifted auth-block of {address}; its failures are forgotten\n"
    edge.wait_log(rf"by the tool: blocks del {re.escape(address)} \(auth-block\), by help: old scanner")
    assert address not in blocks(edge) and not is_blocked(edge, address)
    # The next block is the first again: an hour.
    guess(edge, address, wrong("other@local.test", 10))
    again = blocks(edge)[address]
    hours = time.mktime(time.strptime(again["until"][:19], "%Y-%m-%dT%H:%M:%S")) - \
        time.mktime(time.strptime(again["since"][:19], "%Y-%m-%dT%H:%M:%S"))
    assert hours == 3600
    done = edge.tool("blocks", "del", address, "--spare", "30d")
    assert re.fullmatch(rf"lifted auth-block of {re.escape(address)}; its failures are forgotten; exempt from "
                        r"auth-block until \d{4}-\d\d-\d\d \d\d:\d\d \S+\n", done.stdout)
    guess(edge, address, wrong("third@local.test", 15))
    assert not is_blocked(edge, address)
    gone = edge.tool("blocks", "del", address, "--json", check=False)
    assert gone.returncode == 1 and gone.stderr == f"gatepost: {address} is not blocked\n"


def test_lifted_while_nothing_runs(edge):
    block(edge, "192.0.2.70")
    block(edge, "192.0.2.71")
    edge.process.send_signal(signal.SIGTERM)
    edge.process.wait(60)
    lifted = json.loads(edge.tool("blocks", "del", "192.0.2.70", "--json").stdout)
    assert lifted == {"lifted": "192.0.2.70", "check": "auth-block", "exempt_until": None}
    start_again(edge)
    assert not is_blocked(edge, "192.0.2.70")
    assert is_blocked(edge, "192.0.2.71")


def test_monitor_mode(edge):
    """The last one here: it changes the daemon."""
    edge.sections += '\ncheck "auth-block" { mode = "monitor" } check "auth-once" { mode = "monitor" }'
    edge.sections = edge.sections.replace("attempts = 100", "attempts = 2")
    edge.reload()
    guess(edge, "192.0.2.80", wrong("nobody@local.test", 12))
    assert blocks(edge)["192.0.2.80"]["mode"] == "monitor"
    assert not is_blocked(edge, "192.0.2.80")
    edge.wait_event("session", client="192.0.2.80")


# --- attempts, delays, stress

def test_attempts_of_one_message(slow):
    with come(slow, "192.0.2.10") as c:
        assert str(c.cmd("AUTH NONSENSE")).startswith("504")
        assert str(c.cmd("AUTH PLAIN =")).startswith("501")
        assert c.cmd("AUTH PLAIN") == 334
        assert str(c.cmd("*")).startswith("501")
        assert c.cmd(plain("ann@local.test", "one")) == 535
        assert c.cmd(plain("ann@local.test", "two")) == 535
        assert re.match(r"503 5\.5\.1 Authentication is allowed only once per message \[mx1-",
                        str(c.cmd(plain("ann@local.test", "right"))))
        assert str(c.reply()) == "421 4.7.0 Too many attempts at authentication, closing the connection"
        assert c.closed()
    with come(slow, "192.0.2.10") as c:
        assert c.cmd(plain("ann@local.test", "right")) == 235
        for _ in range(3):
            assert str(c.cmd(plain("ann@local.test", "right"))) == \
                "503 5.5.1 Authentication is allowed only once per message"
        assert c.message("ann@local.test") == 250
        assert c.cmd(plain("ann@local.test", "right")) == 503


def test_a_spread_out_attack_slows_down(slow):
    def seconds(address, password):
        begun = time.monotonic()
        code = guess(slow, address, [("boss@local.test", password)]).code
        return code, time.monotonic() - begun

    code, took = seconds("192.0.2.20", "a")
    assert code == 535 and took >= 1
    together([(seconds, f"192.0.2.{n}", "a") for n in (21, 22)])
    code, took = seconds("192.0.2.23", "a")
    assert code == 535 and took >= 2
    # Nobody is locked out: the owner waits once.
    code, took = seconds("192.0.2.99", "right")
    assert code == 235 and took >= 2
    first = slow.wait_event("auth", client="192.0.2.99", verdict="accepted")
    assert "4 failures on the login" in first["facts"]
    assert seconds("192.0.2.99", "right")[0] == 235
    wait_for(lambda: len([e for e in slow.events("auth") if e["client"] == "192.0.2.99"]) == 2)
    assert "facts" not in [e for e in slow.events("auth") if e["client"] == "192.0.2.99"][1]


def test_mechanisms_that_show_no_password(slow):
    """A phone with an old one is one pair, up to three failures; then each counts."""
    def fail(n):
        with come(slow, "192.0.2.60") as c:
            assert scram(c, "ann@local.test", "old") == 535

    together([(fail, n) for n in range(3)])
    assert "192.0.2.60" not in blocks(slow)
    with come(slow, "192.0.2.60") as c:
        assert scram(c, "ann@local.test", "right") == 235
    together([(fail, n) for n in range(5)])
    assert blocks(slow)["192.0.2.60"]["facts"] == "3 pairs on 1 login in 10m"


def test_the_greeting_under_stress(slow):
    together([(guess, slow, "192.0.2.30", [("nobody@local.test", word)]) for word in "abc"])
    with come(slow, "192.0.2.30") as c:
        assert c.greeting == 220
    crowd = [come(slow, f"198.51.100.{n}", hello=None) for n in range(1, 16)]
    try:
        wait_for(lambda: any(p["stress"] for p in slow.status()["processes"] if p["stress"]), what="stress")
        with come(slow, "192.0.2.30") as c:
            assert str(c.greeting).startswith(
                "554 The sender is blacklisted due to repeated auth failures [mx1-")
            assert c.cmd("EHLO phone.test") == 503
        # But not where it brings mail to us.
        with come(slow, "192.0.2.30", port=slow.port) as c:
            assert c.greeting == 220
    finally:
        for c in crowd:
            c.close()
