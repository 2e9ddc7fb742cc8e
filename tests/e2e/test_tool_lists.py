"""The lists by the tool alone: no daemon has ever run on this state-dir."""
import json
import os
import re
import subprocess
import time

import pytest

from daemon import BUILD, Daemon

DOMAINS = 'domain "local.test" { route = "box" recipients = "list" }\n' \
          'domain "any.test" { route = "box" recipients = "any" }'


@pytest.fixture
def box():
    """A configuration and an empty state-dir."""
    d = Daemon(domains=DOMAINS, options={"trusted-networks": ["127.0.0.9/32", "192.0.2.0/24"]},
               sections='route "far" { hosts = { "smtp://198.51.100.7:25" } }')
    d.write()
    os.mkdir(d.state)
    yield d
    d.stop()


def no(done, status=1):
    assert done.returncode == status, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and "Sanitizer" not in done.stderr
    return done


def rows(box, *args):
    return json.loads(box.tool(*args, "--json").stdout)


# --- bans

def test_ban_add_list_check_del(box):
    done = box.tool("ban", "add", "203.0.113.0/24", "--reason", "phishing run, ticket 4711", "--expires", "7d",
                    "--by", "admin")
    assert re.fullmatch(r"banned 203\.0\.113\.0/24 until \d{4}-\d\d-\d\d \d\d:\d\d \S+ by admin: phishing run, "
                        r"ticket 4711\nin force for new sessions now\n", done.stdout)
    ban, = rows(box, "ban", "list")
    assert ban["kind"] == "client" and ban["what"] == "203.0.113.0/24" and ban["by"] == "admin"
    assert ban["hits"] == 0 and ban["last"] is None and re.fullmatch(r"[-0-9T:.]+Z", ban["expires"])
    listed = box.tool("ban", "list").stdout
    assert listed.splitlines()[0].split() == ["KIND", "WHAT", "EXPIRES", "BY", "ADDED", "HITS", "LAST", "FLAGS",
                                              "REASON"]
    assert "phishing run, ticket 4711" in listed
    done = box.tool("ban", "check", "203.0.113.77")
    assert done.stdout.startswith("banned by 203.0.113.0/24 until ")
    assert done.stdout.endswith("(hit 0 times)\nresult: refused\n")
    assert json.loads(box.tool("ban", "check", "203.0.113.77", "--json").stdout)["ban"] == \
        {k: ban[k] for k in ("what", "by", "reason", "added", "expires", "hits", "last")}
    assert no(box.tool("ban", "check", "203.0.114.1", check=False)).stdout == \
        "not banned: 203.0.114.1\nresult: not refused\n"
    assert box.tool("ban", "del", "203.0.113.0/24").stdout == "no longer banned: 203.0.113.0/24\n"
    assert "is not banned" in no(box.tool("ban", "del", "203.0.113.0/24", check=False)).stderr
    assert rows(box, "ban", "list") == []


@pytest.mark.parametrize("typed, kind, what", [
    ("203.0.113.9", "client", "203.0.113.9/32"),
    ("203.0.113.9/24", "client", "203.0.113.0/24"),
    ("2001:DB8::/48", "client", "2001:db8::/48"),
    ("Bad.Example", "domain", "bad.example"),
    ("@bad.example", "domain", "bad.example"),
    ("Ann@Bad.Example", "address", "ann@bad.example"),
    ("sender:ann@bad.example", "address", "ann@bad.example"),
    ("sender:@bad.example", "domain", "bad.example"),
    ("host:mail.bad.example", "host", ".mail.bad.example"),
    ("login:Ann", "login", "ann"),
    ("recipient:bob@local.test", "recipient", "bob@local.test"),
    ("recipient:@local.test", "recipient", "@local.test"),
    ("bücher.example", "domain", "xn--bcher-kva.example"),
])
def test_keys(box, typed, kind, what):
    assert [(r["kind"], r["what"]) for r in json.loads(box.tool("ban", "add", typed, "--json").stdout)] == \
        [(kind, what)]
    ban, = rows(box, "ban", "list")
    assert (ban["kind"], ban["what"]) == (kind, what)
    assert json.loads(box.tool("ban", "check", typed, "--json").stdout)["refused"] is True
    box.tool("ban", "del", typed)
    assert rows(box, "ban", "list") == []


