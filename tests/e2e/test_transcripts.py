"""The transcripts in tests/smtp/*.smtp, each against a real daemon.

    # option: max-errors=3      an option of the file for this transcript's daemon
    C: EHLO client.example      a line for the server; \\xHH, \\r, \\n, \\0 and \\\\ are escapes
    C< BDAT 4\\r\\nabc           bytes as they are, without a line end
    S: 250                      the last line of the next reply begins so
    S: 250-SIZE                 one line of the next reply begins so (the reply stays to be matched)
    S* 421                      the connection is then closed by the server
"""
import glob
import os
import re

import pytest

from daemon import Daemon
from smtp import Client

HERE = os.path.dirname(os.path.abspath(__file__))


def unescape(text):
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|[rn0\\])", lambda m: {
        b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}.get(m.group(1)) or
        bytes([int(m.group(1)[1:], 16)]), text.encode("utf-8"))


def options_of(path):
    with open(path, encoding="utf-8") as f:
        return tuple(re.findall(r"^# option: (\S+=.*)$", f.read(), re.M))


# Those that ask for the same options come one after the other, and one daemon serves them.
FILES = sorted(glob.glob(f"{HERE}/../smtp/*.smtp"), key=lambda f: (options_of(f), f))


@pytest.fixture(scope="module")
def daemons():
    """The daemon with the options that a transcript asks for; the one before is ended."""
    running = {}

    def get(options):
        if options not in running:
            for d in running.values():
                d.stop()
            running.clear()
            extra = [x for o in options for x in ("-o", o)]
            running[options] = Daemon(options={"trusted-networks": ["127.0.0.9/32"]}).start(extra)
        return running[options]

    yield get
    for d in running.values():
        d.stop()


@pytest.mark.parametrize("path", FILES, ids=[os.path.basename(f)[:-5] for f in FILES])
def test_transcript(daemons, path):
    client = Client(daemons(options_of(path)).port, greet=False)
    pending = None
    with open(path, encoding="utf-8") as f, client:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            where = f"{os.path.basename(path)}:{number}: {line}"
            if not line or line.startswith("#"):
                continue
            kind, rest = line[:2], line[3:]
            if kind == "C:":
                client.send(unescape(rest) + b"\r\n")
            elif kind == "C<":
                client.send(unescape(rest))
            elif kind == "S*":
                reply = client.reply()
                assert reply.lines[-1].startswith(rest), f"{where}\ngot: {reply}"
                assert client.closed(), f"{where}\nthe connection stays open"
            elif kind == "S:":
                pending = pending or client.reply()
                if rest[3:4] == "-":
                    assert any(x[4:].startswith(rest[4:]) and x[:3] == rest[:3] for x in pending.lines), \
                        f"{where}\ngot: {pending}"
                else:
                    assert pending.lines[-1].startswith(rest), f"{where}\ngot: {pending}"
                    pending = None
            else:
                raise AssertionError(f"{where}: no such line in a transcript")
