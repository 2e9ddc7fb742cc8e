"""A DNS server for the tests (dnslib), by UDP and TCP on one port of loopback, in a thread.

    dns = DnsServer({
        "example.org":  {"A": "192.0.2.1", "MX": ["10 mx.example.org"], "TXT": "v=spf1 mx -all"},
        "slow.test":    {"A": "192.0.2.2", "delay": 0.05},
        "dead.test":    {"does": "drop"},
        "*.list.test":  {"A": "127.0.0.2"},
    }).start()

A name that isn't there is NXDOMAIN (but NODATA where names below it are), CNAMEs are followed, "*."
stands for every name below that has no row of its own.  A value is one record or a list of them; a
text longer than 255 bytes is cut into strings, a tuple gives the strings themselves, bytes go as
they are.  Types beyond those known here are written "TYPE65280" with bytes as their data.

Nothing lives longer than its moment (`ttl` of a row: 0), so that what a test changes holds at once.

What a name `does` instead of answering: drop, servfail, refused, notimp, formerr, nxdomain, nodata,
truncate (by UDP; TCP answers), wrong-id, wrong-question, empty (a datagram of 0 bytes), one-byte,
self-pointer, pointer-chain (of 100), huge (65,535 bytes, by TCP).  dns.does is for all names.
"""
import heapq
import ipaddress
import selectors
import socket
import threading
import time

from dnslib import AAAA, CNAME, MX, NS, PTR, QTYPE, RD, RR, SOA, TXT, A, DNSLabel, DNSRecord

RCODES = {"servfail": 2, "refused": 5, "notimp": 4, "formerr": 1, "nxdomain": 3, "nodata": 0}
NOT_TYPES = {"delay", "does", "ttl"}
CNAMES_MAX = 16


def label(name):
    """Any bytes, unlike dnslib's own, which takes them for IDNA."""
    if isinstance(name, str):
        name = name.encode("utf-8")
    return DNSLabel([part for part in name.rstrip(b".").split(b".") if part])


def key(qname):
    return b".".join(qname.label).lower().decode("latin-1")


def strings(value):
    if isinstance(value, (tuple, list)):
        return [v if isinstance(v, bytes) else v.encode() for v in value]
    value = value if isinstance(value, bytes) else value.encode()
    return [value[i:i + 255] for i in range(0, len(value), 255)] or [b""]


def record(kind, value):
    if kind == "MX":
        preference, _, exchange = value.partition(" ")
        return MX(label(exchange), int(preference))
    if kind == "TXT":
        return TXT(strings(value))
    names = {"PTR": PTR, "CNAME": CNAME, "NS": NS}
    if kind in names:
        return names[kind](label(value))
    addresses = {"A": A, "AAAA": AAAA}
    if kind in addresses:
        return addresses[kind](value)
    return RD(value)


def reverse(address):
    """The name of an address' PTR record."""
    return ipaddress.ip_address(address).reverse_pointer


def listed(address, zone):
    """The name under which a list answers for an address."""
    return reverse(address).rsplit(".", 2)[0] + "." + zone


