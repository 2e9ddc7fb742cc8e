"""The tool beside a running daemon: what it changes holds for the very next session, and what it shows is true."""
import json
import os
import pty
import re
import signal
import subprocess

import pytest

from daemon import BUILD, wait_for

DOMAINS = 'domain "local.test" { route = "box" recipients = "list" }'
ID = re.compile(r"\[(mx1-([0-9A-Z]{4})-([0-9A-Z]{4}))\]")


@pytest.fixture
def edge(start):
    def make(**kw):
        d = start(domains=DOMAINS, **kw)
        d.tool("recipient", "add", "bob@local.test")
        return d
    return make


def send(d, **kw):
    with d.client() as c:
        return c.message(**kw)


def rows(d, *args):
    return json.loads(d.tool(*args, "--json").stdout)


def test_ban_holds_for_the_next_session(edge):
    d = edge()
    assert send(d) == 250
    said = d.tool("ban", "add", "127.0.0.1", "--reason", "ticket 4711").stdout
    assert "in force for new sessions now" in said
    with d.client() as c:
        assert "1 session from there is open" in d.tool("ban", "add", "127.0.0.1").stdout
        reply = c.message()
    assert reply.code == 550 and ID.search(reply.text)
    assert wait_for(lambda: rows(d, "ban", "list")[0]["hits"], what="the hit")
    assert re.search(r"\(hit \d+ times, last \d{4}-", d.tool("ban", "check", "127.0.0.1").stdout)
    d.tool("exempt", "add", "banned-client", "127.0.0.1")
    assert send(d) == 250
    wait_for(lambda: rows(d, "exempt", "list")[0]["hits"], what="the exemption's hit")
    d.tool("exempt", "del", "banned-client", "127.0.0.1")
    assert send(d) == 550
    d.tool("ban", "del", "127.0.0.1")
    assert send(d) == 250


@pytest.mark.parametrize("what, sender, recipient", [
    ("bad.example", "ann@sub.bad.example", "bob@local.test"),
    ("ann@bad.example", "Ann@bad.example", "bob@local.test"),
    ("recipient:bob@local.test", "ann@example.org", "bob@local.test"),
])
def test_bans_of_other_kinds(edge, what, sender, recipient):
    d = edge()
    d.tool("ban", "add", what)
    assert send(d, sender=sender, to=recipient) == 550
    assert send(d, sender="ann@example.com" if "recipient" not in what else sender,
                to="postmaster@local.test" if "recipient" in what else recipient).code in (250, 550)
    d.tool("ban", "del", what)
    assert send(d, sender=sender, to=recipient) == 250


def test_ban_at_connect(edge):
    d = edge()
    d.tool("ban", "add", "127.0.0.1", "--at-connect")
    with d.client() as c:
        assert c.greeting.code == 554


def test_recipients_change_live(edge):
    d = edge()
    assert send(d, to="eve@local.test") == 550
    d.tool("recipient", "add", "eve@local.test")
    assert send(d, to="eve@local.test") == 250
    d.tool("recipient", "import", "local.test", "-", "--force", input="carl\n")
    assert send(d, to="eve@local.test") == 550
    d.tool("recipient", "undo", "local.test")
    assert send(d, to="eve@local.test") == 250


def test_explain(edge):
    d = edge()
    with d.client(hello="client.example") as c:
        first = c.message(sender="ann@example.org", to="nobody@local.test")
        again = c.rcpt("nobody@local.test")
    assert first == 550 and again == 550
    incident, one, two = ID.search(first.text).groups()
    assert ID.search(again.text).group(1) == incident
    fact = json.loads(d.tool("explain", incident, "--json").stdout)
    assert fact["incident"] == incident and fact["check"] == "unknown-recipient" and fact["mode"] == "enforce"
    assert fact["client"] == "127.0.0.1" and fact["helo"] == "client.example" and fact["listener"] == "mx"
    assert fact["from"] == "ann@example.org" and fact["to"] == "nobody@local.test" and fact["code"] == 550
    assert fact["reply"] == "550 5.1.1 The email address does not exist"
    assert fact["remedy"] == "recipient add nobody@local.test" and fact["repeats"] == 1
    ran = {r["check"]: r for r in fact["ran"]}
    assert ran["unknown-recipient"]["outcome"] == "refuse" and ran["banned-client"]["outcome"] == "pass"
    for typed in (incident, incident.lower(), f"{one}-{two}", f"{one}{two}".lower(), f"other-{one}-{two}",
                  f"{one}-{two}".replace("0", "O").replace("1", "l")):
        lines = d.tool("explain", typed).stdout.splitlines()
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+  mx  REFUSED at RCPT: 550 5\.1\.1 The email ",
                        lines[0])
        assert lines[1].startswith("client     127.0.0.1   HELO client.example   session ")
        assert lines[2] == "envelope   <ann@example.org> -> <nobody@local.test>"
        assert lines[3].startswith("decided    unknown-recipient (enforce")
        assert lines[4].startswith("repeated   1 more time, last ")
        assert lines[5].split() == ["CHECK", "VERDICT", "TIME", "FACTS"]
        assert "to let it pass   gatepost recipient add nobody@local.test" in lines
        assert lines[-1].startswith("the sender sees  ")
    # what it says would let it pass does
    d.tool(*fact["remedy"].split())
    assert send(d, to="nobody@local.test") == 250
    done = d.tool("explain", "mx1-0000-0000", check=False)
    assert done.returncode == 1 and "kept for 30 days" in done.stderr


