"""A bounded part of tests/chaos/faults.py: some of all the calls that can fail, on the plain build (a
sanitizer's runtime has allocators of its own).  All of them: make faults."""
import contextlib
import os
import sys

import pytest

import daemon

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chaos"))
from faults import KINDS, Faults  # noqa: E402


@contextlib.contextmanager
def plain_build(who):
    ours = daemon.BUILD
    daemon.BUILD = os.path.join(os.path.dirname(ours), "release")
    if not os.path.exists(f"{daemon.BUILD}/gatepostd"):
        daemon.BUILD = ours
        pytest.skip("needs the plain build: make MODE=release")
    try:
        running = Faults(who)
        yield running
        running.close()
    finally:
        daemon.BUILD = ours


@pytest.fixture(scope="module")
def faults():
    with plain_build("worker") as running:
        yield running


@pytest.mark.parametrize("lasting", [False, True], ids=["one call", "all calls from one on"])
@pytest.mark.parametrize("kind", KINDS)
def test_call_fails(faults, kind, lasting):
    failed = faults.run([kind], most=8, lasting=lasting)
    assert failed.get(kind, 1) > 0 or kind in ("mapping", "socket", "connect"), "nothing failed"


@pytest.mark.parametrize("kind", ["memory", "mapping", "socket", "connect", "epoll"])
def test_call_of_a_first_session_fails(faults, kind):
    assert faults.run([kind], most=6, fresh=True)[kind] > 0


def test_calls_of_the_keeper_fail():
    with plain_build("keeper") as running:
        assert running.run_keeper(most=6) > 0
