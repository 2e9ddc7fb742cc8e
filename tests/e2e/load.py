"""Clients that send without a pause, and know which of their messages got a 250."""
import threading
import time

from smtp import Client

# A reply that takes longer than this is a session that hangs.
HANG_SECONDS = 45


class Load:
    """`clients` threads, each sending sessions of `each` messages to a `recipient` until stop().

    acked: the ids (X-Id) of the messages that got a 250; refused: the other replies; lost: sessions
    that ended without a word; unserved: connections that got no greeting; hung: waits without end.
    """

    def __init__(self, port, clients=4, each=3, recipient="bob@hop.test", size=500, pause=0,
                 source="127.0.0.1", prefix=""):
        self.port, self.each, self.recipient, self.source = port, each, recipient, source
        self.prefix = prefix
        self.filler = (b"x" * 70 + b"\r\n") * (size // 72 + 1)
        self.pause = pause
        self.acked, self.refused, self.lost, self.unserved, self.hung = set(), [], [], [], []
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True)
                        for i in range(clients)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join(HANG_SECONDS + 30)
            assert not t.is_alive(), "a client hangs"
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.ending.set()

    def wait_acked(self, more, seconds=60):
        """Until `more` messages beyond those of now have got their 250."""
        goal, end = len(self.acked) + more, time.monotonic() + seconds
        while len(self.acked) < goal:
            assert time.monotonic() < end, f"{len(self.acked)} of {goal} messages in {seconds} s: {self}"
            time.sleep(0.02)

    def __str__(self):
        return (f"{len(self.acked)} acked, refused {self.refused[-3:]}, lost {self.lost[-3:]}, "
                f"unserved {self.unserved[-3:]}, hung {self.hung[-3:]}")

    def run(self, number):
        count = 0
        while not self.ending.is_set():
            count += 1
            self.session(f"{self.prefix}{number}.{count}")
            if self.pause:
                time.sleep(self.pause)

    def session(self, name):
        stage = self.unserved
        try:
            client = Client(self.port, source=self.source, greet=False)
        except OSError as e:
            self.note(self.unserved, f"{name}: {e}")
            time.sleep(0.05)
            return
        with client:
            client.sock.settimeout(HANG_SECONDS)
            try:
                greeting = client.reply()
                if greeting != 220:
                    self.note(self.refused, f"{name}: {greeting}")
                    return
                stage = self.lost
                hello = self.step(client, b"EHLO load.example\r\n")
                if hello != 250:
                    self.note(self.refused, f"{name}: {hello}")
                    return
                for i in range(self.each):
                    if self.ending.is_set():
                        return
                    if not self.message(client, f"{name}.{i}"):
                        return
            except TimeoutError:
                self.note(self.hung, name)
            except (OSError, EOFError) as e:
                self.note(stage, f"{name}: {e}")

    @staticmethod
    def step(client, data):
        """Sends and reads the reply; what had been said before we spoke is read too."""
        try:
            client.send(data)
        except ConnectionError:
            pass
        return client.reply()

    def message(self, client, name):
        text = (b"From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nX-Id: "
                + name.encode() + b"\r\n\r\n" + self.filler + b"end of " + name.encode() + b"\r\n.\r\n")
        for data in (b"MAIL FROM:<ann@example.org>\r\n", f"RCPT TO:<{self.recipient}>\r\n",
                     b"DATA\r\n", text):
            r = self.step(client, data)
            if r.code >= 400:
                break
        if r == 250:
            with self.lock:
                self.acked.add(name)
            return True
        self.note(self.refused, f"{name}: {r}")
        return r.code != 421 and self.step(client, b"RSET\r\n") == 250

    def note(self, where, what):
        with self.lock:
            where.append(what)


def ids(messages):
    """The X-Id of each message (bytes) that arrived; those of a Load must be whole."""
    out = []
    for raw in messages:
        at = raw.find(b"X-Id: ")
        if at >= 0:
            name = raw[at + 6:raw.index(b"\r\n", at)]
            whole = b"xxx\r\n" not in raw or raw.endswith(b"\r\nend of " + name + b"\r\n")
            assert whole, f"only a part of {name} has arrived"
            out.append(name.decode())
    return out
