"""The tools of the benchmark, load and sink, through Gatepost: nothing is lost, nothing is counted twice."""
import json
import signal
import subprocess

import pytest

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
