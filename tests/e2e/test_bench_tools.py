"""The tools of the benchmark, load and sink, through Gatepost: nothing is lost, nothing is counted twice."""
import json
import signal
import subprocess

import pytest

from certificates import Pair
from daemon import BUILD, PATIENCE, Daemon, free_port

TOOLS = f"{BUILD}/tests/bench"
MESSAGES = 200


class Sink:
    def __init__(self, *flags):
        self.port = free_port()
        self.process = subprocess.Popen([f"{TOOLS}/sink", "-t", "120", *flags, str(self.port)], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def sum(self):
        """Ends it; what it counted."""
        self.process.send_signal(signal.SIGTERM)
        return json.loads(self.process.communicate(timeout=PATIENCE)[0])


def load(port, *args):
    done = subprocess.run([f"{TOOLS}/load", "-t", "60", "-m", str(MESSAGES), *args, "127.0.0.1", str(port)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("flags", [(), ("-C",)], ids=["chunking", "data"])
@pytest.mark.parametrize("args", [(), ("-b", "20", "-P")], ids=["one a connection", "pipelined"])
def test_all_arrive(flags, args):
    sink = Sink(*flags)
    daemon = Daemon({"max-client-sessions": 1000}, hop_port=sink.port).start()
    try:
        told = load(daemon.port, "-c", "10", "-s", "3000", *args)
    finally:
        daemon.stop()
        counted = sink.sum()
    assert (told["done"], told["failed"], told["first_failure"]) == (MESSAGES, 0, "")
    assert counted["messages"] == MESSAGES
    assert counted["bytes"] > MESSAGES * 3000


def test_refusals_are_counted():
    sink = Sink("-r")
    try:
        told = load(sink.port, "-c", "5", "-S", "rcpt")
    finally:
        counted = sink.sum()
    assert (told["refused"], told["done"], told["failed"]) == (MESSAGES, 0, 0)
    assert (counted["recipients"], counted["messages"]) == (MESSAGES, 0)


def test_handshakes_full_and_resumed(tmp_path):
    """Each session that can be resumed is, though a client uses a ticket once."""
    pair = Pair(tmp_path, "mx1.test")
    implicit = free_port()
    daemon = Daemon({"max-client-sessions": 1000},
                    f'{pair.section()}\nlistener "s" {{ address = {{ "127.0.0.1:{implicit}" }} tls = "implicit" }}').start()
    try:
        for port, how in ((implicit, []), (daemon.port, ["-S"])):
            for version in ([], ["-2"]):
                for resume in ([], ["-R"]):
                    done = subprocess.run([f"{TOOLS}/load_tls", "-c", "5", "-m", "50", "-t", "60", *how, *version, *resume,
                                           "127.0.0.1", str(port)], capture_output=True, text=True, timeout=120, check=True)
                    told = json.loads(done.stdout)
                    assert (told["done"], told["failed"], told["first_failure"]) == (50, 0, "")
                    assert told["resumed"] == (45 if resume else 0), (how, version)
        assert daemon.status()["metrics"]["tls_resumed"] == 4 * 45
    finally:
        daemon.stop()
