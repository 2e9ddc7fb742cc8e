"""recipients = "verify": the next hop, or another server that knows, is asked once about a recipient, and its answer
is remembered."""
import re
import subprocess

import pytest

from daemon import BUILD, Daemon, free_port, wait_for
from hop import Hop
from mx import Mx

ID = r" \[mx1-[0-9A-Z]{4}-[0-9A-Z]{4}\]"
REFUSED = "550 5.1.1 Recipient verification failed"

SECTIONS = """
route "queue" {{ hosts = {{ "smtp://127.0.0.1:{queue}" }}  retry-down = "1s" }}
route "knows" {{ hosts = {{ "smtp://127.0.0.1:{knows}" }}  retry-down = "1s" }}
route "bare"  {{ hosts = {{ "smtp://127.0.0.1:{bare}" }}  retry-down = "1s" }}
check "dictionary-attack" {{ mode = "monitor" }}
"""
DOMAINS = """
domain "local.test" { route = "box" }
domain "asks.test"  { route = "queue"  recipients = "verify"  verify = "knows" }
domain "queue.test" { route = "queue"  recipients = "verify" }
domain "bare.test"  { route = "bare"   recipients = "verify" }
domain "rated.test" { route = "queue"  recipients = "verify"  verify = "knows"
                      check "recipient-verify" { rate = "3/1h" } }
"""


class Edge:
    """A next hop that queues whatever it is given, and a server beside it that knows who exists."""

    def __init__(self):
        self.queue, self.knows = Hop().start(), Hop().start()
        self.bare = Mx("127.0.0.1", free_port(), taken={"ann@bare.test"}).start()
        self.daemon = Daemon({"workers": 2}, SECTIONS.format(queue=self.queue.port, knows=self.knows.port,
                                                            bare=self.bare.port), DOMAINS).start()
        self.knows.handler.refuse = Refusing(self.knows.handler)

    def stop(self):
        self.daemon.stop()
        self.queue.stop()
        self.knows.stop()
        self.bare.stop()


class Refusing(dict):
    """Whoever isn't `taken` does not exist."""

    def __init__(self, handler):
        super().__init__()
        self.taken = set()

    def __contains__(self, address):
        return super().__contains__(address) or address not in self.taken

    def __missing__(self, address):
        return "550 5.1.1 No such user"


@pytest.fixture(scope="module")
def edge():
    e = Edge()
    yield e
    e.stop()


def rcpt(d, to, sender="ann@example.org"):
    with d.client() as c:
        assert c.mail(sender) == 250
        return str(c.rcpt(to))


def refused(reply, text=REFUSED):
    assert re.fullmatch(re.escape(text) + ID, reply), reply
    return re.search(r"\[(.*)\]", reply).group(1)


def written(d):
    d.tool("recipient", "remembered")


def test_who_exists_is_asked_once_and_the_mail_goes_on(edge):
    d, knows = edge.daemon, edge.knows.handler
    knows.refuse.taken.add("bob@asks.test")
    for _ in range(3):
        with d.client() as c:
            assert c.message(to="bob@asks.test") == 250
        written(d)
    assert knows.asked.count("bob@asks.test") == 1
    assert len(edge.queue.messages) == 3 and edge.knows.messages == []
    assert edge.queue.messages[0][:2] == ("ann@example.org", ["bob@asks.test"])


def test_who_does_not_exist(edge):
    d, knows = edge.daemon, edge.knows.handler
    incident = refused(rcpt(d, "ghost@asks.test"))
    told = d.tool("explain", incident).stdout
    assert f"smtp://127.0.0.1:{edge.knows.port} said 550 5.1.1 No such user" in told
    written(d)
    for _ in range(4):
        refused(rcpt(d, "Ghost@asks.test"))
    assert knows.asked.count("ghost@asks.test") == 1
    assert "ghost@asks.test" in d.tool("recipient", "remembered", "@asks.test").stdout
    # the mailbox is made, and the administrator says so
    knows.refuse.taken.add("ghost@asks.test")
    refused(rcpt(d, "ghost@asks.test"))
    assert d.tool("recipient", "forget", "ghost@asks.test").stdout == "forgotten: 1 answer about ghost@asks.test\n"
    assert rcpt(d, "ghost@asks.test").startswith("250")


