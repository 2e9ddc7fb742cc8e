"""The anti-virus engine through whole sessions: what is found in what, and what each verdict says."""
import os
import shutil
import time

import pytest

from clam import CARRIERS, EICAR, HEAD, TESTFILES, VIRUS, Database, attached, bomb, encrypted_zip, mail
from daemon import wait_for

LATER = "451 4.3.0 A check could not be completed, try again later"


def section(database, engine="", check=""):
    return f'clamav {{ database = "{database.path}" inspectors = 2 {engine} }} check "antivirus" {{ {check} }}'


def ready(d, count=1):
    d.wait_log("the anti-virus database is in force", count=count)
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
    from daemon import Daemon
    database = Database(tmp_path_factory.mktemp("db")).eicar().of_testfiles()
    d = ready(Daemon(sections=section(database)).start())
    d.database = database
    yield d
    d.stop()


def send(d, message, to="bob@local.test"):
    with d.client() as c:
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
    reply = send(scanner, attached(EICAR))
    assert "eicar" not in reply.lower()
    incident = reply.split("[")[1].split("]")[0]
    shown = scanner.tool("explain", incident).stdout
    assert "Eicar-Test-Signature" in shown and "antivirus" in shown
