"""A client that speaks SMTP byte by byte, so that tests see exactly what stands on the wire."""
import socket

PATIENCE = 30


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3])
        self.text = lines[-1][4:]

    def __eq__(self, other):
        return self.code == other if isinstance(other, int) else NotImplemented

    def __str__(self):
        return "\n".join(self.lines)

    __repr__ = __str__


class Client:
    def __init__(self, port, source="127.0.0.1", host="127.0.0.1", greet=True, hello="client.example"):
        self.sock = socket.create_connection((host, port), PATIENCE, (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.greeting = None
        if greet:
            self.greeting = self.reply()
            if hello and self.greeting == 220:
                self.hello = self.cmd(f"EHLO {hello}")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b"\r\n" not in self.buffer:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError(f"closed; left over: {self.buffer!r}")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode()

    def reply(self):
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1][3:4] != "-":
                return Reply(lines)

    def cmd(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def mail(self, sender="ann@example.org", params=""):
        return self.cmd(f"MAIL FROM:<{sender}>{params}")

    def rcpt(self, recipient="bob@local.test", params=""):
        return self.cmd(f"RCPT TO:<{recipient}>{params}")

    def data(self, message):
        """DATA and a message, dots stuffed; the last reply."""
        r = self.cmd("DATA")
        if r != 354:
            return r
        body = message if isinstance(message, bytes) else message.encode()
        if not body.endswith(b"\r\n"):
            body += b"\r\n"
        if body.startswith(b"."):
            body = b"." + body
        self.send(body.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return self.reply()

    def message(self, sender="ann@example.org", to="bob@local.test", text=None, headers=""):
        """A whole transaction; the first reply that is not 2xx/354, or the last."""
        if text is None:
            text = (f"From: <{sender or 'postmaster@example.org'}>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n"
                    f"Subject: test\r\n{headers}\r\nHello.\r\n")
        for r in (self.mail(sender), *(self.rcpt(t) for t in ([to] if isinstance(to, str) else to))):
            if r.code >= 400:
                return r
        return self.data(text)

    def closed(self, seconds=PATIENCE):
        """True if the server closes (or has closed) the connection."""
        self.sock.settimeout(seconds)
        try:
            while True:
                got = self.sock.recv(65536)
                if not got:
                    return True
                self.buffer += got
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.sock.close()

    def quit(self):
        r = self.cmd("QUIT")
        self.close()
        return r

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