def test_explain_by_url(edge):
    d = edge(options={"help-url": "https://why.example.net/"})
    reply = send(d, to="nobody@local.test")
    url = reply.text.split()[-1]
    assert url.startswith("https://why.example.net/")
    for typed in (url, url.rsplit("/", 1)[1]):
        shown = d.tool("explain", typed).stdout
        assert shown.splitlines()[-1] == f"the sender sees  {url}"


def test_explain_shows_nothing_raw(edge):
    """The client chooses these bytes, the administrator's terminal must not obey them."""
    d = edge()
    with d.client(hello=None) as c:
        c.send(b"EHLO x\xc2\x9b31m.example\r\n")
        c.reply()
        reply = c.message(to="nobody@local.test")
    found = ID.search(reply.text)
    if not found:
        pytest.skip(f"such a greeting is refused before: {reply}")
    for form in ((), ("--json",)):
        shown = d.tool("explain", found.group(1), *form).stdout
        assert "\x9b" not in shown and "\x1b" not in shown


def test_limits_and_reset(edge):
    d = edge(limits='limit "client" { by = "ip4/32" messages = { "3/1h", "1000/1d" } }')
    with d.client() as c:
        replies = []
        for _ in range(5):
            replies.append(c.message().code)
            c.cmd("RSET")
    assert replies[:3] == [250, 250, 250] and replies[3] == replies[4] and replies[3] >= 400
    fired, = rows(d, "limits")
    assert {k: fired[k] for k in ("limit", "who", "unit", "used", "of", "refused")} == \
        {"limit": "client", "who": "127.0.0.1", "unit": "messages", "used": 3, "of": "3/1h", "refused": 2}
    table = d.tool("limits", "--near", "80%").stdout.splitlines()
    assert table[0].split() == ["LIMIT", "WHO", "UNIT", "USED", "OF", "FREE", "AT", "REFUSED", "LAST"]
    assert re.match(r"client +127\.0\.0\.1 +messages +3 +3/1h +in \d+ min +2 +\d{4}-", table[1])
    both = {r["of"]: r["used"] for r in rows(d, "limits", "127.0.0.1")}
    assert both == {"3/1h": 3, "1000/1d": 3}
    assert [r["of"] for r in rows(d, "limits", "127.0.0.1", "--near", "80")] == ["3/1h"]
    done = d.tool("limits", "reset", "client", "127.0.0.1").stdout
    assert done.startswith("reset limit client of 127.0.0.1, which had used:\nLIMIT ")
    assert {r["of"]: r["used"] for r in rows(d, "limits", "127.0.0.1")} == {"3/1h": 0, "1000/1d": 0}
    assert send(d) == 250
    d.wait_log(r"by the tool: limits reset client 127\.0\.0\.1, by ")
    assert d.tool("limits", "reset", "client", "ann@example.org", check=False).returncode == 2
    assert d.tool("limits", "ann@example.org", check=False).returncode == 1


def test_blocks_and_del(edge):
    d = edge(sections='check "dictionary-attack" { unknown = "5/1h" share = 50 block = "1h" }')

    def harvest():
        with d.client() as c:
            try:
                for n in range(20):
                    c.message(to=f"u{n}@local.test")
                    c.cmd("RSET")
            except (EOFError, OSError):
                return

    harvest()
    assert send(d) == 550
    block, = rows(d, "blocks", "list")
    assert block["who"] == "127.0.0.1" and block["why"] == "dictionary-attack"
    assert "do not exist" in block["facts"] and block["since"] < block["until"]
    assert d.tool("blocks", "list").stdout.splitlines()[0].split() == ["WHO", "WHY", "MODE", "FACTS", "SINCE", "UNTIL"]
    done = d.tool("blocks", "del", "127.0.0.1", "--by", "help", "--reason", "old scanner")
    assert done.stdout == "lifted dictionary-attack of 127.0.0.1; its counts are forgotten\n"
    d.wait_log(r"by the tool: blocks del 127\.0\.0\.1 \(dictionary-attack\), by help: old scanner")
    assert rows(d, "blocks", "list") == []
    assert send(d) == 250
    again = d.tool("blocks", "del", "127.0.0.1", check=False)
    assert again.returncode == 1 and again.stderr == "gatepost: 127.0.0.1 is not blocked\n"

    harvest()
    assert send(d) == 550
    done = d.tool("blocks", "del", "127.0.0.1", "--spare", "30d", "--reason", "old scanner").stdout
    assert re.fullmatch(r"lifted dictionary-attack of 127\.0\.0\.1; its counts are forgotten; exempt from "
                        r"dictionary-attack until \d{4}-\d\d-\d\d \d\d:\d\d \S+\n", done)
    spared, = rows(d, "exempt", "list", "--check", "dictionary-attack")
    assert spared["what"] == "client:127.0.0.1/32"
    assert spared["reason"] == "old scanner"
    harvest()
    assert send(d) == 250


