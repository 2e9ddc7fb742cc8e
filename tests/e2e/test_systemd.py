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


def test_install(tmp_path):
    """Below DESTDIR stands what a package would hold; what is installed again spares the configuration."""
    here = os.path.dirname(os.path.abspath(__file__))

    def install():
        subprocess.run(["make", "-s", "install", "MODE=release", f"DESTDIR={tmp_path}", "PREFIX=/usr"],
                       cwd=f"{here}/../..", check=True, capture_output=True, timeout=300)

    install()
    there = {os.path.relpath(f"{at}/{name}", tmp_path) for at, _, names in os.walk(tmp_path) for name in names}
    assert there == {"usr/sbin/gatepostd", "usr/bin/gatepost", "etc/gatepost/gatepost.conf", "etc/gatepost/extensions",
                     "usr/lib/systemd/system/gatepostd.service", "usr/lib/systemd/system/gatepostd.socket",
                     "usr/lib/sysusers.d/gatepost.conf", "usr/share/man/man5/gatepost.conf.5",
                     "usr/share/man/man8/gatepost.8", "usr/share/man/man8/gatepostd.8"}
    with open(tmp_path / "usr/lib/systemd/system/gatepostd.service") as f:
        assert "\nExecStart=/usr/sbin/gatepostd\n" in f.read()
    # It names the files beside it by where they will stand.
    conf = tmp_path / "etc/gatepost/gatepost.conf"
    conf.write_text(conf.read_text().replace("/etc/gatepost/", f"{tmp_path}/etc/gatepost/"))
    done = subprocess.run([tmp_path / "usr/sbin/gatepostd", "-t", "-c", conf], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    conf.write_text("# ours\n")
    install()
    assert conf.read_text() == "# ours\n"


def test_unit_files_are_well_formed():
    """Every line of the shipped units is a section, a comment, an assignment or empty."""
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ("gatepostd.service", "gatepostd.socket"):
        with open(f"{here}/../../etc/{name}") as f:
            for line in f:
                line = line.strip()
                assert not line or line[0] in "#[" or "=" in line, (name, line)
