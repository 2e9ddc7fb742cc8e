"""Processes that are killed or stop in the middle of a message: nothing that got its 250 is lost,
nobody hangs, and service is back."""
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from daemon import wait_for
from hop_process import HopProcess
from load import Load, ids

HEAD = b"From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nX-Id: "


@pytest.fixture
def slow_hop(tmp_path):
    """slow_hop(seconds): a next hop that is a process of its own."""
    running = []

    def starter(slow=0):
        running.append(HopProcess(tmp_path, slow).start())
        return running[-1]

    yield starter
    for h in running:
        h.stop()


def begin_message(client, name, to="bob@hop.test"):
    """A transaction up to the middle of the message."""
    assert client.mail() == 250
    assert client.rcpt(to) == 250
    assert client.cmd("DATA") == 354
    client.send(HEAD + name.encode() + b"\r\n\r\nhalf of ")


def end_message(client):
    client.send(b"it\r\n.\r\n")
    return client.reply()


def ended(pids, seconds=30):
    wait_for(lambda: not any(alive(p) for p in pids), seconds, f"the end of {pids}")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def arrived(hop):
    return ids(m["raw"] for m in hop.messages)


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return False
    except ConnectionRefusedError:
        return True


def lmdb_is_clean(state):
    """Every environment can be opened and walked through."""
    found = 0
    for base, _, files in os.walk(state):
        for f in files:
            if f == "data.mdb" or (f.endswith(".mdb") and not f.startswith("lock")):
                path = f"{base}/{f}"
                command = ["mdb_stat", "-e", "-a", "-f", "-r"]
                command += [base] if f == "data.mdb" else ["-n", path]
                done = subprocess.run(command, capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
                found += 1
    return found


def test_worker_killed_in_the_middle_of_messages(start, slow_hop):
    hop = slow_hop()
    d = start(hop_port=hop.port)
    sending = [d.client() for _ in range(6)]
    waiting = [d.client() for _ in range(6)]
    for i, c in enumerate(sending):
        begin_message(c, f"m{i}")
    victim = d.children("worker")[0]
    os.kill(victim, signal.SIGKILL)
    d.wait_log(rf"\(pid {victim}, generation 1\) died of signal 9 \(Killed\) and held \d+ sessions")
    held = int(re.search(rf"pid {victim}.* held (\d+) sessions", d.log()).group(1))
    # Served at once, by the other worker and soon by the new one too.
    start_us = time.monotonic()
    with d.client() as c:
        assert c.message(to="bob@hop.test") == 250
    assert time.monotonic() - start_us < 5
    cut, acked = 0, []
    for i, c in enumerate(sending):
        try:
            assert end_message(c) == 250
            acked.append(f"m{i}")
        except (OSError, EOFError):
            cut += 1
    for c in waiting:
        try:
            assert c.cmd("NOOP") == 250
        except (OSError, EOFError):
            cut += 1
    assert cut == held
    assert sorted(arrived(hop)) == acked
    wait_for(lambda: len(d.children("worker")) == 2, what="the new worker")
    for c in sending + waiting:
        c.close()
    # Its sessions no longer count for the client.
    wait_for(lambda: d.status()["sessions"] == 0, what="an empty house")


def test_all_workers_killed_under_load(start, slow_hop):
    hop = slow_hop()
    d = start(hop_port=hop.port)
    with Load(d.port, clients=4) as load:
        load.wait_acked(5)
        for _ in range(3):
            for pid in d.children("worker"):
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: len(d.children("worker")) == 2, what="new workers")
            load.wait_acked(5)
        load.stop()
    assert not load.hung
    assert load.acked <= set(arrived(hop))


def test_counters_survive_killed_workers(start):
    """A rate limit lets through what it says, give or take one for each kill, whoever counted."""
    allowed, kills = 60, 4
    d = start(limits=f'limit "sender" {{ by = "sender" messages = {{ "{allowed}/1d" }} }}')
    taken, refused, since = 0, 0, 0
    client = d.client()
    while refused < 5:
        try:
            assert client.mail("counted@example.org") == 250
            r = client.rcpt()
            client.cmd("RSET")
        except (OSError, EOFError):
            client.close()
            client = d.client()
            continue
        taken, since = taken + (r == 250), since + 1
        if r != 250:
            refused += 1
            assert r == 451 or r == 450, r
        if since >= 12 and kills:
            kills, since = kills - 1, 0
            workers = wait_for(lambda: len(w := d.children("worker")) == 2 and w, what="two workers")
            os.kill(workers[kills % 2], signal.SIGKILL)
    client.close()
    assert kills == 0
    assert abs(taken - allowed) <= 4, taken


def test_keeper_killed(start, slow_hop):
    hop = slow_hop()
    d = start(hop_port=hop.port)
    for n in range(3):
        keeper, = d.children("keeper")
        os.kill(keeper, signal.SIGSTOP)
        with d.client() as c:
            assert c.message(sender=f"a{n}@example.org", to="bob@hop.test") == 250
        os.kill(keeper, signal.SIGKILL)
        with d.client() as c:
            assert c.message(sender=f"b{n}@example.org", to="bob@hop.test") == 250
        d.wait_log(r"keeper .*died of signal 9", count=n + 1)
        wait_for(lambda: d.children("keeper") not in ([], [keeper]), what="the new keeper")
    for n in range(3):
        for letter in "ab":
            d.wait_event("message", **{"from": f"{letter}{n}@example.org"})
    assert lmdb_is_clean(d.state)


