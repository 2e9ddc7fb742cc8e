"""One call of a worker fails: the n-th allocation, write, fsync, accept ..., for every n of a login
and of a session that delivers to a next hop and, through the spool's file, into a Maildir.  Then again, with all calls of
that kind from the n-th on to the end of the session.

usage: faults.py [--kinds memory,write] [--most N]    with GATEPOST_BUILD=build/release

Whatever fails: every command has a defined answer that is no 5xx, no worker dies, what got its 250
has arrived, and the next session is as if nothing had been."""
import argparse
import glob
import mmap
import os
import re
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from daemon import Daemon, free_port, wait_for  # noqa: E402
from hop_process import HopProcess  # noqa: E402
from load import ids  # noqa: E402
from smtp import Client  # noqa: E402

# As in faults.c, in this order.
KINDS = ("memory", "mapping", "open", "write", "read", "fsync", "rename", "directory", "accept", "socket",
         "connect", "send", "receive", "epoll")
# What takes the client's connection away: nothing can be answered then.
CUTS = ("accept", "send", "receive", "epoll")
HANG_SECONDS = 20
HEAD = "From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nX-Id: "


class Control:
    """The file by which the library is told what fails."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.write(b"\0" * 4096)
        os.chmod(path, 0o666)
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 4096)

    def put(self, word, value):
        self.map[8 * word:8 * word + 8] = struct.pack("=q", value)

    def get(self, word):
        return struct.unpack("=q", self.map[8 * word:8 * word + 8])[0]

    def arm(self, kind, n, lasting):
        self.put(2, 0)
        self.put(3, lasting)
        self.put(1, n)
        self.put(0, KINDS.index(kind) + 1)

    def disarm(self):
        """True if the call has failed."""
        self.put(0, 0)
        return self.get(2) > 0

    def seen(self, kind):
        return self.get(4 + KINDS.index(kind))

    def close(self):
        self.map.close()
        self.file.close()


class Faults:
    """`who`: the role whose calls fail."""

    def __init__(self, who="worker"):
        self.daemon = Daemon(options={"workers": 1, "spool-memory": "8K", "dns-timeout": "1s"})
        d = self.daemon
        library = f"{d.dir}/faults.so"
        subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-shared",
                        "-fPIC", "-o", library, f"{HERE}/faults.c"], check=True)
        self.hop = HopProcess(d.dir).start()
        d.hop_port = self.hop.port
        self.control = Control(f"{d.dir}/faults")
        d.env = dict(os.environ, LD_PRELOAD=library, FAULTS_FILE=f"{d.dir}/faults",
                     FAULTS_WHO=f"gatepostd: {who}")
        self.submission = free_port()
        d.sections = (f'listener "submission" {{ address = {{ "127.0.0.1:{self.submission}" }} tls = "off" auth = "required" '
                      'auth-plaintext = true route = "hop" }')
        d.start()
        d.tool("user", "add", "ann@example.org", input="secret\n")
        self.count = 0

    def close(self):
        self.hop.stop()
        self.daemon.stop()
        self.control.close()

    # --- a session

    def log_in(self, codes):
        """Who has the right password is never told that it was wrong."""
        try:
            with Client(self.submission, greet=False) as c:
                c.sock.settimeout(HANG_SECONDS)
                for line in ("", "EHLO client.example\r\n", "AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n"):
                    c.send(line)
                    codes.append(c.reply().code)
                    if codes[-1] == 421:
                        return
        except TimeoutError:
            raise AssertionError(f"no answer to a login within {HANG_SECONDS} s, after {codes}") from None
        except (EOFError, ConnectionError):
            pass

    def session(self, login=False):
        """Two messages, and a login before if that is wanted (it costs a hash); the names of those that got a 250, every reply code, and whether the server left."""
        self.count += 1
        small, large = f"s{self.count}", f"l{self.count}"
        acked, codes = [], []
        if login:
            self.log_in(codes)
        try:
            c = Client(self.daemon.port, greet=False)
        except OSError as e:
            raise AssertionError(f"no connection: {e}") from None
        with c:
            c.sock.settimeout(HANG_SECONDS)
            try:
                codes.append(c.reply().code)
                if codes[-1] == 220:
                    self.dialogue(c, codes, acked, small, large)
            except TimeoutError:
                raise AssertionError(f"no answer within {HANG_SECONDS} s, after {codes}") from None
            except (EOFError, ConnectionError):
                return acked, codes, True
        return acked, codes, False

    @staticmethod
    def dialogue(c, codes, acked, small, large):
        def say(data):
            try:
                c.send(data)
            except ConnectionError:
                pass
            codes.append(c.reply().code)
            return codes[-1]

        say("EHLO client.example\r\n")
        message = HEAD + small + "\r\n\r\nHello.\r\n.\r\n"
        if (say("MAIL FROM:<ann@example.org>\r\n") == 250 and say("RCPT TO:<bob@hop.test>\r\n") == 250
                and say("DATA\r\n") == 354 and say(message) == 250):
            acked.append(small)
        if codes[-1] == 421 or codes[-1] != 250 and say("RSET\r\n") != 250:
            return
        message = HEAD + large + "\r\n\r\n" + ("y" * 70 + "\r\n") * 600
        half = len(message) // 2
        if (say("MAIL FROM:<ann@example.org>\r\n") == 250 and say(f"RCPT TO:<{large}@local.test>\r\n") == 250
                and say(f"BDAT {half}\r\n" + message[:half]) == 250
                and say(f"BDAT {len(message) - half} LAST\r\n" + message[half:]) == 250):
            acked.append(large)
        if codes[-1] != 421:
            say("QUIT\r\n")

    # --- what must hold

    def verify(self, acked, codes, left, kind, what):
        assert all(c < 500 for c in codes), f"{what}: our own fault was told as a 5xx: {codes}"
        if kind not in CUTS:
            assert not left or codes[-1:] == [421], f"{what}: left without a word, after {codes}"
        arrived = ids(m["raw"] for m in self.hop.messages)
        for path in glob.glob(f"{self.daemon.mail}/local.test/*/new/*"):
            with open(path, "rb") as f:
                arrived += ids([f.read()])
        lost = set(acked) - set(arrived)
        assert not lost, f"{what}: got their 250 and are lost: {lost}"
        assert len(arrived) == len(set(arrived)) or kind in CUTS, f"{what}: arrived twice"
        assert self.daemon.children("worker") == self.workers, f"{what}: the worker died\n{self.daemon.log()[-3000:]}"

    def is_well(self, what):
        """A next hop that we could not reach is passed over for a moment."""
        def sends():
            acked, codes, left = self.session()
            assert all(c < 500 for c in codes), f"after {what}: {codes}"
            return len(acked) == 2
        wait_for(sends, 15, f"service after {what}")

    def fresh(self):
        """A new worker, that has allocated nothing yet."""
        before = self.daemon.children("worker")
        self.daemon.reload()
        wait_for(lambda: len(self.daemon.children("worker")) == 1 and self.daemon.children("worker") != before,
                 what="a new worker")

    def calls_of_a_session(self, kind):
        before = self.control.seen(kind)
        self.session(login=True)
        return self.control.seen(kind) - before

    def run(self, kinds=KINDS, most=None, fresh=False, lasting=False):
        """Fails up to `most` calls of each kind, spread over the session; how many did fail, by kind."""
        self.is_well("the start")
        failed = {}
        for kind in kinds:
            if lasting and kind == "accept":
                continue  # who can't be accepted waits: no session, no answer
            if fresh:
                self.fresh()
            total = self.calls_of_a_session(kind) + 2
            step = 1 if most is None else max(1, -(-total // most))
            failed[kind] = 0
            for n in range(1, total + 1, step):
                if fresh:
                    self.fresh()
                failed[kind] += self.one(kind, n, lasting)
        return failed

    def run_keeper(self, kinds=("memory", "mapping", "open", "write", "fsync"), most=20):
        """Calls of the keeper fail: mail doesn't notice, and each line stands in the log in the end, or is
        said to be lost (the log itself could not be written)."""
        d, failed = self.daemon, 0
        for kind in kinds:
            for n in range(1, most + 1):
                for lasting in (False, True):
                    self.control.arm(kind, n, lasting)
                    acked, codes, _ = self.session()
                    assert len(acked) == 2, f"{kind} {n} of the keeper: {codes}"
                    time.sleep(0.03)  # it comes to its work by and by
                    failed += self.control.disarm()
        wait_for(lambda: len(d.children("keeper")) == 1, 40, "the keeper")
        lines = 3 * self.count  # two messages and the session

        def accounted():
            lost = sum(map(int, re.findall(r"(\d+) lines of this log were lost", d.log())))
            return len(d.events("message")) + len(d.events("session")) + lost >= lines
        wait_for(accounted, 40, f"{lines} lines of the log")
        assert d.process.poll() is None
        return failed

    def one(self, kind, n, lasting):
        what = f"{kind} {n}{' and on' if lasting else ''}"
        self.workers = self.daemon.children("worker")
        self.control.arm(kind, n, lasting)
        try:
            acked, codes, left = self.session(login=True)
        except AssertionError as e:
            raise AssertionError(f"{what}: {e}\n{self.daemon.log()[-2000:]}") from None
        finally:
            fired = self.control.disarm()
        self.verify(acked, codes, left, kind, what)
        self.is_well(what)
        return fired


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--most", type=int)
    args = parser.parse_args()
    kinds = args.kinds.split(",")
    for who in ("worker", "keeper"):
        faults = Faults(who)
        try:
            if who == "keeper":
                print("the keeper:", faults.run_keeper(most=args.most or 40))
                continue
            for lasting in (False, True):
                for fresh in (False, True):
                    print(f"{'all calls from one on' if lasting else 'one call'} of a worker",
                          "that has not served yet:" if fresh else "that has served:",
                          faults.run(kinds, args.most, fresh, lasting), flush=True)
        finally:
            faults.close()


if __name__ == "__main__":
    main()