def test_the_question_is_a_bounces(edge):
    """What is refused for the sender's sake, or for the client's, is no matter of the recipient."""
    d, bare = edge.daemon, edge.bare
    assert rcpt(d, "ann@bare.test", sender="spammer@example.org").startswith("250")
    told = bare.commands[0]
    assert told[:3] == ["EHLO mx1.test", "MAIL FROM:<>", "RCPT TO:<ann@bare.test>"], told
    assert "spammer" not in str(bare.commands)
    written(d)
    d.tool("recipient", "forget", "@bare.test")


@pytest.mark.parametrize("reply, text", [
    ("450 4.2.1 Mailbox busy", "450 4.2.1 The next hop deferred the message"),
    ("552 5.2.2 Mailbox full", "552 5.1.1 Recipient verification failed"),
    ("550 5.7.1 Not today", "550 5.7.1 Recipient verification failed"),
])
def test_what_is_not_remembered(edge, reply, text):
    d, knows = edge.daemon, edge.knows.handler
    who = f"u{reply[:3]}{reply[6:7]}@asks.test"
    knows.refuse[who] = reply
    refused(rcpt(d, who), text)
    refused(rcpt(d, who), text)
    assert knows.asked.count(who) == 2
    del knows.refuse[who]
    knows.refuse.taken.add(who)
    assert rcpt(d, who).startswith("250")


def test_who_knows_is_away(edge):
    d, knows = edge.daemon, edge.knows
    knows.handler.refuse.taken |= {"late@asks.test", "known@asks.test"}
    assert rcpt(d, "known@asks.test").startswith("250")
    written(d)
    knows.stop()
    refused(rcpt(d, "late@asks.test"), "451 4.3.0 The next hop is not available, try again later")
    assert rcpt(d, "known@asks.test").startswith("250"), "what is remembered still holds"
    knows.start()
    wait_for(lambda: rcpt(d, "late@asks.test").startswith("250"), what="the server is asked again", pause=0.3)


def test_a_next_hop_that_takes_anything_is_noticed(edge):
    d, queue = edge.daemon, edge.queue.handler
    before = len(queue.asked)
    for i in range(4):
        assert rcpt(d, f"u{i}@queue.test").startswith("250")
        written(d)
    assert len(queue.asked) == before + 2, "the first one, and one that nobody has"
    assert "takes any address" in d.tool("recipient", "remembered", "@queue.test").stdout


def test_a_next_hop_that_refuses_the_null_sender_is_asked_live(edge):
    d, bare = edge.daemon, edge.bare
    bare.says["MAIL FROM:<>"] = b"550 5.7.1 No bounces"
    for _ in range(2):
        assert rcpt(d, "ann@bare.test").startswith("250")
        refused(rcpt(d, "ghost@bare.test"))
        written(d)
    assert "refuses the null sender" in d.tool("recipient", "remembered", "@bare.test").stdout
    assert bare.asked("ghost@bare.test") >= 2


def test_hosts_are_not_asked_too_often(edge):
    d, knows = edge.daemon, edge.knows.handler
    replies = [rcpt(d, f"u{i}@rated.test") for i in range(5)]
    assert [r[:9] for r in replies] == ["550 5.1.1"] * 3 + ["451 4.3.0"] * 2
    assert sum(a.endswith("@rated.test") for a in knows.asked) == 3


def test_a_restart_forgets_nothing(edge):
    d, knows = edge.daemon, edge.knows.handler
    refused(rcpt(d, "ever@asks.test"))
    d.restart()
    refused(rcpt(d, "ever@asks.test"))
    assert knows.asked.count("ever@asks.test") == 1


def test_mistakes_in_the_configuration():
    d = Daemon(domains='domain "local.test" { route = "box"  recipients = "verify" }\n'
               'domain "b.test" { route = "box"  verify = "box" }\n'
               'domain "c.test" { route = "box"  recipients = "verify"  verify = "bux" }',
               sections='check "recipient-verify" { positive = "1h"  negative = "2h" }')
    d.write()
    told = subprocess.run([f"{BUILD}/gatepostd", "-t", "-c", d.path], capture_output=True, text=True).stderr
    d.stop()
    assert 'domain "local.test": recipients = "verify": the route "box" is a Maildir' in told
    assert 'domain "b.test": verify: it needs recipients = "verify"' in told
    assert 'domain "c.test": verify: no route "bux"; nearest: box' in told
    assert 'negative: 2h is longer than positive, 1h' in told
