"""A real clamd in place of our own engine, by its two kinds of sockets."""
import os
import signal
import socket
import subprocess
import threading

import pytest

from clam import CARRIERS, EICAR, VIRUS, Database, attached, encrypted_zip, two
from daemon import end_with_parent, free_port, wait_for
from load import Load
from test_antivirus import LATER, send

CLAMD = "/usr/sbin/clamd"


class Clamd:
    def __init__(self, folder, **options):
        self.socket, self.port = f"{folder}/clamd.sock", free_port()
        self.path, self.log = f"{folder}/clamd.conf", f"{folder}/clamd.log"
        settings = {"Foreground": "yes", "DatabaseDirectory": Database(f"{folder}/db").eicar().path,
                    "LocalSocket": self.socket, "LocalSocketMode": "666", "TCPSocket": self.port,
                    "TCPAddr": "127.0.0.1", "TemporaryDirectory": folder, "LogFile": self.log,
                    "MaxThreads": 2, "AlertEncrypted": "yes", "AlertExceedsMax": "yes", "User": "root", **options}
        with open(self.path, "w") as f:
            f.write("".join(f"{k} {v}\n" for k, v in settings.items()))
        self.process = None

    def start(self):
        self.process = subprocess.Popen([CLAMD, "-c", self.path], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
        wait_for(self.answers, what="clamd")
        return self

    def answers(self):
        assert self.process.poll() is None, open(self.log, errors="replace").read()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.sendall(b"nPING\n")
                return s.recv(10) == b"PONG\n"
        except OSError:
            return False

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait(30)


@pytest.fixture
def clamd(tmp_path):
    if not os.path.exists(CLAMD):
        pytest.skip("there is no clamd")
    peer = Clamd(str(tmp_path)).start()
    yield peer
    peer.stop(signal.SIGKILL)


def section(address, engine="", check=""):
    return (f'clamav {{ clamd = "{address}" {engine} }} check "antivirus" {{ {check} }} '
            'check "attachment" { mode = "off" }')


def test_both_sockets(start, clamd):
    for address in (f"unix:{clamd.socket}", f"tcp://127.0.0.1:{clamd.port}"):
        d = start(sections=section(address))
        assert send(d, attached(b"nothing")).startswith("250 ")
        for how in ("base64", "no known field first", "uuencode", "zip in zip in zip", "tar.xz"):
            assert send(d, CARRIERS[how]()).startswith(VIRUS), how
        assert send(d, two(os.urandom(1 << 20) * 6, EICAR)).startswith(VIRUS)
        assert send(d, attached(encrypted_zip())).startswith("250 ")
        d.wait_log("would.*antivirus: 550 5.7.1 The message contains encrypted files")
        d.tool("signature", "ignore", "Eicar-Test-Signature")
        assert send(d, attached(EICAR)).startswith("250 ")
        assert f"clamd at {address}" in d.tool("status").stdout
        assert not d.children("antivirus")


def test_nobody_listens(start, clamd):
    d = start(sections=section(f"unix:{clamd.socket}"))
    clamd.stop()
    assert send(d, attached(EICAR)).startswith("250 ")
    d.wait_log("clamd can't be reached")
    d.sections = section(f"unix:{clamd.socket}", check="required = true")
    d.reload()
    assert send(d, attached(EICAR)).startswith(LATER)
    clamd.start()
    assert send(d, attached(EICAR)).startswith(VIRUS)


def test_it_hangs(start, clamd):
    """Who waits for it holds up nobody else."""
    d = start(options={"workers": 1}, sections=section(f"unix:{clamd.socket}", 'wait = "2s"'))
    clamd.process.send_signal(signal.SIGSTOP)
    replies = []
    waiting = [threading.Thread(target=lambda: replies.append(send(d, attached(EICAR)))) for _ in range(5)]
    for t in waiting:
        t.start()
    with d.client() as c:
        assert c.cmd("NOOP") == 250
    for t in waiting:
        t.join(60)
    assert [r[:len(LATER)] for r in replies] == [LATER] * 5
    clamd.process.send_signal(signal.SIGCONT)
    assert send(d, attached(EICAR)).startswith(VIRUS)


def test_it_is_killed_under_load(start, clamd):
    d = start(sections=section(f"tcp://127.0.0.1:{clamd.port}", check="required = true"))
    with Load(d.port, clients=4, recipient="bob@local.test", pause=0.02) as load:
        load.wait_acked(5)
        clamd.stop(signal.SIGKILL)
        clamd.start()
        load.wait_acked(5)
        load.stop()
    assert not load.hung and not load.lost
    assert all("451 4.3.0" in r for r in load.refused), load.refused
    metrics = d.status()["metrics"]
    assert metrics["scans"] >= len(load.acked)


def test_its_own_limit(start, tmp_path, clamd):
    clamd.stop()
    small = Clamd(str(tmp_path), StreamMaxLength="1M").start()
    try:
        d = start(sections=section(f"unix:{small.socket}"))
        assert send(d, attached(os.urandom(2 << 20))).startswith(LATER)
        assert send(d, attached(EICAR)).startswith(VIRUS)
    finally:
        small.stop()


@pytest.mark.parametrize("said", [b"", b"stream: OK", b"stream: a b FOUND\n", b"what?\n", b"x" * 5000 + b"\n", b"\0\n"])
def test_nonsense(start, said):
    """A peer that isn't a clamd: never clean, never final but for something found."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                got = b""
                while not got.endswith(b"\0\0\0\0"):
                    more = peer.recv(65536)
                    if not more:
                        break
                    got += more
                peer.sendall(said)

    threading.Thread(target=serve, daemon=True).start()
    d = start(sections=section(f"tcp://127.0.0.1:{listener.getsockname()[1]}", 'wait = "3s"'))
    assert send(d, attached(b"x")).startswith(VIRUS if b"FOUND" in said else LATER)
    listener.close()
