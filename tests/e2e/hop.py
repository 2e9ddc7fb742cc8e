"""Next hops: a real SMTP or LMTP server (aiosmtpd) whose answers a test can choose, and which keeps
every message byte for byte."""
from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

from daemon import free_port


class Handler:
    def __init__(self):
        self.messages = []   # (sender, recipients, bytes)
        self.secure = []     # whether each of them came over TLS
        self.asked = []      # recipients of every RCPT
        self.refuse = {}     # recipient -> reply
        self.mail_reply = None
        self.data_reply = None
        self.params = []     # MAIL parameters seen
        self.xforward = []

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.params.append(options)
        if self.mail_reply:
            return self.mail_reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.asked.append(address)
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.data_reply:
            return self.data_reply
        self.secure.append(server.transport.get_extra_info("sslcontext") is not None)
        self.messages.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content))
        return "250 2.0.0 queued as Q123"


class Hop:
    """`tls`: an ssl.SSLContext, for STARTTLS, or from the first byte (`tls_first`)."""

    def __init__(self, lmtp=False, utf8=False, size=None, tls=None, tls_first=False):
        self.port = free_port()
        self.handler = Handler()
        self.controller = None
        server = LMTP if lmtp else SMTP

        class Own(Controller):
            def factory(self):
                return server(self.handler, enable_SMTPUTF8=utf8, hostname="hop.test",
                              data_size_limit=size, ident="hop", tls_context=None if tls_first else tls)

        self.make = lambda: Own(self.handler, hostname="127.0.0.1", port=self.port,
                                ssl_context=tls if tls_first else None)

    def start(self):
        self.controller = self.make()
        self.controller.start()
        return self

    def stop(self):
        if self.controller:
            self.controller.stop()
        self.controller = None

    @property
    def messages(self):
        return self.handler.messages
