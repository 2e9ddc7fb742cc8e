"""What happens when something runs out: sessions, descriptors, disks, time.  A defined temporary
answer, and service that comes back by itself."""
import os
import re
import resource
import signal
import subprocess
import threading
import time

import pytest

from daemon import Daemon, wait_for
from smtp import Client

ANY_LIMIT = {"max-client-sessions": 60000, "workers": 1}
HEAD = "From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\n"
LINE = "x" * 70 + "\r\n"


def greeting(d, source="127.0.0.1"):
    c = Client(d.port, source=source, hello=None)
    return c, c.greeting


def close_all(clients):
    for c in clients:
        c.close()


def serves(d):
    """A new session can send a message."""
    try:
        with d.client() as c:
            return c.greeting == 220 and c.message() == 250
    except (OSError, EOFError):
        return False


@pytest.fixture
def small_disk():
    """small_disk(path, size): a tmpfs at `path`."""
    mounted = []

    def mount(path, size):
        if os.geteuid() != 0:
            pytest.skip("needs root, to mount a small disk")
        os.makedirs(path, exist_ok=True)
        own = os.stat(path)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755,uid={own.st_uid},"
                               f"gid={own.st_gid}", "gatepost-test", path], capture_output=True)
        if done.returncode != 0:
            pytest.skip(f"cannot mount a small disk: {done.stderr.decode()}")
        mounted.append(path)

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def on_disk(small_disk, start):
    """A daemon with a part of its files on a small disk."""
    running = []

    def starter(which, size, **kw):
        d = Daemon(**kw)
        running.append(d)
        small_disk(getattr(d, which), size)
        return d.start()

    yield starter
    for d in running:
        d.stop()


def fill(directory):
    """Takes the last byte of a disk; returns what to remove."""
    path = f"{directory}/filler"
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while f.write(b"\0" * size) == size:
                    pass
            except OSError:
                pass
    return path


# --- sessions


@pytest.mark.parametrize("count", [1, 2])
def test_max_sessions(start, count):
    d = start(options=dict(ANY_LIMIT, **{"max-sessions": 6, "workers": count}))
    inside = []
    for _ in range(6):
        c, g = greeting(d)
        assert g == 220
        inside.append(c)
    for _ in range(3):
        c, g = greeting(d)
        assert str(g) == "421 Too many sessions, try again later"
        assert c.closed()
        c.close()
    inside.pop().close()
    wait_for(lambda: serves(d), what="room for one more")
    close_all(inside)
    wait_for(lambda: d.status()["sessions"] == 0, what="an empty house")


def test_max_client_sessions(start):
    d = start(options={"max-client-sessions": 5})
    inside = [greeting(d)[0] for _ in range(5)]
    assert all(c.greeting == 220 for c in inside)
    c, g = greeting(d)
    assert str(g) == "421 Too many sessions from your address"
    assert c.closed()
    # Others are not concerned, nor are own clients limited.
    assert greeting(d, "127.0.0.2")[1] == 220
    own = [greeting(d, "127.0.0.9") for _ in range(7)]
    assert all(g == 220 for _, g in own)
    close_all(c for c, _ in own)
    inside.pop().close()
    wait_for(lambda: serves(d), what="room for one more")
    close_all(inside)


def test_killed_worker_gives_back_what_its_sessions_counted(start):
    d = start(options={"max-client-sessions": 5, "workers": 1})
    for _ in range(3):
        inside = [greeting(d)[0] for _ in range(5)]
        assert all(c.greeting == 220 for c in inside)
        assert greeting(d)[1] == 421
        worker, = d.children("worker")
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda w=worker: d.children("worker") not in ([], [w]), what="the new worker")
        close_all(inside)
    wait_for(lambda: serves(d), what="service")


