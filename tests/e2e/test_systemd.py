"""What systemd sees: Type=notify, and sockets that it has bound itself."""
import os
import signal
import socket
import subprocess

from daemon import BUILD, PATIENCE, Daemon, wait_for


class Notified:
    """A NOTIFY_SOCKET that keeps what it was told."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.sock.settimeout(0.05)
        self.told = ""

    def heard(self, what):
        try:
            while True:
                self.told += self.sock.recv(4096).decode() + "\n"
        except TimeoutError:
            pass
        return what in self.told


def test_notify_and_socket_activation():
    d = Daemon()
    d.write()
    told = Notified(f"{d.dir}/notify")
    listening = socket.create_server(("127.0.0.1", d.port), backlog=64)
    try:
        d.log_file = open(d.log_path, "ab")
        env = dict(os.environ, NOTIFY_SOCKET=f"{d.dir}/notify", LISTEN_FDS="1")

        def pass_socket():
            os.dup2(listening.fileno(), 3)
            os.set_inheritable(3, True)

        # LISTEN_PID must be the daemon's own: the shell becomes it.
        d.process = subprocess.Popen(
            ["sh", "-c", f'LISTEN_PID=$$ exec "{BUILD}/gatepostd" -c "{d.path}"'],
            env=env, stdin=subprocess.DEVNULL, stdout=d.log_file, stderr=d.log_file,
            close_fds=False, preexec_fn=pass_socket)
        wait_for(lambda: told.heard("READY=1"), what="READY=1")
        with d.client() as c:
            assert c.message() == 250
        d.reload()
        wait_for(lambda: told.heard("RELOADING=1"), what="RELOADING=1")
        wait_for(lambda: told.told.count("READY=1") == 2 or (told.heard("x") and False), what="READY=1 again")
        with d.client() as c:
            assert c.message() == 250
        d.process.send_signal(signal.SIGTERM)
        assert d.process.wait(PATIENCE) == 0
        assert told.heard("STOPPING=1")
    finally:
        listening.close()
        d.stop()


def test_unit_files_are_well_formed():
    """Every line of the shipped units is a section, a comment, an assignment or empty."""
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ("gatepostd.service", "gatepostd.socket"):
        with open(f"{here}/../../etc/{name}") as f:
            for line in f:
                line = line.strip()
                assert not line or line[0] in "#[" or "=" in line, (name, line)
