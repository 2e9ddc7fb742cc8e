"""What is accepted arrives, byte for byte; what the next hop says reaches the client."""
import socket
import threading

import pytest

from daemon import free_port, wait_for

HEADER = b"From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nSubject: test\r\n\r\n"


def body_of(message):
    return message.split(b"\r\n\r\n", 1)[1]


def test_maildir(shared):
    with shared.client() as c:
        assert c.message(to="bob@local.test").code == 250
    (message,) = shared.mailbox("bob")
    text = message.decode()
    assert "Received: from client.example ([127.0.0.1])" in text
    assert "for <bob@local.test>" in text
    assert text.startswith("Return-Path: <ann@example.org>")
    assert text.rstrip().endswith("Hello.")
    shared.wait_event("message", verdict="accepted", to="bob@local.test")


def test_several_maildirs(shared):
    with shared.client() as c:
        assert c.message(to=["m1@local.test", "m2@local.test", "m3@local.test"]) == 250
    for user in ("m1", "m2", "m3"):
        assert len(shared.mailbox(user)) == 1


def test_names_that_would_leave_the_maildir(shared):
    with shared.client() as c:
        c.mail()
        for local in ('"../../etc/x"', '"a/../../b"', '".."', '".hidden"'):
            c.rcpt(f"{local}@local.test")
        c.cmd("RSET")
        c.message(to='"..x"@local.test')
        c.cmd("RSET")
        assert c.message(to="after@local.test") == 250
    import os
    for folder, _, files in os.walk(shared.dir):
        if files and "/new" in folder:
            assert folder.startswith(f"{shared.mail}/local.test/"), folder


@pytest.mark.parametrize("body", [
    b"plain\r\n",
    b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n.\r\nend\r\n",
    b"\r\n\r\n\r\n",
    b"8 bit \xff\xfe\xe4\r\n",
    b"x" * 900 + b"\r\n" + b".y" * 400 + b"\r\n",
    (b"." * 70 + b"\r\n") * 3000,
], ids=["plain", "dots", "empty lines", "8 bit", "long lines", "big"])
def test_byte_for_byte(start, hop, body):
    h = hop()
    d = start(hop_port=h.port)
    with d.client() as c:
        assert c.message(to="x@hop.test", text=HEADER + body) == 250
        c.mail()
        c.rcpt("x@hop.test")
        chunk = HEADER + body
        half = len(chunk) // 2
        c.send(b"BDAT %d\r\n" % half + chunk[:half])
        assert c.reply() == 250
        c.send(b"BDAT %d LAST\r\n" % (len(chunk) - half) + chunk[half:])
        assert c.reply() == 250
    for _, _, content in h.messages:
        received, rest = content.split(b"From:", 1)
        assert received.startswith(b"Authentication-Results: mx1.test;") and b"\nReceived: " in received
        assert b"From:" + rest == HEADER + body
    assert len(h.messages) == 2


def test_last_line_without_its_end(start, hop):
    h = hop()
    d = start(hop_port=h.port)
    with d.client() as c:
        c.mail()
        c.rcpt("x@hop.test")
        chunk = HEADER + b"no end"
        c.send(b"BDAT %d LAST\r\n" % len(chunk) + chunk)
        assert c.reply() == 250
    assert h.messages[0][2].endswith(b"no end\r\n")


def test_queue_id_in_the_log(start, hop):
    h = hop()
    d = start(hop_port=h.port)
    with d.client() as c:
        assert c.message(to="x@hop.test") == 250
    assert "Q123" in str(d.wait_event("message", verdict="accepted"))


def test_recipient_unknown_to_the_hop(start, hop):
    h = hop()
    h.handler.refuse["nobody@hop.test"] = "550 5.1.1 secret-host.internal: no such user"
    h.handler.refuse["full@hop.test"] = "452 4.2.2 mailbox full"
    h.handler.refuse["odd@hop.test"] = "550 5.3.0 odd"
    d = start(hop_port=h.port)
    with d.client() as c:
        c.mail()
        r = c.rcpt("nobody@hop.test")
        assert str(r).startswith("550 5.1.1 Recipient verification failed")
        assert "secret-host" not in str(r)
        assert c.rcpt("full@hop.test").code == 452
        assert str(c.rcpt("odd@hop.test")).startswith("550 5.1.1 Recipient verification failed")
        assert c.rcpt("good@hop.test") == 250
    assert h.handler.asked == ["nobody@hop.test", "full@hop.test", "odd@hop.test", "good@hop.test"]


def test_hop_text_by_option(start, hop):
    h = hop()
    h.handler.refuse["nobody@hop.test"] = "550 5.1.1 ask the librarian"
    d = start(hop_port=h.port, options={"hop-text": True})
    with d.client() as c:
        c.mail()
        assert "ask the librarian" in str(c.rcpt("nobody@hop.test"))


def test_refused_after_the_data(start, hop):
    h = hop()
    h.handler.data_reply = "554 5.7.9 not that one"
    d = start(hop_port=h.port)
    with d.client() as c:
        r = c.message(to="x@hop.test")
        assert r.code == 554 and r.text.startswith("5.7.9 ")
        h.handler.data_reply = "451 4.7.9 later"
        r = c.message(to="x@hop.test")
        assert r.code == 451 and r.text.startswith("4.7.9 ")
        h.handler.data_reply = None
        assert c.message(to="x@hop.test") == 250


