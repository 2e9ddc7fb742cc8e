"""The DNS as it may be: slow, dead, cut short, lying.  No session is lost for it, nobody is refused
for good, and nobody waits for what isn't needed yet."""
import statistics
import time

import pytest
from dns_server import reverse

CHECK = 'check "reverse-dns" {{ unknown = "{}" }}\n'
QUICK = {"dns-timeout": "1s", "dns-budget": "1s"}
# What can't be told from a good answer that is late, and what is seen for what it is at once.
SILENT = ["drop", "wrong-id", "wrong-question", "empty", "one-byte"]
LIES = ["servfail", "refused", "notimp", "formerr", "self-pointer", "pointer-chain"]


def rcpt(client):
    assert client.mail() == 250
    return client.rcpt()


def metric(daemon, name):
    return daemon.status()["metrics"][name]


@pytest.fixture
def lists(dns):
    """Four lists of addresses that answer their test points and list nobody else."""
    names = [f"l{i}.test" for i in range(4)]
    dns.update({f"2.0.0.127.{n}": {"A": "127.0.0.2"} for n in names})
    return "".join(f'dnsbl "{n}" {{ listed = {{ "127.0.0.2" }} }}\n' for n in names)


def test_a_question_is_answered(start, dns):
    dns.update({reverse("127.0.1.1"): {"PTR": "mx.example.org"}, reverse("127.0.1.2"): {"does": "nodata"}})
    d = start(dns=dns, sections=CHECK.format("defer"))
    assert rcpt(d.client(source="127.0.1.1")) == 250
    refused = rcpt(d.client(source="127.0.1.2"))
    assert refused == 550
    assert "no reverse DNS" in refused.text
    assert metric(d, "dns_queries") >= 2


def test_a_cut_answer_is_fetched_by_tcp(start, dns):
    name = reverse("127.0.1.1")
    dns.update({name: {"PTR": "mx.example.org", "does": "truncate"}})
    d = start(dns=dns, sections=CHECK.format("defer"))
    assert rcpt(d.client(source="127.0.1.1")) == 250
    assert (name, "PTR", "tcp") in dns.queries


@pytest.mark.parametrize("unknown, code", [("defer", 451), ("pass", 250)])
def test_lies_are_no_answers(start, dns, unknown, code):
    sources = {f"127.0.1.{i + 1}": does for i, does in enumerate(SILENT + LIES + ["huge"])}
    dns.update({reverse(ip): {"does": does, "PTR": "mx.example.org"} for ip, does in sources.items()})
    dns.update({reverse("127.0.2.1"): {"PTR": "mx.example.org"}})
    d = start(dns=dns, options=QUICK, sections=CHECK.format(unknown))
    clients = {ip: d.client(source=ip) for ip in sources}
    for ip, does in sources.items():
        reply = rcpt(clients[ip])
        # 65,535 bytes of something else are an answer, of which nothing is a PTR record
        assert reply == (550 if does == "huge" else code), f"{does}: {reply}"
        if reply == 451:
            assert reply.text.startswith("4.4.3 ")
    assert metric(d, "dns_failures") >= len(sources) - 1
    assert rcpt(d.client(source="127.0.2.1")) == 250


def test_a_dead_resolver_holds_up_no_greeting(start, dns, lists):
    d = start(dns=dns, options={"dns-timeout": "3s", "dns-budget": "3s"}, sections=CHECK.format("pass") + lists)
    dns.does = "drop"
    waits, clients = [], []
    for i in range(100):
        begun = time.monotonic()
        clients.append(d.client(source=f"127.0.1.{i + 1}"))
        waits.append(time.monotonic() - begun)
    assert statistics.quantiles(waits, n=100)[98] < 1
    # all wait at once; one budget is what a command waits at the most
    begun = time.monotonic()
    for c in clients:
        assert c.mail() == 250
        c.send("RCPT TO:<bob@local.test>\r\n")
    for c in clients:
        assert c.reply() == 250
    assert time.monotonic() - begun < 25
    # and it is over when the resolver is back
    dns.does = None
    assert rcpt(d.client(source="127.0.2.1")) == 550


def test_slow_answers_are_awaited_together(start, dns, lists):
    count, delay = 100, 0.2
    dns.update({reverse(f"127.0.1.{i + 1}"): {"PTR": f"mx{i}.example.org", "delay": delay} for i in range(count)})
    dns.update({f"*.l{i}.test": {"does": "nxdomain", "delay": delay} for i in range(4)})
    d = start(dns=dns, sections=CHECK.format("defer") + lists)
    begun = time.monotonic()
    clients = [d.client(source=f"127.0.1.{i + 1}") for i in range(count)]
    for c in clients:
        assert c.mail() == 250
        c.send("RCPT TO:<bob@local.test>\r\n")
    for c in clients:
        assert c.reply() == 250
    # one after the other: 100 s
    assert time.monotonic() - begun < count * delay