class DnsServer:
    def __init__(self, zone=None):
        self.zone = {}
        self.does = None       # for all names
        self.delay = 0         # for all names, seconds
        self.queries = []      # (name, type, "udp" or "tcp"), as they came
        self.lock = threading.Lock()
        self.late = []         # heap of (time, number, send)
        self.number = 0
        self.update(zone or {})
        self._open()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _open(self):
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind(("127.0.0.1", self.port))
            except OSError:
                self.udp.close()
                self.tcp.close()
                continue
            break
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.udp.setblocking(False)
        self.tcp.listen(128)
        self.wake, self.woken = socket.socketpair()
        self.address = f"127.0.0.1:{self.port}"

    def update(self, zone):
        """Rows added or replaced, also while it runs."""
        with self.lock:
            for name, row in zone.items():
                self.zone[name.rstrip(".").lower()] = row

    def remove(self, *names):
        with self.lock:
            for name in names:
                self.zone.pop(name.rstrip(".").lower(), None)

    def asked(self, name, kind=None):
        """How often it was asked for."""
        name = name.rstrip(".").lower()
        with self.lock:
            return sum(1 for n, k, _ in self.queries if n == name and kind in (None, k))

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.wake.send(b"x")
        self.thread.join()
        for s in (self.udp, self.tcp, self.wake, self.woken):
            s.close()

    # --- what is said

    def _row(self, name):
        """The row of a name: its own, or that of the nearest asterisk above it."""
        if name in self.zone:
            return self.zone[name]
        while "." in name:
            name = name.split(".", 1)[1]
            if "*." + name in self.zone:
                return self.zone["*." + name]
        return self.zone.get("*")

    def _exists(self, name):
        return self._row(name) is not None or any(n.endswith("." + name) for n in self.zone)

    def _add(self, reply, owner, kind, row):
        values = row.get(kind, [])
        for value in values if isinstance(values, list) else [values]:
            kind_number = int(kind[4:]) if kind.startswith("TYPE") else getattr(QTYPE, kind)
            reply.add_answer(RR(owner, kind_number, rdata=record(kind, value), ttl=row.get("ttl", 0)))

    def _answer(self, query):
        reply = query.reply()
        owner, kind = query.q.qname, QTYPE[query.q.qtype]
        for _ in range(CNAMES_MAX):
            row = self._row(key(owner))
            if row is None or "CNAME" not in row or kind == "CNAME":
                break
            self._add(reply, owner, "CNAME", row)
            owner = label(row["CNAME"])
        name = key(owner)
        row = self._row(name) or {}
        self._add(reply, owner, kind, row)
        if not any(rr.rtype == query.q.qtype for rr in reply.rr):
            if not self._exists(name):
                reply.header.rcode = RCODES["nxdomain"]
            reply.add_auth(RR(label("test"), QTYPE.SOA, ttl=0,
                              rdata=SOA(label("ns.test"), label("root.test"), (1, 60, 60, 60, 0))))
        return reply

    # --- lies

    def _lie(self, does, query, proto):
        """The bytes of a reply (None: nothing) for what a name `does`."""
        reply = query.reply()
        if does in RCODES:
            reply.header.rcode = RCODES[does]
        elif does == "wrong-id":
            reply = self._answer(query)
            reply.header.id ^= 0xffff
        elif does == "wrong-question":
            reply = self._answer(query)
            reply.questions[0].qname = label("wrong.test")
        elif does == "empty":
            return b""
        elif does == "one-byte":
            return b"\0"
        elif does in ("self-pointer", "pointer-chain"):
            return self._pointers(reply, 1 if does == "self-pointer" else 100)
        elif does in ("truncate", "huge"):
            if proto == "tcp":
                return self._huge(reply) if does == "huge" else self._answer(query).pack()
            reply.header.tc = 1
        else:
            return None
        return reply.pack()

    @staticmethod
    def _pointers(reply, chain):
        """An address whose owner is a pointer to itself, or the end of a chain in a record before."""
        data = bytearray(reply.pack())
        tail = b"\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1"
        count = 1
        if chain > 1:
            count = 2
            data += b"\xc0\x0c" + (65280).to_bytes(2, "big") + b"\0\1\0\0\0\1" + (2 * chain).to_bytes(2, "big")
            data += b"\xc0\x0c"
            for _ in range(chain - 1):
                data += (0xc000 | (len(data) - 2)).to_bytes(2, "big")
            data += (0xc000 | (len(data) - 2)).to_bytes(2, "big")
        else:
            data += (0xc000 | len(data)).to_bytes(2, "big")
        data[6:8] = count.to_bytes(2, "big")
        return bytes(data + tail)

    @staticmethod
    def _huge(reply):
        """65,535 bytes of TXT, whatever was asked."""
        data = bytearray(reply.pack())
        left = 65535 - len(data) - 12
        data[6:8] = b"\0\1"
        data += b"\xc0\x0c\0\x10\0\1\0\0\0\1" + left.to_bytes(2, "big")
        while left > 0:
            n = min(left - 1, 255)
            data += bytes([n]) + b"x" * n
            left -= n + 1
        return bytes(data)

    # --- sockets

    def _handle(self, data, proto, send):
        try:
            query = DNSRecord.parse(data)
            name = key(query.q.qname)
        except Exception:  # what isn't a question gets no answer
            return
        with self.lock:
            self.queries.append((name, QTYPE[query.q.qtype], proto))
            row = self._row(name) or {}
            does = row.get("does") or self.does
            delay = row.get("delay", self.delay)
            reply = self._lie(does, query, proto) if does else self._answer(query).pack()
        if reply is None:
            return
        if proto == "udp" and len(reply) > 1232:
            cut = query.reply()
            cut.header.tc = 1
            reply = cut.pack()
        if delay:
            self.number += 1
            heapq.heappush(self.late, (time.monotonic() + delay, self.number, lambda: send(reply)))
        else:
            send(reply)

    def _read_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(65535)
            except BlockingIOError:
                return
            self._handle(data, "udp", lambda reply, peer=peer: self.udp.sendto(reply, peer))

    def _read_tcp(self, conn):
        """A whole question comes in one piece on loopback."""
        try:
            data = conn.recv(65537)
        except OSError:
            data = b""
        if len(data) < 2:
            self.selector.unregister(conn)
            conn.close()
            return

        def send(reply):
            try:
                conn.sendall(len(reply).to_bytes(2, "big") + reply)
            except OSError:
                pass

        while len(data) > 2:
            n = int.from_bytes(data[:2], "big")
            self._handle(data[2:2 + n], "tcp", send)
            data = data[2 + n:]

    def _send_late(self):
        while self.late and self.late[0][0] <= time.monotonic():
            heapq.heappop(self.late)[2]()
        return self.late[0][0] - time.monotonic() if self.late else None

    def _serve(self):
        self.selector = selectors.DefaultSelector()
        for s in (self.udp, self.tcp, self.woken):
            self.selector.register(s, selectors.EVENT_READ)
        while True:
            for event, _ in self.selector.select(self._send_late()):
                s = event.fileobj
                if s is self.woken:
                    self.selector.close()
                    return
                if s is self.udp:
                    self._read_udp()
                elif s is self.tcp:
                    self.selector.register(self.tcp.accept()[0], selectors.EVENT_READ)
                else:
                    self._read_tcp(s)
