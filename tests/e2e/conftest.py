"""Fixtures: daemons and next hops that end with the test that started them."""
import pytest

from daemon import Daemon
from dns_server import DnsServer
from hop import Hop


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