def test_requests_reach_a_keeper_that_was_killed(edge):
    """What waits is done by the next keeper."""
    d = edge(limits='limit "client" { by = "ip4/32" messages = { "1/1h" } }')
    assert send(d) == 250
    assert send(d).code >= 400
    for pid in d.children("keeper"):
        os.kill(pid, signal.SIGKILL)
    d.tool("limits", "reset", "client", "127.0.0.1")
    assert send(d) == 250


def on_terminal(d, *args):
    """What `gatepost ARGS` prints on a terminal."""
    ours, its = pty.openpty()
    subprocess.run([f"{BUILD}/gatepost", "-c", d.path, *args], stdin=its, stdout=its, stderr=its, check=True,
                   timeout=60)
    os.close(its)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # EIO: nobody writes there any more
        pass
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_status(edge):
    d = edge()
    assert send(d) == 250
    assert send(d, to="nobody@local.test") == 550
    with d.client():
        wait_for(lambda: json.loads(d.tool("status", "--json").stdout)["sessions"] == 1, what="one session")
        s = json.loads(d.tool("status", "--json").stdout)
        assert s["mode"] == "enforce" and s["generation"] == 1 and s["sessions"] == 1 and s["stress"] == 0
        assert s["metrics"]["messages_accepted"] == 1 and s["metrics"]["messages_refused"] >= 1
        assert [p["process"] for p in s["processes"]][:1] == ["master"]
        assert all(0 <= p["up"] <= 120 and p["rss"] > 0 for p in s["processes"])
        assert s["last_minute"]["messages_accepted"] == 1 and 0 < s["last_minute_seconds"] < 70
        assert {"keeper", "worker 1", "worker 2"} <= {p["process"] for p in s["processes"]}
        assert wait_for(lambda: json.loads(d.tool("status", "--json").stdout)["refused_by_last_hour"],
                        what="the incident") == {"unknown-recipient": 1}
        shown = d.tool("status").stdout
    assert "\nrefused by    unknown-recipient 1   (last hour)\n" in shown
    assert re.match(r"gatepostd \S+ on mx1\.test, up ", shown) and "1 session, stress 0 of 3" in shown
    assert "MODE IS" not in shown
    for mode in ("monitor", "soft"):
        d.reload(mode=mode)
        assert f"\nMODE IS {mode.upper()}: " in d.tool("status").stdout
        # Red, where somebody looks on.
        assert f"\033[1;31mMODE IS {mode.upper()}: " in on_terminal(d, "status")
    assert json.loads(d.tool("status", "--json").stdout)["mode"] == "soft"


@pytest.mark.parametrize("by, who, used_by", [
    ("ip4/24", "127.0.0.77", "127.0.0.0/24"),
    ("ip4/32", "client:127.0.0.1", "127.0.0.1"),
    ("sender", "Ann+other@Example.org", "ann@example.org"),
    ("sender-domain", "example.org", "example.org"),
    ("recipient-domain", "recipient:@local.test", "local.test"),
])
def test_limits_by_whatever_they_count(edge, by, who, used_by):
    """The tool makes the same keys as the sessions do."""
    d = edge(limits=f'limit "l" {{ by = "{by}" recipients = {{ "2/1h" }} bytes = {{ "1M/1d" }} }}')
    for _ in range(2):
        assert send(d, sender="Ann+tag@example.org") == 250
    assert send(d, sender="ann@example.org").code >= 400
    shown = {r["unit"]: r for r in rows(d, "limits", who)}
    assert shown["recipients"]["who"] == used_by and shown["recipients"]["used"] == 2
    assert shown["recipients"]["refused"] == 1 and shown["bytes"]["used"] > 100
    fired, = rows(d, "limits")
    assert fired["who"] == used_by and fired["used"] == 2
    assert [r["used"] for r in json.loads(d.tool("limits", "reset", "l", who, "--json").stdout)][0] == 2
    assert send(d, sender="ann@example.org") == 250