@pytest.mark.parametrize("typed", ["203.0.113.300", "1.2.3.0/33", "a b", "ann@", "client:example.org", "host:",
                                   "login:", "x..y", "recipient:bob", "", "1.2.3", "fe80::1::2", "hots:a.example"])
def test_keys_that_are_none(box, typed):
    said = no(box.tool("ban", "add", typed, check=False), 2).stderr
    assert f'"{typed.removeprefix("client:").removeprefix("host:")}": ' in said or ":" in typed or not typed
    assert said.startswith("gatepost: ") and said.count("\n") == 1
    assert rows(box, "ban", "list") == []


@pytest.mark.parametrize("what, said, lifted", [
    ("0.0.0.0/0", "trusted-networks 127.0.0.9/32, the proxies 127.0.0.8/32 and 1 next hop", False),
    ("192.0.2.77", "trusted-networks 192.0.2.0/24", True),
    ("10.0.0.0/8", "much of the world", True),
    ("2001:db8::/31", "much of the world", True),
    ("127.0.0.8", "the proxies 127.0.0.8/32", False),
    ("198.51.100.0/24", "1 next hop", False),
    ("com", "top-level domain", True),
    ("local.test", "a domain of ours", True),
])
def test_guards(box, what, said, lifted):
    assert said in no(box.tool("ban", "add", what, check=False), 2).stderr
    assert rows(box, "ban", "list") == []
    done = box.tool("ban", "add", what, "--force", check=False)
    assert done.returncode == (0 if lifted else 2), done.stderr


def test_exempt_saves_from_a_ban(box):
    box.tool("ban", "add", "203.0.113.0/24")
    box.tool("exempt", "add", "banned-client", "203.0.113.77", "--expires", "1d", "--reason", "their postmaster")
    done = no(box.tool("ban", "check", "203.0.113.77", check=False))
    lines = done.stdout.splitlines()
    assert lines[0].startswith("banned by 203.0.113.0/24, no expiry, by ")
    assert lines[1].startswith("but exempt from banned-client: 203.0.113.77 until ")
    assert lines[1].endswith(": their postmaster") and lines[2] == "result: not refused"
    answer = json.loads(box.tool("ban", "check", "203.0.113.77", "--json", check=False).stdout)
    assert (answer["banned"], answer["exempt"], answer["refused"]) == (True, True, False)
    assert answer["exemption"]["reason"] == "their postmaster"
    assert box.tool("ban", "check", "203.0.113.78").stdout.endswith("result: refused\n")


@pytest.mark.parametrize("ban, asked, by", [
    ("bad.example", "ann@sub.bad.example", "bad.example"),
    ("ann@bad.example", "ann+tag@bad.example", "ann@bad.example"),
    ("bad.example", "host:mail.bad.example", "bad.example"),
    ("recipient:@local.test", "recipient:bob@local.test", "@local.test"),
    ("recipient:bob@local.test", "recipient:bob+tag@local.test", "bob@local.test"),
    ("203.0.113.0/24", "203.0.113.128/25", "203.0.113.0/24"),
])
def test_check_asks_as_the_checks_do(box, ban, asked, by):
    no(box.tool("ban", "check", asked, check=False))
    box.tool("ban", "add", ban)
    found = json.loads(box.tool("ban", "check", asked, "--json").stdout)
    assert found["refused"] is True and found["ban"]["what"] == by
    box.tool("exempt", "add", found["check"], asked)
    assert json.loads(box.tool("ban", "check", asked, "--json", check=False).stdout)["refused"] is False


def test_check_of_a_network(box):
    """A part of it that is banned is not all of it, and hides no ban of more than it."""
    box.tool("ban", "add", "203.0.113.0")
    assert no(box.tool("ban", "check", "203.0.113.0/24", check=False)).stdout.startswith("not banned")
    box.tool("ban", "add", "203.0.0.0/16")
    box.tool("ban", "check", "203.0.113.0/24")
    box.tool("exempt", "add", "banned-client", "203.0.113.0")
    box.tool("ban", "check", "203.0.113.0/24")
    no(box.tool("ban", "check", "203.0.113.0", check=False))


def test_exempt_from_the_protocol(box):
    assert "nobody is exempt from relay" in no(box.tool("exempt", "add", "relay", "203.0.113.1", check=False), 2).stderr


