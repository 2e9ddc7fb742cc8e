"""Many sessions at once in one thread: each says its commands as fast as it may, and what came of it and when is
noted.

    crowd = Crowd(port, [lines of session 0, lines of session 1, ...], source=lambda i: "127.0.0.1").run()
    crowd.greeted   seconds from the start of all until the greeting of each, sorted
    crowd.ended     ... until its last reply
    crowd.last      the last reply of each, in the order of the sessions
"""
import selectors
import socket
import time


class One:
    def __init__(self, number, lines):
        self.number, self.lines = number, list(lines)
        self.buffer = b""
        self.waits = 1 + len(lines)  # replies still to come: the greeting and one for each line
        self.last = ""


class Crowd:
    def __init__(self, port, sessions, source, seconds=120):
        """`source(i)`: the address of session i, of loopback."""
        self.port, self.source, self.seconds = port, source, seconds
        self.all = [One(i, lines) for i, lines in enumerate(sessions)]
        self.greeted, self.ended = [], []

    @property
    def last(self):
        return [one.last for one in self.all]

    def _open(self, one, selector):
        s = socket.socket()
        s.setblocking(False)
        s.bind((self.source(one.number), 0))
        s.connect_ex(("127.0.0.1", self.port))
        one.sock = s
        selector.register(s, selectors.EVENT_WRITE, one)

    def _reply(self, one, line, now):
        one.last = line
        if one.waits == 1 + len(one.lines):
            self.greeted.append(now)
            one.sock.sendall("".join(line + "\r\n" for line in one.lines).encode())
        one.waits -= 1

    def _read(self, one, now):
        """True: it is over."""
        got = one.sock.recv(65536)
        one.buffer += got
        while b"\r\n" in one.buffer:
            line, one.buffer = one.buffer.split(b"\r\n", 1)
            if line[3:4] != b"-":
                self._reply(one, line.decode(), now)
        return not got or one.waits == 0

    def run(self):
        selector = selectors.DefaultSelector()
        began = time.monotonic()
        for one in self.all:
            self._open(one, selector)
        left = len(self.all)
        while left and time.monotonic() - began < self.seconds:
            for event, mask in selector.select(1):
                one, now = event.data, time.monotonic() - began
                if mask & selectors.EVENT_WRITE:
                    selector.modify(one.sock, selectors.EVENT_READ, one)
                elif self._read(one, now):
                    self.ended.append(now)
                    selector.unregister(one.sock)
                    one.sock.close()
                    left -= 1
        for one in self.all:
            one.sock.close()
        selector.close()
        assert left == 0, f"{left} sessions without an end after {self.seconds} s"
        return self
