"""The wall clock jumps by an hour and by a day, both ways, under the running daemon: no session is cut,
no limit is lost or stuck beyond its period, and what has a date of expiry goes by the new time.  On
the plain build, with tests/chaos/clock.c preloaded."""
import os
import struct
import subprocess
import time

import pytest

import daemon
from daemon import Daemon, wait_for

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chaos", "clock.c")
HOUR, DAY = 3600, 86400
JUMPS = [HOUR, -HOUR, DAY, -DAY]
HEAD = b"From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\n"


@pytest.fixture
def start(monkeypatch):
    """start(**kw): a daemon of the plain build with a method jump(seconds)."""
    plain = os.path.join(os.path.dirname(daemon.BUILD), "release")
    if not os.path.exists(f"{plain}/gatepostd"):
        pytest.skip("needs the plain build: make MODE=release")
    monkeypatch.setattr(daemon, "BUILD", plain)
    running = []

    def starter(**kw):
        d = Daemon(**kw)
        running.append(d)
        library, path = f"{d.dir}/clock.so", f"{d.dir}/clock"
        subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
                        "-shared", "-fPIC", "-o", library, SOURCE], check=True)

        def jump(seconds):
            with open(path, "r+b" if os.path.exists(path) else "wb", buffering=0) as f:
                f.write(struct.pack("=q", seconds))
            os.chmod(path, 0o644)

        jump(0)
        d.jump = jump
        d.env = dict(os.environ, LD_PRELOAD=library, CLOCK_FILE=path)
        return d.start()

    yield starter
    for d in running:
        d.stop()


def test_jumps_cut_no_session(start):
    d = start()
    before = sorted(d.children())
    with d.client() as idle, d.client() as busy:
        assert busy.mail() == 250 and busy.rcpt() == 250 and busy.cmd("DATA") == 354
        busy.send(HEAD)
        for shift in JUMPS:
            d.jump(shift)
            assert idle.cmd("NOOP") == 250
            busy.send(b"a line\r\n")
            with d.client() as fresh:
                assert fresh.message() == 250
        # The heartbeats and the deadlines look now and then.
        time.sleep(1.5)
        busy.send(b".\r\n")
        assert busy.reply() == 250
        assert idle.message() == 250
    assert sorted(d.children()) == before
    # The jumps were real: the daemon's own log follows the clock.
    wait_for(lambda: len({e["time"][:10] for e in d.events("message")}) > 1, what="another date in the log")


@pytest.mark.parametrize("shift", JUMPS)
def test_limits_go_by_their_own_clock(start, shift):
    d = start(limits='limit "client" { by = "ip4/32" messages = { "1/4s" } }')
    with d.client() as c:
        since = time.monotonic()
        assert c.message() == 250
        d.jump(shift)
        r = c.message()
        assert r == 450 or time.monotonic() - since > 4
        wait_for(lambda: c.cmd("RSET") == 250 and c.message() == 250, what="the end of the period")
        assert time.monotonic() - since > 4


@pytest.mark.parametrize("shift", [DAY, -DAY])
def test_limits_outlive_a_restart_and_a_jump(start, shift):
    d = start(limits='limit "client" { by = "ip4/32" messages = { "1/1h" } }')
    with d.client() as c:
        assert c.message() == 250
        assert c.message() == 450
    d.jump(shift)
    d.restart()
    with d.client() as c:
        r = c.message()
        assert r == 450, f"the limit is gone: {r}"


def test_bans_end_by_the_wall_clock(start):
    d = start()
    d.tool("ban", "add", "127.0.0.2", "--expires", "1h")
    for shift, code in [(0, 550), (-DAY, 550), (HOUR + 60, 250), (DAY, 250)]:
        d.jump(shift)
        with d.client("127.0.0.2") as c:
            r = c.message()
            assert r == code, f"after {shift} s: {r}"
