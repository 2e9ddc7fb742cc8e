"""The anti-virus engine's life: databases that change under load, inspectors that die, stop and hang."""
import os
import pwd
import re
import signal
import threading
import time

import pytest

from clam import CARRIERS, EICAR, HEAD, VIRUS, Database, attached, bomb, two
from daemon import BUILD, wait_for
from load import Load
from test_antivirus import LATER, ready, section, send


def zygote(d):
    pid, = d.children("antivirus")
    return pid


def inspectors(d):
    with open(f"/proc/{zygote(d)}/task/{zygote(d)}/children") as f:
        return [int(x) for x in f.read().split()]


def cpu(pid):
    """Clock ticks that a process has used; -1: it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return -1


def busy_one(d, before):
    """The inspector that has begun to work."""
    return wait_for(lambda: next((p for p, t in before.items() if cpu(p) > t + 2), None), what="a busy inspector",
                    pause=0.005)


class Sending(threading.Thread):
    """A message that is on its way while the test goes on."""

    def __init__(self, d, message):
        super().__init__(daemon=True)
        self.d, self.message, self.reply = d, message, None
        self.start()

    def run(self):
        self.reply = send(self.d, self.message)

    def end(self):
        self.join(60)
        assert not self.is_alive()
        return self.reply


@pytest.fixture
def engine(start, tmp_path):
    """engine(options of section clamav, of the check): a daemon that scans."""
    def starter(engine="", check="", **kw):
        database = Database(tmp_path / "db").eicar()
        d = ready(start(sections=section(database, engine, check), **kw))
        d.database = database
        wait_for(lambda: len(inspectors(d)) == 2, what="two inspectors")
        return d

    return starter


def slow():
    """A message that takes an inspector a second or so; each one another."""
    return two(os.urandom(8), bomb(160 << 20, 0))


def kill_on(d, message, how=signal.SIGKILL):
    wait_for(lambda: len(inspectors(d)) == 2, what="two inspectors")
    before = {p: cpu(p) for p in inspectors(d)}
    sending = Sending(d, message)
    os.kill(busy_one(d, before), how)
    return sending.end()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT, signal.SIGSTOP])
def test_a_death_costs_one_message(engine, how):
    d = engine()
    message = slow()
    begun = time.monotonic()
    assert kill_on(d, message, how).startswith(LATER)
    assert time.monotonic() - begun < 20
    # It is replaced, and the message gets through the next time.
    wait_for(lambda: len(inspectors(d)) == 2, what="two inspectors")
    assert send(d, message).startswith("250 ")
    assert send(d, attached(EICAR)).startswith(VIRUS)
    assert d.status()["metrics"]["scans_killed"] == 1


def test_a_killer_is_kept(engine):
    d = engine(check='killers = "refuse"')
    message = slow()
    assert kill_on(d, message).startswith(LATER)
    reply = kill_on(d, message)
    assert reply.startswith("550 5.7.1 The message could not be inspected [mx1-")
    incident = reply.split("[")[1].split("]")[0]
    # Known by now: nobody is asked.
    assert send(d, message).startswith("550 5.7.1 The message could not be inspected")
    assert d.status()["metrics"]["scans_killed"] == 2
    kept = wait_for(lambda: os.listdir(f"{d.state}/kept"), what="the kept message")
    assert kept == [f"{incident.split('-', 1)[1]}.eml"]
    with open(f"{d.state}/kept/{kept[0]}", "rb") as f:
        assert f.read() == message
    # Another one is another.
    assert send(d, slow()).startswith("250 ")


def test_a_killer_by_default_only_waits(engine):
    d = engine()
    message = slow()
    assert kill_on(d, message).startswith(LATER)
    assert kill_on(d, message).startswith(LATER)
    assert send(d, message).startswith(LATER)
    assert not os.path.exists(f"{d.state}/kept")


def test_a_hung_one_is_killed(engine):
    """What takes longer than scan-time; those who come after are served meanwhile."""
    d = engine('scan-time = "1s" max-scan-size = "1G"')
    heavy = two(bomb(300 << 20, 0), bomb(300 << 20, 0))
    sending = Sending(d, heavy)
    for _ in range(5):
        assert send(d, attached(b"light")).startswith("250 ")
    reply = sending.end()
    assert reply.startswith(LATER)
    assert send(d, attached(EICAR)).startswith(VIRUS)


def test_the_zygote_dies(engine):
    """Its inspectors finish what they are at; what is asked meanwhile waits for the next."""
    d = engine()
    before = {p: cpu(p) for p in inspectors(d)}
    sending = Sending(d, slow())
    busy_one(d, before)
    os.kill(zygote(d), signal.SIGKILL)
    assert send(d, attached(EICAR)).startswith(VIRUS)
    assert sending.end().startswith("250 ")
    ready(d, 2)
    assert d.status()["metrics"]["scans_failed"] == 0


def test_kills_under_load(engine):
    """Whatever is killed, nothing passes unscanned, nothing is lost, nobody hangs."""
    d = engine()
    with Load(d.port, clients=4, recipient="bob@local.test") as load:
        for n in range(6):
            load.wait_acked(5)
            pids = inspectors(d)
            if pids:
                os.kill(pids[n % len(pids)], (signal.SIGKILL, signal.SIGSTOP)[n % 2])
            assert send(d, attached(EICAR)).startswith((VIRUS, LATER))
        load.wait_acked(5)
        load.stop()
    assert not load.hung and not load.lost
    assert all("451 4.3.0" in r for r in load.refused), load.refused
    metrics = d.status()["metrics"]
    assert metrics["messages_accepted"] <= metrics["scans"]


def finds(d, message):
    """A virus is found as soon as an inspector is free, and never passes before."""
    def found():
        reply = send(d, message)
        assert reply.startswith((VIRUS, LATER)), reply
        return reply.startswith(VIRUS)
    return wait_for(found)


def test_more_than_can_be_scanned(start, tmp_path):
    """Starved: who waits too long is told so, and nothing goes by unscanned."""
    d = ready(start(sections=section(Database(tmp_path / "db").eicar(), 'wait = "2s"', inspectors=1)))
    crowd = [Sending(d, slow()) for _ in range(8)]
    with d.client() as c:
        assert c.cmd("NOOP") == 250
    replies = [s.end() for s in crowd]
    passed = [r for r in replies if r.startswith("250 ")]
    assert all(r.startswith(LATER) for r in replies if r not in passed)
    assert len(passed) <= d.status()["metrics"]["scans"]
    assert finds(d, attached(EICAR))


ATTACKS = {
    "two million boundaries": lambda: HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
    b"--b\r\n" * 2_000_000,
    "ten thousand nested parts": lambda: HEAD + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(10_000)),
    "a bomb of bombs": lambda: attached(bomb(200 << 20, 3)),
    "a name for a shell": lambda: attached(EICAR, "x.zip;touch $(id)|`id`"),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_attacks(engine, what):
    """A verdict or a 451 in time; others are served meanwhile; no inspector is lost for good."""
    d = engine('scan-time = "10s"')
    sending = Sending(d, ATTACKS[what]())
    while sending.is_alive():
        begun = time.monotonic()
        assert send(d, attached(b"others")).startswith("250 ")
        assert time.monotonic() - begun < 5
        time.sleep(0.05)
    assert sending.end()[:4] in ("250 ", "550 ", "451 ")
    assert send(d, attached(EICAR)).startswith(VIRUS)


# ---- Databases that change


def test_twenty_databases_under_load(engine):
    d = engine()
    with Load(d.port, clients=3, recipient="bob@local.test", pause=0.1) as load:
        for n in range(20):
            d.database.matching("Extra", b"GATEPOST-%d-" % n)
            ready(d, n + 2)
            # What an inspector of the old one has taken is still judged by what that knows.
            wait_for(lambda: send(d, attached(b"GATEPOST-%d-" % n)).startswith(VIRUS))
            assert send(d, attached(EICAR)).startswith(VIRUS)
        load.wait_acked(5)
        load.stop()
    assert not load.hung and not load.lost and not load.refused, str(load)
    metrics = d.status()["metrics"]
    assert metrics["scans_failed"] == 0 and metrics["messages_deferred"] == 0
    assert metrics["scans"] >= len(load.acked) + 40
    assert metrics["antivirus_loads"] == 21
    assert len(d.children("antivirus")) <= 2
    # The worst that a message waited is its own scan, not a load.
    assert "died" not in d.log()


@pytest.mark.parametrize("what", ["nonsense", "no EICAR", "empty"])
def test_a_broken_database_leaves_the_old_one(engine, what):
    d = engine()
    if what == "nonsense":
        d.database.write("broken.ndb", "this is : no signature\n")
    elif what == "empty":
        d.database.write("broken.hdb", "")
    else:
        d.database.matching("Other", b"SOMETHING")
        os.unlink(f"{d.database.path}/eicar.hdb")
        os.unlink(f"{d.database.path}/eicar.ndb")
    d.wait_log("can't be used: the one in force stays in force")
    d.wait_log("does not know the test file of EICAR" if what == "no EICAR" else "cannot load ")
    assert send(d, attached(EICAR)).startswith(VIRUS)
    assert send(d, attached(b"clean")).startswith("250 ")
    status = d.status()
    assert status["antivirus"]["state"] == "ready" and status["antivirus"]["failed"]
    assert status["metrics"]["antivirus_load_failures"] == 1
    assert "WARNING: a database that can't be used was found" in d.tool("status").stdout
    # Made good, it comes into force.
    for name in ("broken.ndb", "broken.hdb"):
        if os.path.exists(f"{d.database.path}/{name}"):
            os.unlink(f"{d.database.path}/{name}")
    d.database.eicar("Eicar-2")
    ready(d, 2)
    assert not d.status()["antivirus"]["failed"]
    assert send(d, attached(EICAR)).startswith(VIRUS)


def test_the_next_zygote_dies(engine):
    """Killed while it loads: tried again, the old one goes on meanwhile."""
    d = engine()
    old = zygote(d)
    d.database.write("many.ndb", "".join(f"Many-{i}:0:*:{os.urandom(24).hex()}\n" for i in range(50_000)))
    young = wait_for(lambda: set(d.children("antivirus")) - {old}, what="the next zygote", pause=0.001)
    os.kill(young.pop(), signal.SIGKILL)
    d.wait_log("could not be loaded: the one in force stays in force|in force: 50002", seconds=90)
    assert send(d, attached(EICAR)).startswith(VIRUS)
    ready(d, 2)
    assert send(d, attached(EICAR)).startswith(VIRUS)


def test_the_first_database_is_broken(start, tmp_path):
    database = Database(tmp_path / "db").matching("Other", b"SOMETHING")
    d = start(sections=section(database))
    d.wait_log("can't be used: messages are not scanned")
    assert send(d, attached(EICAR)).startswith("250 ")
    assert "broken: messages are NOT SCANNED" in d.tool("status").stdout
    database.eicar()
    ready(d)
    assert send(d, attached(EICAR)).startswith(VIRUS)


def test_options_that_change(engine):
    """Other limits make another engine, by the same way; a reload without such a change makes none."""
    d = engine()
    d.reload()
    d.sections = section(d.database, "max-files = 5000")
    d.reload()
    ready(d, 2)
    assert send(d, attached(EICAR)).startswith(VIRUS)
    assert len(re.findall("the anti-virus database is in force", d.log())) == 2


def test_it_ends_with_the_daemon(engine):
    d = engine()
    pids = [zygote(d), *inspectors(d)]
    d.process.send_signal(signal.SIGTERM)
    assert d.process.wait(20) == 0
    wait_for(lambda: all(cpu(p) < 0 for p in pids), what="their end")


# ---- The jail


def test_where_an_inspector_lives(engine):
    """No way out, no rights, and a room that is empty between two messages."""
    d = engine()
    if os.geteuid() != 0:
        pytest.skip("only root can look, and make it so")
    for how in ("zip in zip in zip", "tar.xz", "uuencode", "forwarded three times"):
        assert send(d, CARRIERS[how]()).startswith(VIRUS)
    for pid in inspectors(d):
        assert os.listdir(f"/proc/{pid}/root") == []
        assert os.listdir(f"/proc/{pid}/cwd") == []
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert set(status["Uid"].split()) == {str(pwd.getpwnam("gatepost-jail").pw_uid)}
        if "asan" not in BUILD:
            assert status["Seccomp"] == "2"
        with open(f"/proc/{pid}/maps") as f:
            assert "memfd:gatepost" not in f.read()
        # Standard error, the queue and nothing else (a log may have a socket).
        assert len(os.listdir(f"/proc/{pid}/fd")) <= 3
        with open(f"/proc/{pid}/net/tcp") as f:
            assert len(f.readlines()) == 1  # a network of its own, without a socket