def test_next_hop_killed_before_the_end_of_the_message(start, slow_hop):
    hop = slow_hop()
    d = start(hop_port=hop.port)
    with d.client() as c:
        begin_message(c, "first")
        hop.kill()
        assert end_message(c) == 451
        hop.start()
        wait_for(lambda: c.cmd("RSET") == 250 and c.message(to="bob@hop.test") == 250,
                 what="service")
    assert "first" not in arrived(hop)


def test_next_hop_killed_before_its_last_reply(start, slow_hop):
    hop = slow_hop(slow=20)
    d = start(hop_port=hop.port)
    with d.client() as c:
        begin_message(c, "first")
        c.send(b"it\r\n.\r\n")
        time.sleep(0.5)
        hop.kill()
        assert c.reply() == 451
        hop.slow = 0
        hop.start()
        wait_for(lambda: c.cmd("RSET") == 250 and c.message(to="bob@hop.test") == 250,
                 what="service")


def test_stopped_worker_is_noticed_by_its_heartbeat(start):
    d = start()
    clients = [d.client() for _ in range(6)]
    victim = d.children("worker")[0]
    os.kill(victim, signal.SIGSTOP)
    # The other serves meanwhile, whichever of the two is woken for a connection.
    for _ in range(5):
        begun = time.monotonic()
        with d.client() as c:
            assert c.message() == 250
        assert time.monotonic() - begun < 5
    d.wait_log(rf"\(pid {victim}\) has stood still for 10 s: killed")
    d.wait_log(rf"\(pid {victim}, generation 1\) died of signal 9")
    held = int(re.search(rf"pid {victim}, gen.* held (\d+) sessions", d.log()).group(1))
    assert sum(c.closed(0.2) for c in clients) == held
    wait_for(lambda: len(d.children("worker")) == 2, what="the new worker")
    for c in clients:
        c.close()


def test_master_killed(start, slow_hop):
    hop = slow_hop()
    d = start(hop_port=hop.port)
    d.tool("ban", "add", "192.0.2.77", "--reason", "stays")
    children = d.children()
    assert len(children) >= 3
    idle, busy = d.client(), d.client()
    begin_message(busy, "busy")
    d.process.kill()
    d.process.wait()
    wait_for(lambda: refuses(d.port), what="the listeners' end")
    # Who idles is told to leave, who is in the middle of a message may finish it.
    assert idle.reply() == 421
    idle.close()
    assert end_message(busy) == 250
    busy.close()
    ended(children)
    assert arrived(hop) == ["busy"]
    assert lmdb_is_clean(d.state)
    os.truncate(d.log_path, 0)
    d.start()
    with d.client() as c:
        assert c.message(to="bob@hop.test") == 250
    assert "192.0.2.77" in d.tool("ban", "list").stdout


def test_master_killed_and_started_at_once(start):
    """A session of the old one may still go on: the new one is not held up by it."""
    d = start()
    children = d.children()
    busy = d.client()
    begin_message(busy, "busy", to="bob@local.test")
    d.process.kill()
    d.process.wait()
    os.truncate(d.log_path, 0)
    wait_for(lambda: refuses(d.port), what="the listeners' end")
    d.start()
    with d.client() as c:
        assert c.message() == 250
    assert end_message(busy) == 250
    busy.close()
    ended(children)
    assert len(d.mailbox("bob")) == 2


def test_sigterm_drains(start):
    d = start(options={"drain-timeout": "20s"})
    idle, busy = d.client(), d.client()
    begin_message(busy, "busy", to="bob@local.test")
    d.process.send_signal(signal.SIGTERM)
    d.wait_log("stopping: sessions may finish for 20 s")
    assert idle.reply() == 421
    idle.close()
    wait_for(lambda: refuses(d.port), 10, "the listeners' end")
    assert end_message(busy) == 250
    assert busy.reply() == 421
    busy.close()
    assert d.process.wait(10) == 0
    assert len(d.mailbox("bob")) == 1


def test_sigterm_ends_within_drain_timeout(start):
    d = start(options={"drain-timeout": "1s"})
    busy = d.client()
    begin_message(busy, "busy", to="bob@local.test")
    d.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert busy.reply() == 421
    assert busy.closed()
    assert d.process.wait(15) == 0
    assert time.monotonic() - begun < 12
    assert d.mailbox("bob") == []


@pytest.mark.parametrize("role", ["worker", "keeper"])
def test_child_told_to_end_before_it_is_ready(start, role):
    """As by a stop or a reload right after a restart: it ends in good order, not of the signal."""
    d = start(options={"workers": 1})
    for _ in range(2):
        before = d.children()
        victim, = d.children(role)
        os.kill(victim, signal.SIGKILL)
        young = wait_for(lambda b=before: set(d.children()) - set(b), what="the new child", pause=0)
        os.kill(young.pop(), signal.SIGTERM)
        wait_for(lambda v=victim: d.children(role) not in ([], [v]), what=f"a {role} again")
    assert "died of signal 15" not in d.log(), d.log()


def test_second_sigterm_ends_at_once(start):
    d = start(options={"drain-timeout": "60s"})
    busy = d.client()
    begin_message(busy, "busy", to="bob@local.test")
    d.reload()  # the session is now one of a generation that drains
    d.process.send_signal(signal.SIGTERM)
    d.wait_log("stopping")
    with pytest.raises(subprocess.TimeoutExpired):
        d.process.wait(1)
    d.process.send_signal(signal.SIGTERM)
    assert d.process.wait(10) == 0
    assert busy.closed()
    assert d.mailbox("bob") == []
