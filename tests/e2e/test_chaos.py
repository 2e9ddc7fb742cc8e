"""The short run of tests/chaos/chaos.py: twenty random deaths under load.  The long one: make chaos."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chaos"))
from chaos import Chaos  # noqa: E402


def test_twenty_deaths():
    chaos = Chaos(seed=20)
    try:
        chaos.run(20)
    finally:
        chaos.close()