def test_exempt(box):
    done = box.tool("exempt", "add", "empty-reply-to", "sender:@forms.example.org", "--reason", "web form", "--by", "a")
    assert done.stdout == "exempt from empty-reply-to: sender @forms.example.org and sub-domains, no expiry, by a: " \
                          "web form\n"
    box.tool("exempt", "add", "*", "198.51.100.9", "--expires", "2w")
    assert [r["check"] for r in rows(box, "exempt", "list")] == ["*", "empty-reply-to"]
    only, = rows(box, "exempt", "list", "--check", "empty-reply-to")
    assert only["what"] == "domain:forms.example.org" and only["hits"] == 0
    said = no(box.tool("exempt", "add", "emptyreply", "x@example.org", check=False), 2).stderr
    assert said == 'gatepost: no check "emptyreply"; nearest: empty-reply-to.  All: gatepost checks\n'
    box.tool("exempt", "del", "*", "198.51.100.9")
    assert "is not exempt" in no(box.tool("exempt", "del", "*", "198.51.100.9", check=False)).stderr
    assert len(rows(box, "exempt", "list")) == 1


def test_checks(box):
    checks = {c["check"]: c for c in rows(box, "checks")}
    assert checks["relay"]["mode"] == "enforce" and checks["empty-reply-to"]["default"] == "monitor"
    assert set(checks) <= set(box.tool("checks").stdout.split())


def test_export_and_import(box):
    box.tool("ban", "add", "203.0.113.0/24", "--at-connect", "--expires", "7d", "--reason", "one\ttwo \x1b[31mred")
    box.tool("ban", "add", "bad.example", "login:ann", "host:x.bad.example", "recipient:bob@local.test")
    before = rows(box, "ban", "export")
    exported = box.tool("ban", "export").stdout
    assert "\x1b" not in exported and len(exported.splitlines()) == 5
    for ban in before:
        box.tool("ban", "del", f"{ban['kind']}:{ban['what']}")
    assert rows(box, "ban", "list") == []
    assert re.match(r"imported 5 in \d+\.\d s, not imported 0\n",
                    box.tool("ban", "import", "-", input=exported).stdout)
    after = rows(box, "ban", "export")
    assert [{**a, "expires": None, "reason": None} for a in after] == \
        [{**b, "expires": None, "reason": None} for b in before]
    assert after[0]["flags"] == "at-connect" and after[0]["expires"] is not None


def test_import_says_which_lines_are_wrong(box):
    done = no(box.tool("ban", "import", "-", "--json", check=False,
                       input="# a comment\n203.0.113.1\nnot an address\n\n192.0.2.1\n203.0.113.2\r\n"))
    assert json.loads(done.stdout) == {"lines": 6, "imported": 2, "refused": 2}
    assert "-:3: " in done.stderr and "-:5: " in done.stderr and "trusted-networks" in done.stderr
    no(box.tool("ban", "import", f"{box.dir}/nothing", check=False), 2)


def test_import_of_100000_networks(box):
    lines = "".join(f"{a}.{b}.{c}.0/24\n" for a in (11, 12) for b in range(200) for c in range(250))
    done = json.loads(box.tool("ban", "import", "-", "--reason", "feed", "--json", input=lines).stdout)
    assert done == {"lines": 100000, "imported": 100000, "refused": 0}
    assert box.tool("ban", "check", "12.199.249.3").stdout.endswith("result: refused\n")
    no(box.tool("ban", "check", "13.0.0.1", check=False))


def test_expired_entries_are_gone(box):
    box.tool("ban", "add", "203.0.113.1", "--expires", "1s")
    time.sleep(1.2)
    no(box.tool("ban", "check", "203.0.113.1", check=False))
    assert rows(box, "ban", "list") == []
    assert "not a time" in no(box.tool("ban", "add", "203.0.113.1", "--expires", "soon", check=False), 2).stderr
    no(box.tool("ban", "add", "203.0.113.1", "--expires", "0s", check=False), 2)


# --- recipients

