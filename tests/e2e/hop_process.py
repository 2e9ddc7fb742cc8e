"""A next hop as a process of its own, so that it can be killed: every message that it answers 250
stands in RECORD before, a JSON line {"from", "to", "raw"}, raw byte for byte as it came (latin-1).

usage: hop_process.py PORT RECORD [SLOW_SECONDS]   (SLOW_SECONDS: before the reply to a message)
"""
import ctypes
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import time

if __name__ != "__main__":
    from daemon import free_port, wait_for

PR_SET_PDEATHSIG = 1
END = b"\r\n.\r\n"


class Session(socketserver.StreamRequestHandler):
    """Strict where it matters: only CR LF ends a line, only CR LF . CR LF ends a message."""

    disable_nagle_algorithm = True

    def handle(self):
        self.buffer = b""
        try:
            self.say("220 hop.test ESMTP")
            while self.command():
                pass
        except (ConnectionError, EOFError):
            pass

    def say(self, line):
        self.request.sendall(line.encode() + b"\r\n")

    def until(self, mark, since=0):
        while True:
            at = self.buffer.find(mark, since)
            if at >= 0:
                taken, self.buffer = self.buffer[:at], self.buffer[at + len(mark):]
                return taken
            got = self.request.recv(1 << 16)
            if not got:
                raise EOFError
            self.buffer += got

    def command(self):
        line = self.until(b"\r\n").decode("latin-1")
        verb = line[:4].upper()
        if verb == "EHLO":
            self.say("250-hop.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
        elif verb == "MAIL":
            self.sender, self.to = line[10:], []
            self.say("250 2.1.0 OK")
        elif verb == "RCPT":
            self.to.append(line[8:])
            self.say("250 2.1.5 OK")
        elif verb == "DATA":
            self.say("354 go on")
            self.message()
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            return False
        else:
            self.say("250 2.0.0 OK")
        return True

    def message(self):
        self.buffer = b"\r\n" + self.buffer  # so that a message that is only a dot ends too
        raw = self.until(END)[2:] + b"\r\n"
        time.sleep(self.server.slow)
        # What pipelining put behind the end is a command: it stands in the record too.
        line = json.dumps({"from": self.sender, "to": self.to, "raw": raw.decode("latin-1")})
        # A write that was killed half-way leaves a line that is none, and had no 250.
        os.write(self.server.record, b"\n" + line.encode() + b"\n")
        self.say("250 2.0.0 queued")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlives its test
    with Server(("127.0.0.1", int(sys.argv[1])), Session) as server:
        server.record = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        server.slow = float(sys.argv[3]) if len(sys.argv) > 3 else 0
        server.serve_forever()


class HopProcess:
    """The same from a test's side."""

    def __init__(self, directory, slow=0, port=None):
        self.port = port or free_port()
        self.slow = slow
        self.record = f"{directory}/hop-record-{self.port}"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", __file__, str(self.port), self.record, str(self.slow)],
            stdin=subprocess.DEVNULL)

        def listens():
            assert self.process.poll() is None, "the next hop did not start"
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return True
            except ConnectionRefusedError:
                return False
        wait_for(listens, what="the next hop")
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    stop = kill

    @property
    def messages(self):
        """Each as a dict; raw is bytes, still dot-stuffed."""
        out = []
        if os.path.exists(self.record):
            with open(self.record, "rb") as f:
                for line in f.read().split(b"\n"):
                    try:
                        m = json.loads(line)
                    except ValueError:
                        continue
                    m["raw"] = m["raw"].encode("latin-1")
                    out.append(m)
        return out


if __name__ == "__main__":
    main()
