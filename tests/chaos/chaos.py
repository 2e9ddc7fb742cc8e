"""Random deaths under load, and what must hold after them.

usage: chaos.py [--kills N] [--seed N]      with GATEPOST_BUILD=build/release (or another build)

Workers, keeper, zygote, auth, next hop and master are killed or stopped, configurations reloaded, at random
moments while clients send without a pause, and one logs in.  Then: every message that got its 250 is found, whole,
where it was to go; no client hung; a right login was never called wrong; every child is back and serves; the counts of sessions are down
to nothing; master and state-dir hold what they held at the start; LMDB opens clean."""
import argparse
import base64
import glob
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from daemon import Daemon, free_port, wait_for  # noqa: E402
from hop_process import HopProcess  # noqa: E402
from load import Load, ids  # noqa: E402
from smtp import Client  # noqa: E402

# What happens, and how often of a hundred times.
DEEDS = (("kill worker", 36), ("stop worker", 8), ("kill keeper", 12), ("stop keeper", 6),
         ("kill hop", 10), ("stop hop", 5), ("reload", 8), ("kill master", 5), ("kill zygote", 5),
         ("kill auth", 5))
CLIENT_SESSIONS = 30


class Chaos:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.daemon = Daemon(options={"max-client-sessions": CLIENT_SESSIONS, "spool-memory": "8K",
                                      "drain-timeout": "5s"})
        self.hop = HopProcess(self.daemon.dir)
        self.daemon.hop_port = self.hop.port
        self.submission = free_port()
        self.daemon.sections = (f'listener "submission" {{ address = {{ "127.0.0.1:{self.submission}" }} tls = "off" '
                                'auth = "required" auth-plaintext = true route = "hop" }')
        self.logins = {}  # answers, and how often
        self.ends = threading.Event()
        self.done = {}
        self.logs = []

    # --- the deeds

    def pick(self, role):
        found = self.daemon.children(role)
        return self.random.choice(found) if found else None

    @staticmethod
    def signal(pid, number):
        try:
            if pid:
                os.kill(pid, number)
        except ProcessLookupError:
            pass

    def stop_for_a_while(self, pid):
        """Stopped, then either let go or killed."""
        self.signal(pid, signal.SIGSTOP)
        time.sleep(self.random.random() * 0.4)
        self.signal(pid, self.random.choice((signal.SIGCONT, signal.SIGKILL)))

    def kill_master(self):
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.start()

    def kill_hop(self):
        self.hop.kill()
        time.sleep(self.random.random() * 0.2)
        self.hop.start()

    def stop_hop(self):
        self.signal(self.hop.process.pid, signal.SIGSTOP)
        time.sleep(self.random.random() * 0.4)
        self.signal(self.hop.process.pid, signal.SIGCONT)

    def do(self, deed):
        self.done[deed] = self.done.get(deed, 0) + 1
        if deed == "kill worker":
            self.signal(self.pick("worker"), signal.SIGKILL)
        elif deed == "stop worker":
            self.stop_for_a_while(self.pick("worker"))
        elif deed == "kill keeper":
            self.signal(self.pick("keeper"), signal.SIGKILL)
        elif deed == "stop keeper":
            self.stop_for_a_while(self.pick("keeper"))
        elif deed == "kill zygote":
            self.signal(self.pick("zygote"), signal.SIGKILL)
        elif deed == "kill auth":
            self.signal(self.pick("gatepostd: auth"), signal.SIGKILL)
        elif deed == "kill hop":
            self.kill_hop()
        elif deed == "stop hop":
            self.stop_hop()
        elif deed == "reload":
            self.daemon.process.send_signal(signal.SIGHUP)
        else:
            self.kill_master()

    # --- the daemon

    def start(self):
        """As systemd does it: again, until the workers of a master that died have let go of the port."""
        d = self.daemon
        d.log_path = f"{d.dir}/log.{len(self.logs)}"
        self.logs.append(d.log_path)
        end = time.monotonic() + 30
        while True:
            try:
                d.start()
                return
            except AssertionError:
                if time.monotonic() > end or "cannot bind" not in d.log():
                    raise
                time.sleep(0.1)

    def held(self):
        """What must not grow: the master's descriptors, its memory, the files of state-dir."""
        pid = self.daemon.process.pid
        with open(f"/proc/{pid}/statm") as f:
            resident_kib = int(f.read().split()[1]) * 4
        return len(os.listdir(f"/proc/{pid}/fd")), resident_kib, sorted(os.listdir(self.daemon.state))

    def everybody_is_back(self):
        """Two workers of one generation, keeper, zygote and auth; the longest back-off is 30 s."""
        def there():
            d = self.daemon
            return (len(d.children("worker")) == 2 and len(d.children("keeper")) == 1
                    and len(d.children("zygote")) == 1 and len(d.children("gatepostd: auth")) == 1
                    and d.status()["sessions"] == 0)
        wait_for(there, 75, "every child, and no session")

    def log_in(self):
        """Again and again, until the end."""
        line = "AUTH PLAIN " + base64.b64encode(b"\0ann@local.test\0secret").decode()
        while not self.ends.wait(0.05):
            try:
                with Client(self.submission, source="127.0.0.5") as c:
                    c.sock.settimeout(60)
                    answer = c.cmd(line).code
            except (OSError, EOFError) as e:
                answer = type(e).__name__
            self.logins[answer] = self.logins.get(answer, 0) + 1

    # --- the run

    def run(self, kills):
        d = self.daemon
        self.hop.start()
        self.start()
        with d.client() as c:
            assert c.message(to="bob@hop.test") == 250
        d.tool("user", "add", "ann@local.test", input="secret\n")
        before = self.held()
        login = threading.Thread(target=self.log_in, daemon=True)
        login.start()
        loads = [Load(d.port, 4, 3, "bob@hop.test", 500, source="127.0.0.2", prefix="a"),
                 Load(d.port, 2, 2, "bob@hop.test", 40000, source="127.0.0.3", prefix="b"),
                 Load(d.port, 2, 3, "box@local.test", 500, source="127.0.0.4", prefix="c")]
        for load in loads:
            load.start()
        loads[0].wait_acked(3)
        deeds, weights = zip(*DEEDS)
        for n in range(kills):
            time.sleep(self.random.random() * 0.3)
            self.do(self.random.choices(deeds, weights)[0])
            if n % 50 == 49:
                print(f"{n + 1} of {kills}: {sum(len(x.acked) for x in loads)} messages", flush=True)
        self.everybody_works(loads)
        for load in loads:
            load.stop()
        self.ends.set()
        login.join(90)
        self.everybody_is_back()
        self.verify(loads, before)

    @staticmethod
    def everybody_works(loads):
        """Each load gets on, whatever has died."""
        for load in loads:
            load.wait_acked(2, 90)

    def verify(self, loads, before):
        d = self.daemon
        for load in loads:
            assert not load.hung, f"sessions hang: {load.hung}"
            wrong = [r for r in load.refused if not re.match(r"\S+: 4[25][1-9] ", r)]
            assert not wrong, f"refused for good: {wrong[:5]}"
        assert self.logins.get(235) and not set(self.logins) & {535, "TimeoutError"}, f"logins: {self.logins}"
        at_hop = set(ids(m["raw"] for m in self.hop.messages))
        in_box = set(ids(d.mailbox("box")))
        lost = (loads[0].acked | loads[1].acked) - at_hop | loads[2].acked - in_box
        assert not lost, f"{len(lost)} messages got their 250 and are lost: {sorted(lost)[:5]}"
        self.counts_are_right()
        after = self.held()
        assert after[0] == before[0], f"descriptors of the master: {before[0]}, then {after[0]}"
        assert after[1] - before[1] < 8192, f"KiB of the master: {before[1]}, then {after[1]}"
        new = set(after[2]) - set(before[2]) - {"counters"}  # the keeper's, from time to time
        assert not new, f"left in state-dir: {new}"
        d.process.send_signal(signal.SIGTERM)
        assert d.process.wait(30) == 0
        self.stores_are_clean()
        self.no_complaints()
        print(f"logins: {self.logins}")
        print(f"{self.done}: {sum(len(x.acked) for x in loads)} messages got their 250, none is lost; "
              f"{len(at_hop) + len(in_box)} arrived")

    def counts_are_right(self):
        """The sessions that died count no more: each client may have as many as ever."""
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            clients = [self.daemon.client(source=source, hello=None) for _ in range(CLIENT_SESSIONS)]
            answers = [c.greeting.code for c in clients]
            for c in clients:
                c.close()
            assert set(answers) == {220}, f"{source}: {answers}"

    def stores_are_clean(self):
        for path in glob.glob(f"{self.daemon.state}/*/data.mdb"):
            done = subprocess.run(["mdb_stat", "-e", "-a", "-f", os.path.dirname(path)],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{path}: {done.stdout}{done.stderr}"

    def no_complaints(self):
        """No death but by our hand."""
        for path in self.logs:
            with open(path, errors="replace") as f:
                log = f.read()
            for word in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
                at = log.find(word)
                assert at < 0, log[max(0, at - 500):at + 4000]
            for number in re.findall(r"died of signal (\d+)", log):
                assert int(number) == signal.SIGKILL, f"signal {number}: {log[-4000:]}"

    def close(self):
        self.hop.stop()
        self.daemon.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    chaos = Chaos(args.seed)
    try:
        chaos.run(args.kills)
    except BaseException:
        print("".join(f"--- {p}\n{open(p, errors='replace').read()[-3000:]}" for p in chaos.logs[-2:]))
        raise
    finally:
        chaos.close()


if __name__ == "__main__":
    main()
