"""A real gatepostd on free ports of loopback, with state of its own; and the `gatepost` tool beside it."""
import ctypes
import errno
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BUILD = os.environ.get("GATEPOST_BUILD", "build/asan")
# A sanitized daemon on a busy machine is slow; nothing waits this long unless it hangs.
PATIENCE = 30


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def end_with_parent():
    """In the child: a test run that is killed leaves no daemon behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port(host="127.0.0.1"):
    """One that the kernel gives to no client: else a connection of another test could have it before
    whoever is to listen on it."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            try:
                s.bind((host, port))
                return port
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise


def wait_for(condition, seconds=PATIENCE, what="a condition", pause=0.02):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about within {seconds} s")
        time.sleep(pause)


class Daemon:
    """`options` go to the file itself, `sections` are appended as written.  127.0.0.1 and its
    neighbours are strangers but 127.0.0.9 (own) and 127.0.0.8 (a proxy).  `dns` is a DnsServer;
    without one nobody answers, and dmarc is off.  The checks reverse-dns and sender-verify are off,
    too, unless `sections` name them."""

    def __init__(self, options=None, sections="", domains=None, hop_port=None, limits="", dns=None):
        self.dir = tempfile.mkdtemp(prefix="gatepost-e2e-")
        os.chmod(self.dir, 0o755)
        self.mail = f"{self.dir}/mail"
        self.state = f"{self.dir}/state"
        os.mkdir(self.mail)
        if os.geteuid() == 0:
            user = pwd.getpwnam("gatepost")
            os.chown(self.mail, user.pw_uid, user.pw_gid)
        self.port = free_port()
        self.hop_port = hop_port
        self.dns = dns
        self.options = {"hostname": "mx1.test", "workers": 2, "trusted-networks": ["127.0.0.9/32"],
                        "drain-timeout": "10s",
                        "resolvers": [dns.address if dns else "127.0.0.1:1"], **(options or {})}
        self.sections = sections
        self.limits = limits
        self.domains = domains
        self.path = f"{self.dir}/gatepost.conf"
        self.log_path = f"{self.dir}/log"
        self.process = None
        self.env = None  # of the daemon, where it isn't ours

    @staticmethod
    def _value(v):
        if isinstance(v, bool):
            return str(v).lower()
        if isinstance(v, int):
            return str(v)
        if isinstance(v, list):
            return "{ " + ", ".join(f'"{x}"' for x in v) + " }"
        return f'"{v}"'

    def write(self):
        lines = [f"{k} = {self._value(v)}" for k, v in self.options.items()]
        lines.append(f'state-dir = "{self.state}"')
        lines.append(f'listener "mx" {{ address = {{ "127.0.0.1:{self.port}" }} '
                     'proxy-from = { "127.0.0.8/32" } }')
        lines.append(f'route "box" {{ hosts = {{ "maildir:{self.mail}/%d/%u" }} }}')
        if self.domains is None:
            lines.append('domain "local.test" { route = "box" }')
        else:
            lines.append(self.domains)
        if self.hop_port:
            lines.append(f'route "hop" {{ hosts = {{ "smtp://127.0.0.1:{self.hop_port}" }} retry-down = "1s" }}')
            lines.append('domain "hop.test" { route = "hop" }')
        # Tests open many connections from one address: no limit but those that a test names.
        lines.append(self.limits or 'limit "client" { by = "ip4/32" messages = { "1000000/1s" } }')
        lines.append('log { to = "stderr" format = "json" }')
        lines.append(self.sections)
        # Nobody is scanned but where a test brings a database: this machine's own may be a large one.
        if "clamav {" not in self.sections:
            lines.append(f'clamav {{ database = "{self.dir}/no-database" }}')
        # Loopback and the senders of most tests have no names: who wants these checks says so.
        for check in ("reverse-dns", "sender-verify", *([] if self.dns else ["dmarc"])):
            if f'check "{check}"' not in self.sections:
                lines.append(f'check "{check}" {{ mode = "off" }}')
        with open(self.path, "w") as f:
            f.write("\n".join(lines) + "\n")

    def start(self, extra=(), wait=True):
        self.write()
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen([f"{BUILD}/gatepostd", "-c", self.path, *extra],
                                        stdin=subprocess.DEVNULL, stdout=self.log_file,
                                        stderr=self.log_file, env=self.env,
                                        preexec_fn=end_with_parent)
        if wait:
            self.wait_log("serving: generation")
        return self

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, seconds=PATIENCE, count=1):
        """Waits until `pattern` (a regular expression) stands in the log `count` times."""
        def there():
            if self.process.poll() is not None and not re.search(pattern, self.log()):
                raise AssertionError(f"gatepostd ended with {self.process.returncode}:\n{self.log()}")
            return len(re.findall(pattern, self.log())) >= count
        try:
            wait_for(there, seconds, f"{pattern!r} in the log")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()[-4000:]}") from None

    def events(self, kind):
        """The lines of the mail log of one event, as dicts."""
        out = []
        for line in self.log().splitlines():
            start = line.find("{")
            if start < 0:
                continue
            try:
                event = json.loads(line[start:])
            except ValueError:
                continue
            if event.get("event") == kind:
                out.append(event)
        return out

    def wait_event(self, kind, seconds=PATIENCE, **fields):
        def match():
            for e in self.events(kind):
                if all(str(e.get(k)) == str(v) for k, v in fields.items()):
                    return e
            return None
        try:
            return wait_for(match, seconds, f"event {kind} with {fields}")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()[-4000:]}") from None

    def tool(self, *args, check=True, input=None):
        """Runs `gatepost ARGS`: exit status, stdout, stderr; `check`: it must be 0."""
        done = subprocess.run([f"{BUILD}/gatepost", "-c", self.path, *map(str, args)],
                              capture_output=True, text=True, timeout=120, input=input)
        if check and done.returncode != 0:
            raise AssertionError(f"gatepost {args}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def status(self):
        """What `gatepost status --json` says."""
        return json.loads(self.tool("status", "--json").stdout)

    def children(self, role=""):
        """Process ids of our children whose title contains `role`."""
        out = []
        for pid in self._children_of(self.process.pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    title = f.read().split(b"\0")[0].decode()
            except OSError:
                continue
            if role in title:
                out.append(pid)
        return out

    @staticmethod
    def _children_of(pid):
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                return [int(x) for x in f.read().split()]
        except OSError:
            return []

    def reload(self, **options):
        self.options.update(options)
        self.write()
        before = len(re.findall(r"generation \d+ is in force", self.log()))
        self.process.send_signal(signal.SIGHUP)
        self.wait_log(r"generation \d+ is in force", count=before + 1)

    def client(self, source="127.0.0.1", **kw):
        from smtp import Client
        return Client(self.port, source=source, **kw)

    def mailbox(self, user, domain="local.test"):
        """The messages that stand in a Maildir, as bytes."""
        new = f"{self.mail}/{domain}/{user}/new"
        if not os.path.isdir(new):
            return []
        out = []
        for name in sorted(os.listdir(new)):
            with open(f"{new}/{name}", "rb") as f:
                out.append(f.read())
        return out

    def restart(self):
        """Ends it in good order and starts it again on the same state."""
        before = self.log().count("serving: generation")
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.start(wait=False)
        self.wait_log("serving: generation", count=before + 1)

    def stop(self):
        """Ends it and removes what it left; its log must hold no sanitizer's complaint."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("gatepostd did not end after SIGTERM\n" + self.log()[-4000:]) from None
        log = self.log() if os.path.exists(self.log_path) else ""
        shutil.rmtree(self.dir, ignore_errors=True)
        for complaint in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
            if complaint in log:
                at = log.index(complaint)
                raise AssertionError("a sanitizer complains:\n" + log[max(0, at - 500):at + 4000])