def test_two_thousand_idle_sessions(start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("needs 4,096 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = []
    try:
        d = start(options=dict(ANY_LIMIT, workers=2))
        for i in range(2000):
            idle.append(Client(d.port, source=f"127.0.1.{i % 250 + 1}", hello=None))
        assert all(c.greeting == 220 for c in idle)
        begun = time.monotonic()
        for _ in range(50):
            with d.client() as c:
                assert c.message() == 250
        assert time.monotonic() - begun < 20
        close_all(idle)
        wait_for(lambda: d.status()["sessions"] == 0, what="an empty house")
    finally:
        close_all(idle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- descriptors


def limit_descriptors(pid, soft):
    """As the process's own user: root may lack what it takes to do it to others."""
    user = {} if os.geteuid() != 0 else {"user": "gatepost", "group": "gatepost", "extra_groups": []}
    done = subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={soft}:"], capture_output=True,
                          text=True, **user)
    assert done.returncode == 0, done.stderr


def test_no_descriptors(start):
    d = start(options=ANY_LIMIT)
    with d.client() as c:
        assert c.message() == 250
    worker, = d.children("worker")
    with open(f"/proc/{worker}/limits") as f:
        before = re.search(r"Max open files\s+(\d+)", f.read()).group(1)
    highest = max(int(n) for n in os.listdir(f"/proc/{worker}/fd"))
    # Room for some ten more.
    limit_descriptors(worker, highest + 10)
    inside, answers = [], []
    for _ in range(60):
        c, g = greeting(d)
        answers.append(str(g))
        if g == 220:
            inside.append(c)
        else:
            assert c.closed()
            c.close()
    assert 3 < len(inside) < 20, answers
    away = [a for a in answers if a in ("421 Local error, try again later",
                                        "421 Too many sessions, try again later")]
    assert len(away) + len(inside) == len(answers), answers
    assert len(re.findall("cannot accept connections", d.log())) <= 3
    # Those inside go on: what needs a descriptor is put off.
    for c in inside[:3]:
        c.cmd("EHLO client.example")
        assert c.message().code in (250, 421, 451, 452)
    close_all(inside)
    limit_descriptors(worker, before)
    wait_for(lambda: serves(d), 10, "service")
    assert d.children("worker") == [worker]


# --- disks

def test_full_spool(on_disk):
    """A message that must go to a file finds no room: 452 4.3.1, by DATA and by BDAT."""
    d = on_disk("state", "12m", options=dict(ANY_LIMIT, **{"spool-memory": "8K"}))
    text = HEAD + LINE * 20000
    with d.client() as c:
        assert c.message(text=text) == 250
        filler = fill(d.state)
        assert str(c.message(text=text)) == "452 4.3.1 Insufficient storage, try again later"
        # What fits into memory is not concerned; the session goes on.
        assert c.message() == 250
        assert c.mail() == 250
        assert c.rcpt() == 250
        c.send(f"BDAT {len(text)}\r\n{text}")
        assert str(c.reply()).startswith("452 4.3.1")
        c.cmd("RSET")
        os.unlink(filler)
        assert c.message(text=text) == 250
    assert len(d.mailbox("bob")) == 3


def test_full_disk_of_the_lists(on_disk):
    """Nothing can be written: mail flows by what stands there, the tool says why, and what is killed
    now starts again."""
    d = on_disk("state", "12m", options=ANY_LIMIT)
    d.tool("ban", "add", "127.0.0.66", "--reason", "first")
    filler = fill(d.state)

    def banned(source):
        with d.client(source=source) as c:
            return c.message().code in (550, 554)

    for n in range(20):
        with d.client() as c:
            assert c.message(sender=f"full{n}@example.org") == 250
    done = d.tool("ban", "import", "-", check=False,
                  input="".join(f"198.51.{i // 250}.{i % 250}\n" for i in range(60000)))
    assert done.returncode != 0
    assert "No space left" in done.stderr, done.stderr
    assert banned("127.0.0.66")
    for role in ("worker", "keeper"):
        pid, = d.children(role)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda r=role, p=pid: d.children(r) not in ([], [p]), what=f"a new {role}")
    wait_for(lambda: serves(d), what="service")
    assert banned("127.0.0.66")
    os.unlink(filler)
    d.tool("ban", "add", "127.0.0.67", "--reason", "second")
    assert banned("127.0.0.67")
    assert not banned("127.0.0.1")
    d.wait_event("message", **{"from": "full19@example.org"})
    log = d.log()
    assert len(log.splitlines()) < 400, log[-4000:]
    assert "died of signal 7" not in log, "SIGBUS: a mapping of a file without room"


def test_full_maildir(on_disk):
    d = on_disk("mail", "2m", options=ANY_LIMIT)
    with d.client() as c:
        assert c.message() == 250
        filler = fill(d.mail)
        r = c.message()
        assert str(r).startswith(("451 4.3", "452 4.3.1")), r
        r = c.message(to="somebody-new@local.test")
        assert str(r).startswith(("451 4.3", "452 4.3.1")), r
        os.unlink(filler)
        assert c.message() == 250
        assert c.message(to="somebody-new@local.test") == 250
        assert len(d.mailbox("bob")) == 2
    left = [f for base, _, files in os.walk(d.mail) if base.endswith("/tmp") for f in files]
    assert left == []


# --- time


class Drip(threading.Thread):
    """A client that sends a byte of `text` every 0.2 s, after `opening`, and notes when it was cut."""

    def __init__(self, d, opening, text, source="127.0.0.1"):
        super().__init__(daemon=True)
        self.client = Client(d.port, source=source, greet=source != "127.0.0.8")
        for command in opening:
            assert self.client.cmd(command).code < 400
        self.text, self.last, self.seconds = text, None, None
        self.begun = time.monotonic()
        self.start()

    def run(self):
        c, end = self.client, time.monotonic() + 40
        c.sock.settimeout(0.2)
        received, i = c.buffer, 0
        while time.monotonic() < end:
            try:
                if self.text:
                    c.sock.sendall(self.text[i % len(self.text)].encode())
                i += 1
                got = c.sock.recv(4096)
                if not got:
                    break
                received += got
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            return
        self.seconds = time.monotonic() - self.begun
        self.last = received.decode().strip().split("\r\n")[-1]
        c.close()


def test_deadlines_are_not_extended_by_trickles(start):
    d = start(options={"command-timeout": "2s", "data-timeout": "2s", "session-timeout": "10s",
                       "min-rate": 512})
    envelope = ["MAIL FROM:<ann@example.org>", "RCPT TO:<bob@local.test>"]
    drips = {
        "command": (Drip(d, [], "NOOP " + "x" * 400), 2),
        "data": (Drip(d, envelope + ["DATA"], HEAD + LINE * 9), 2),
        "chunk": (Drip(d, envelope, "BDAT 90\r\n" + "x" * 90), 2 + 2),
        "chunks": (Drip(d, envelope, "BDAT 1\r\nx"), 10),
        "refused chunk": (Drip(d, [], "BDAT 90\r\n" + "x" * 90), 2 + 2),
        "proxy": (Drip(d, [], "PROXY TCP4 192.0.2.1 192.0.2.2 1000 25" + "0" * 80, "127.0.0.8"), 1),
        "commands": (Drip(d, [], "NOOP\r\n"), 10),
        "empty lines": (Drip(d, [], "\r\n"), 10),
        "never a word": (Drip(d, [], ""), 2),
    }
    for name, (drip, seconds) in drips.items():
        drip.join(60)
        assert drip.seconds is not None, f"{name}: still there"
        assert drip.seconds < seconds + 8, f"{name}: cut after {drip.seconds:.1f} s"
        if name != "proxy":
            assert drip.last[:3] == "421", f"{name}: {drip.last}"
    with d.client() as c:
        assert c.message() == 250
