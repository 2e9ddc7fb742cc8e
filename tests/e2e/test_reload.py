"""SIGHUP: a new generation takes over, and no client notices."""
import os
import re
import signal
import time

from daemon import free_port, wait_for
from hop_process import HopProcess
from load import Load, ids
from smtp import Client

IN_FORCE = r"generation \d+ is in force"
RELOADS = int(os.environ.get("RELOADS", 10))
KEPT = "reload: the configuration in force stays in force"


def listener(port):
    return f'listener "second" {{ address = {{ "127.0.0.1:{port}" }} }}'


def refused_reload(d, complaint):
    """Tells it to reload what it can't: `complaint` in the log, and the old one goes on."""
    count = len(re.findall(KEPT, d.log()))
    d.write()
    d.process.send_signal(signal.SIGHUP)
    d.wait_log(KEPT, count=count + 1)
    d.wait_log(complaint)
    with d.client() as c:
        assert c.message() == 250


def held_by(pid):
    """Descriptors, and memory in KiB."""
    with open(f"/proc/{pid}/statm") as f:
        resident = int(f.read().split()[1]) * 4
    return len(os.listdir(f"/proc/{pid}/fd")), resident


def settle(d, workers=2):
    """Until the old generation has gone."""
    wait_for(lambda: len(d.children("worker")) == workers and len(d.children("keeper")) == 1,
             what="the end of the old generation")


def test_reloads_under_load(start, tmp_path):
    """Reloads while clients come and go (RELOADS of them): nobody is refused, nobody is cut, nothing leaks."""
    hop = HopProcess(tmp_path).start()
    try:
        d = start(hop_port=hop.port)
        with Load(d.port, clients=4, each=2) as load:
            load.wait_acked(10)
            before = None
            for n in range(RELOADS):
                d.reload(**{"max-messages": 500 + n})
                settle(d)
                load.wait_acked(4)
                if n == 1:
                    before = held_by(d.process.pid)
            after = held_by(d.process.pid)
            load.stop()
        # Who has just ended a message may be told to come again, between two messages.
        said = [r for r in load.refused if "421 4.3.2" not in r]
        assert (load.unserved, load.lost, load.hung, said) == ([], [], [], []), str(load)
        assert load.acked == set(ids(m["raw"] for m in hop.messages))
        # What a generation held is let go when its last worker has been reaped.
        wait_for(lambda: held_by(d.process.pid)[0] <= before[0], what="the master's descriptors back")
        # A configuration that is not freed would show each time.
        assert after[1] - before[1] < 4096, f"the master grew by {after[1] - before[1]} KiB"
    finally:
        hop.stop()


def test_many_signals_become_few_reloads(start):
    d = start()
    for _ in range(30):
        d.process.send_signal(signal.SIGHUP)
        time.sleep(0.01)
    d.wait_log(IN_FORCE)
    settle(d)
    with d.client() as c:
        assert c.message() == 250
    assert len(re.findall(IN_FORCE, d.log())) < 25


def test_a_message_goes_on_over_a_reload(start):
    d = start()
    busy, idle = d.client(), d.client()
    assert busy.mail() == 250
    assert busy.rcpt() == 250
    assert busy.cmd("DATA") == 354
    busy.send("From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\nhalf ")
    d.reload(hostname="other.test")
    # Who idles between two messages is asked to come again; 421 is the only reply that says so.
    assert idle.reply() == 421
    with d.client() as c:
        assert "other.test" in c.greeting.text
    busy.send("and half\r\n.\r\n")
    assert busy.reply() == 250
    assert busy.reply() == 421
    for c in (busy, idle):
        c.close()
    settle(d)
    assert len(d.mailbox("bob")) == 1


def test_broken_configuration_is_not_taken(start):
    d = start()
    good = dict(d.options)
    d.options["max-mesages"] = 5
    refused_reload(d, r"gatepost\.conf:\d+: .*max-mesages.*max-messages")
    d.options = dict(good, workers=-3)
    refused_reload(d, r"gatepost\.conf:\d+: .*workers")
    d.options = dict(good)
    d.sections = 'check "subject" { patterns-file = "/nonexistent" }'
    refused_reload(d, r"gatepost\.conf:\d+: .*/nonexistent")
    d.sections = ""
    os.rename(d.path, d.path + ".away")
    d.process.send_signal(signal.SIGHUP)
    d.wait_log(KEPT, count=4)
    d.reload()
    with d.client() as c:
        assert c.message() == 250


def test_listener_comes_and_goes(start):
    d = start()
    port = free_port()
    d.sections = listener(port)
    d.reload()
    with Client(port) as c:
        assert c.message() == 250
    d.sections = ""
    d.reload()
    settle(d)

    def refused():
        try:
            Client(port).close()
        except ConnectionRefusedError:
            return True
        return False
    wait_for(refused, what="the end of the listener")
    with d.client() as c:
        assert c.message() == 250


def test_listener_that_cannot_be_bound(start):
    d, other = start(), start()
    d.sections = listener(other.port)
    refused_reload(d, rf"cannot bind 127\.0\.0\.1:{other.port} .*another program listens there")
    before = held_by(d.process.pid)[0]
    for _ in range(3):
        refused_reload(d, "cannot bind")
    assert held_by(d.process.pid)[0] == before
    d.sections = ""
    d.reload()


def test_number_of_workers(start):
    d = start()
    d.reload(workers=4)
    settle(d, 4)
    d.reload(workers=1)
    settle(d, 1)
    with d.client() as c:
        assert c.message() == 250
    assert len([p for p in d.status()["processes"] if p["process"].startswith("worker")]) == 1


def test_state_dir_stays(start):
    d = start()
    state = d.state
    d.state = f"{d.dir}/elsewhere"
    refused_reload(d, "state-dir can't change while running")
    d.state = state
    d.reload()
    assert not os.path.exists(f"{d.dir}/elsewhere")
