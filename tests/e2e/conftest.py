"""Fixtures: daemons and next hops that end with the test that started them."""
import os
import pathlib
import tempfile

import pytest

from daemon import Daemon
from dns_server import DnsServer
from hop import Hop


class Directories:
    """Directories that other users may enter, too: inspectors read databases there.  Pytest's own stand below
    one that every run on the machine closes again."""

    def __init__(self, top):
        self.top = top

    def mktemp(self, name, numbered=True):
        path = tempfile.mkdtemp(prefix=f"{name}-", dir=self.top)
        os.chmod(path, 0o755)
        return pathlib.Path(path)


@pytest.fixture(scope="session")
def tmp_path_factory():
    with tempfile.TemporaryDirectory(prefix="gatepost-e2e-", ignore_cleanup_errors=True) as top:
        os.chmod(top, 0o755)
        yield Directories(top)


@pytest.fixture
def tmp_path(tmp_path_factory):
    return tmp_path_factory.mktemp("test")


@pytest.fixture
def start():
    """start(**kw): a running daemon (see daemon.Daemon), stopped after the test."""
    running = []

    def starter(**kw):
        d = Daemon(**kw)
        running.append(d)
        return d.start()

    yield starter
    for d in running:
        d.stop()


@pytest.fixture(scope="module")
def shared():
    """One daemon for the tests of a file that need no options of their own."""
    d = Daemon().start()
    yield d
    d.stop()


@pytest.fixture
def hop():
    """hop(**kw): a running next hop (see hop.Hop)."""
    running = []

    def starter(**kw):
        h = Hop(**kw)
        running.append(h)
        return h.start()

    yield starter
    for h in running:
        h.stop()


@pytest.fixture
def dns():
    """A running DNS server without names (see dns_server.DnsServer): dns.update({...})."""
    server = DnsServer().start()
    yield server
    server.stop()