def test_hop_away_and_back(start, hop):
    h = hop()
    d = start(hop_port=h.port)
    h.stop()
    with d.client() as c:
        c.mail()
        r = c.rcpt("x@hop.test")
        assert r.code == 451 and r.text.startswith("4.3.0")
        assert c.rcpt("bob@local.test") == 250
        c.cmd("RSET")
        h.start()
        wait_for(lambda: c.message(to="x@hop.test").code == 250 or (c.cmd("RSET") and False),
                 what="use of the hop again")
    assert len(h.messages) == 1


def test_failover(start, hop):
    h = hop()
    dead = free_port()
    route = (f'route "two" {{ hosts = {{ "smtp://127.0.0.1:{dead}", "smtp://127.0.0.1:{h.port}" }} }}\n'
             'domain "two.test" { route = "two" }')
    d = start(sections=route)
    with d.client() as c:
        for _ in range(3):
            assert c.message(to="x@two.test") == 250
    assert len(h.messages) == 3


def test_round_robin(start, hop):
    hops = [hop(), hop()]
    hosts = ", ".join(f'"smtp://127.0.0.1:{h.port}"' for h in hops)
    d = start(options={"workers": 1}, sections=f'route "two" {{ hosts = {{ {hosts} }} balance = "round-robin" }}\n'
              'domain "two.test" { route = "two" }')
    with d.client() as c:
        for _ in range(6):
            assert c.message(to="x@two.test") == 250
    assert min(len(h.messages) for h in hops) >= 1


def test_lmtp_takes_one_recipient(start, hop):
    h = hop(lmtp=True)
    d = start(sections=f'route "store" {{ hosts = {{ "lmtp://127.0.0.1:{h.port}" }} }}\n'
              'domain "store.test" { route = "store" }')
    with d.client() as c:
        c.mail()
        assert c.rcpt("a@store.test") == 250
        r = c.rcpt("b@store.test")
        assert r.code == 452 and r.text.startswith("4.5.3")
        assert c.data(HEADER + b"x\r\n") == 250
    assert [m[1] for m in h.messages] == [["a@store.test"]]


def test_other_route_wants_a_message_of_its_own(start, hop):
    h = hop()
    d = start(hop_port=h.port)
    with d.client() as c:
        c.mail()
        assert c.rcpt("bob@local.test") == 250
        r = c.rcpt("x@hop.test")
        assert r.code == 452 and r.text.startswith("4.5.3")


def test_smtputf8_only_where_the_hop_has_it(start, hop):
    for utf8 in (False, True):
        h = hop(utf8=utf8)
        d = start(hop_port=h.port)
        with d.client() as c:
            assert c.cmd("MAIL FROM:<jürgen@example.org> SMTPUTF8") == 250
            r = c.rcpt("x@hop.test")
            if utf8:
                assert r == 250
                assert c.data(HEADER + b"x\r\n") == 250
                assert h.messages[0][0] == "jürgen@example.org"
            else:
                assert r.code == 553 and r.text.startswith("5.6.7")


class Scripted:
    """A next hop that plays one answer for each line it reads; None: closes; "": silence."""

    def __init__(self, answers):
        self.answers = answers
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(s,), daemon=True).start()

    def one(self, s):
        try:
            with s, s.makefile("rb") as f:
                s.sendall(self.answers.get("greeting", b"220 hop\r\n"))
                data = False
                for line in f:
                    verb = b"." if data and line == b".\r\n" else None if data else line.split()[0].upper()
                    if verb is None:
                        continue
                    data = False
                    answer = self.answers.get(verb.decode(), b"250 ok\r\n")
                    if answer is None:
                        return
                    s.sendall(answer)
                    if verb == b"DATA" and answer.startswith(b"354"):
                        data = True
        except OSError:
            pass

    def close(self):
        self.sock.close()


HOSTILE = [b"250-" + b"x" * 40 + b"\r\n" + b"250-more\r\n" * 20000, b"250 " + b"y" * 1000000 + b"\r\n", b"25",
           b"\r\n", b"250\0ok\r\n", b"999 what\r\n", b"hello\r\n", None]


@pytest.mark.parametrize("verb", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("answer", range(len(HOSTILE)))
def test_hop_that_talks_nonsense(start, verb, answer):
    answers = {"EHLO": b"250 hop\r\n", "DATA": b"354 go\r\n", verb: HOSTILE[answer]}
    if verb == "greeting" and HOSTILE[answer] is None:
        pytest.skip("a greeting that is not sent is the hop that hangs")
    peer = Scripted(answers)
    route = (f'route "bad" {{ hosts = {{ "smtp://127.0.0.1:{peer.port}" }} reply-timeout = "2s" '
             'final-timeout = "2s" connect-timeout = "2s" }\ndomain "bad.test" { route = "bad" }')
    d = start(sections=route, options={"workers": 1})
    with d.client() as c:
        r = c.message(to="x@bad.test")
        assert 400 <= r.code < 500, r
        c.cmd("RSET")
        assert c.message(to="bob@local.test") == 250
    assert len(d.children("worker")) == 1
    peer.close()
