"""The anti-virus engine through whole sessions: what is found in what, and what each verdict says."""
import os
import subprocess
import time

import pytest

from clam import (CARRIERS, EICAR, HEAD, TESTFILES, VIRUS, Database, attached, bomb, encrypted_zip, many, two,
                  zipped)
from daemon import BUILD, Daemon

LATER = "451 4.3.0 A check could not be completed, try again later"


def section(database, engine="", check="", inspectors=2):
    """The files are named like programs, which is another check's business."""
    return 'check "attachment" { mode = "off" } ' + f'clamav {{ database = "{database.path}" inspectors = {inspectors} {engine} }} check "antivirus" {{ {check} }}'


def ready(d, count=1):
    # A busy machine loads it slowly.
    d.wait_log("the anti-virus database is in force", seconds=90, count=count)
    return d


@pytest.fixture
def scanning(start, tmp_path):
    """scanning(engine, check): a daemon with a database that knows EICAR."""
    def starter(engine="", check="", database=None, **kw):
        database = database or Database(tmp_path / "db").eicar()
        d = ready(start(sections=section(database, engine, check), **kw))
        d.database = database
        return d

    return starter


@pytest.fixture(scope="module")
def scanner(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("db")).eicar().of_testfiles()
    d = ready(Daemon(sections=section(database)).start())
    d.database = database
    yield d
    d.stop()


def send(d, message, to="bob@local.test", source="127.0.0.1"):
    with d.client(source) as c:
        return str(c.message(text=message, to=to))


def test_what_is_clean_passes(scanner):
    assert send(scanner, attached(b"nothing")).startswith("250 ")
    assert send(scanner, HEAD + b"\r\n").startswith("250 ")


@pytest.mark.parametrize("how", CARRIERS)
def test_eicar(scanner, how):
    assert send(scanner, CARRIERS[how]()).startswith(VIRUS), how


@pytest.mark.parametrize("name", sorted(os.listdir(TESTFILES)) if os.path.isdir(TESTFILES) else [])
def test_testfiles(scanner, name):
    with open(f"{TESTFILES}/{name}", "rb") as f:
        reply = send(scanner, attached(f.read(), name))
    # A chain of archives that is deeper than is looked into, made to be so.
    expected = "550 5.7.1 The message could not be inspected" if "emax" in name else VIRUS
    assert reply.startswith(expected)


def test_the_name_is_for_us(scanner):
    # Of a client of its own: repeated refusals of one are one incident, with what the first was.
    reply = send(scanner, attached(EICAR), source="127.0.0.6")
    assert "eicar" not in reply.lower()
    incident = reply.split("[")[1].split("]")[0]
    shown = scanner.tool("explain", incident).stdout
    assert "Eicar-Test-Signature" in shown and "antivirus" in shown
    assert "gatepost signature ignore Eicar-Test-Signature" in shown


# ---- What the other verdicts say


def test_encrypted_archives_are_noted(scanner):
    assert send(scanner, attached(encrypted_zip())).startswith("250 ")
    scanner.wait_log("antivirus: 550 5.7.1 The message contains encrypted files")


def test_encrypted_archives_by_option(scanning):
    d = scanning(check='encrypted = "enforce"')
    assert send(d, attached(encrypted_zip())).startswith("550 5.7.1 The message contains encrypted files")


def test_limits_are_a_verdict_of_their_own(scanning):
    """Each limit: never clean, and known at once.  A virus in front of it is still one."""
    d = scanning(engine='max-scan-size = "50M" max-files = 20 max-depth = 6')
    deep = attached(EICAR)
    for _ in range(8):
        deep = attached(zipped(deep, "x.eml"))
    crowd = many(30)
    for message in (deep, attached(crowd), attached(bomb(200 << 20))):
        begun = time.monotonic()
        assert send(d, message).startswith("550 5.7.1 The message could not be inspected")
        assert time.monotonic() - begun < 15
    assert send(d, two(EICAR, crowd)).startswith(VIRUS)
    for limits, reply in (("defer", LATER), ("pass", "250 ")):
        d.sections = section(d.database, 'max-scan-size = "50M" max-files = 20 max-depth = 6', f'limits = "{limits}"')
        d.reload()
        assert send(d, attached(crowd)).startswith(reply)
    d.wait_event("message", **{"not-inspected": "antivirus: limits exceeded Heuristics.Limits.Exceeded.MaxFiles"})


def test_every_message_that_is_taken_is_scanned_whole(start, tmp_path):
    """Where max-message-size is more than max-size, nothing starts."""
    d = Daemon(options={"max-message-size": "60M"}, sections=section(Database(tmp_path / "db")))
    d.write()
    done = subprocess.run([f"{BUILD}/gatepostd", "-t", "-c", d.path], capture_output=True, text=True)
    d.stop()
    assert done.returncode != 0
    assert "max-message-size 60M: a message that is taken must be scanned whole" in done.stderr


def test_a_large_message(scanner):
    """In a file by now: EICAR behind 4 MB."""
    filler = os.urandom(1 << 20) * 4
    assert send(scanner, two(filler, EICAR)).startswith(VIRUS)
    assert send(scanner, attached(filler)).startswith("250 ")


# ---- Without a database


def test_no_database(start, tmp_path):
    database = Database(tmp_path / "db")
    d = start(sections=section(database))
    d.wait_log("no anti-virus database in .*: messages are not scanned")
    assert send(d, attached(EICAR)).startswith("250 ")
    d.wait_event("message", **{"not-inspected": "antivirus: there is no anti-virus database"})
    d.sections = section(database, check="required = true")
    d.reload()
    assert send(d, attached(EICAR)).startswith(LATER)
    # It comes, and nobody has to say so.
    database.eicar()
    ready(d)
    assert send(d, attached(EICAR)).startswith(VIRUS)
    assert send(d, attached(b"clean")).startswith("250 ")


def test_off(start, tmp_path):
    d = start(sections=section(Database(tmp_path / "db").eicar(), check='mode = "off"'))
    assert send(d, attached(EICAR)).startswith("250 ")
    assert not d.children("antivirus")


def test_by_domain(scanning):
    d = scanning(domains='domain "local.test" { route = "box" }\n'
                         'domain "lab.test" { route = "box" check "antivirus" { mode = "monitor" } }')
    assert send(d, attached(EICAR)).startswith(VIRUS)
    assert send(d, attached(EICAR), to="bob@lab.test").startswith("250 ")


# ---- False alarms


def test_signatures_are_ignored_live(scanner):
    name = "Clam.Test"
    with open(f"{TESTFILES}/clam.zip", "rb") as f:
        message = attached(f.read())
    assert send(scanner, message).startswith(VIRUS)
    said = scanner.tool("signature", "ignore", name, "--reason", "ticket 4711", "--expires", "7d").stdout
    assert "Clam.Test" in said and "ticket 4711" in said
    assert send(scanner, message).startswith("250 ")
    assert send(scanner, two(EICAR, b"x")).startswith(VIRUS)
    row, = [line for line in scanner.tool("signature", "list").stdout.splitlines() if "clam.test" in line]
    assert "ticket 4711" in row
    assert scanner.tool("signature", "del", name).returncode == 0
    assert send(scanner, message).startswith(VIRUS)
    assert scanner.tool("signature", "del", name, check=False).returncode == 1
    assert scanner.tool("signature", "ignore", "no name", check=False).returncode == 2
    assert scanner.tool("exempt", "add", "spf", "signature:x", check=False).returncode == 2
    assert scanner.tool("ban", "add", "signature:x", check=False).returncode == 2
