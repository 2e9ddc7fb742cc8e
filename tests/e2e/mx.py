"""Mail servers of strangers, as they may be: each on an address of loopback of its own, all on one port.

    mx = Mx("127.1.0.1", port, taken={"ann@guest.test"}).start()

It speaks SMTP by the book: `taken` are the recipients that exist (None: all), `says` gives other replies, by
verb ("GREETING", "EHLO", "HELO", "MAIL", "RSET"), by the whole command, or by the recipient's address ("*": any); a reply of None is silence, b"" closes.
`commands` is what it was told, a list for each connection.
"""
import socket
import socketserver
import threading

from daemon import free_port


class Session(socketserver.BaseRequestHandler):
    def handle(self):
        mx = self.server.mx
        told = []
        mx.commands.append(told)
        self.request.settimeout(60)
        try:
            if not self.say(mx.reply("GREETING", b"220 mx ESMTP")):
                return
            lines = self.request.makefile("rb")
            for line in lines:
                line = line.rstrip(b"\r\n").decode("latin-1")
                told.append(line)
                verb = line[:4].upper()
                if verb == "QUIT":
                    self.say(b"221 bye")
                    return
                if not self.say(mx.answer(verb, line)):
                    return
        except OSError:
            pass

    def say(self, reply):
        """False: the connection is over."""
        if reply is None:
            while self.request.recv(4096):
                pass
            return False
        if not reply:
            return False
        if callable(reply):
            reply(self.request)
            return False
        self.request.sendall(reply if reply.endswith(b"\r\n") else reply + b"\r\n")
        return True


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


class Mx:
    def __init__(self, host, port, taken=None, says=None):
        self.host, self.port = host, port
        self.taken, self.says = taken, says or {}
        self.commands = []
        self.server = Listener((host, port), Session)
        self.server.mx = self

    def start(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def reply(self, key, otherwise):
        return self.says.get(key, otherwise)

    def answer(self, verb, line):
        if verb == "RCPT":
            address = line[line.index("<") + 1:line.rindex(">")]
            if address in self.says:
                return self.says[address]
            if "*" in self.says:
                return self.says["*"]
            if self.taken is None or address in self.taken:
                return b"250 2.1.5 Ok"
            return b"550 5.1.1 No such user"
        return self.says.get(line) or self.reply(verb, b"250 Ok")

    def asked(self, address):
        """How often it was asked for a recipient."""
        return sum(line == f"RCPT TO:<{address}>" for told in self.commands for line in told)

    @property
    def connections(self):
        return len(self.commands)


def shared_port(*hosts):
    """A port that is free on all of them."""
    while True:
        port = free_port(hosts[0])
        taken = []
        try:
            for host in hosts:
                taken.append(socket.socket())
                taken[-1].bind((host, port))
            return port
        except OSError:
            continue
        finally:
            for s in taken:
                s.close()