def test_recipient_add_check_del_list(box):
    assert "no list" in no(box.tool("recipient", "check", "bob@local.test", check=False)).stdout
    assert box.tool("recipient", "add", "Bob@local.test", "ann@local.test").stdout == \
        "added Bob@local.test\nadded ann@local.test\n"
    for exists in ("bob@local.test", "BOB@LOCAL.TEST", "bob+tag@local.test"):
        assert box.tool("recipient", "check", exists).stdout == f"{exists} exists\n"
    assert json.loads(box.tool("recipient", "check", "eve@local.test", "--json", check=False).stdout) == \
        {"address": "eve@local.test", "exists": "no"}
    assert rows(box, "recipient", "list", "local.test") == ["ann@local.test", "bob@local.test"]
    assert box.tool("recipient", "list", "local.test").stdout == "ann@local.test\nbob@local.test\n"
    box.tool("recipient", "add", "@local.test")
    box.tool("recipient", "check", "eve@local.test")
    box.tool("recipient", "del", "@local.test")
    assert "not on the list" in no(box.tool("recipient", "del", "eve@local.test", check=False)).stderr
    lists = {r["domain"]: r for r in rows(box, "recipient", "list")}
    assert lists["local.test"]["addresses"] == 2


def test_recipient_mistakes(box):
    assert "no domain of the configuration" in no(box.tool("recipient", "add", "a@other.test", check=False), 2).stderr
    no(box.tool("recipient", "add", "bob", check=False), 2)
    no(box.tool("recipient", "add", "a b@local.test", check=False), 2)
    assert "its list is kept but not asked" in box.tool("recipient", "add", "a@any.test").stderr
    no(box.tool("recipient", "import", "local.test", f"{box.dir}/nothing", check=False), 2)
    no(box.tool("recipient", "undo", "local.test", check=False))


def test_recipient_import_of_100000_and_undo(box):
    """One change: in force at once, undone at once; a tenth less is refused without --force."""
    whole = [f"user{n}@local.test" for n in range(100000)]
    path = f"{box.dir}/export.txt"
    with open(path, "w") as f:
        f.write("\n".join(whole + ["user1@local.test", "@", "x@other.test", "müller\x1b[31m@local.test x"]) + "\n")
    done = box.tool("recipient", "import", "local.test", path)
    assert re.match(r"read 100,004 lines in \d+\.\d s: 100,000 addresses, 1 repeated, 3 refused\n"
                    r"compared with the list in force \(0\): 100,000 new, 0 gone, 0 kept\n"
                    r"in force now as one change\.  Back: gatepost recipient undo local\.test\n", done.stdout)
    assert 'line 100002: "@": no address' in done.stderr
    assert 'line 100003: "x@other.test": not in this domain' in done.stderr and "\x1b" not in done.stderr
    box.tool("recipient", "check", "user99999@local.test")

    half = "\n".join(whole[:89999])
    said = no(box.tool("recipient", "import", "local.test", "-", check=False, input=half)).stderr
    assert "- would remove 10,001 of 100,000 addresses (10 %): nothing changed; --force if that is meant" in said
    box.tool("recipient", "check", "user99999@local.test")
    change = json.loads(box.tool("recipient", "import", "local.test", "-", "--force", "--json", input=half).stdout)
    assert (change["gone"], change["kept"], change["new"]) == (10001, 89999, 0)
    no(box.tool("recipient", "check", "user99999@local.test", check=False))
    back = json.loads(box.tool("recipient", "undo", "local.test", "--json").stdout)
    assert (back["new"], back["gone"], back["kept"]) == (10001, 0, 89999)
    box.tool("recipient", "check", "user99999@local.test")
    box.tool("recipient", "undo", "local.test")
    no(box.tool("recipient", "check", "user99999@local.test", check=False))


def test_files_are_the_callers(box):
    """A relative path is seen from where the tool was started, and read with the caller's rights."""
    with open(f"{box.dir}/list.txt", "w") as f:
        f.write("bob\n")
    os.chmod(f"{box.dir}/list.txt", 0o600)
    subprocess.run([os.path.abspath(f"{BUILD}/gatepost"), "-c", box.path, "recipient", "import", "local.test",
                    "list.txt"], cwd=box.dir, check=True, capture_output=True)
    box.tool("recipient", "check", "bob@local.test")


# --- no daemon

def test_commands_that_ask_the_daemon_say_so(box):
    for command in (["status"], ["limits", "192.0.2.1"], ["limits", "reset", "client", "192.0.2.1"]):
        assert "no gatepostd runs" in no(box.tool(*command, check=False)).stderr
    for command in (["limits"], ["blocks", "list"]):
        assert box.tool(*command).stdout == "" and rows(box, *command) == []
    assert "is not blocked" in no(box.tool("blocks", "del", "192.0.2.1", check=False)).stderr
    assert "kept for 30 days" in no(box.tool("explain", "mx1-7KQ2-M4XD", check=False)).stderr
