"""Each check as a sender meets it: the exact reply, its exemption, and monitor mode."""
import re

import pytest

ID = r" \[mx1-[0-9A-Z]{4}-[0-9A-Z]{4}\]"

LIST = 'domain "list.test" { route = "box" recipients = "list" }\n'


def refused(reply, text):
    """The reply is exactly this, and an incident id."""
    assert re.fullmatch(re.escape(text) + ID, str(reply)), reply


def ban_client(d):
    d.tool("ban", "add", "127.0.0.5")


def ban_domain(d):
    d.tool("ban", "add", "bad.example")


def ban_address(d):
    d.tool("ban", "add", "spam@bad.example")


def ban_recipient(d):
    d.tool("ban", "add", "recipient:bob@local.test")


def fill_list(d):
    d.tool("recipient", "import", "list.test", "-", input="known@list.test\n")


def banned_sender(c):
    c.mail("spam@bad.example")
    return c.rcpt()


def sub_domain(c):
    c.mail("x@sub.bad.example")
    return c.rcpt()


def helo_banned(c):
    c.cmd("EHLO mail.bad.example")
    c.mail()
    return c.rcpt()


def plain(c):
    c.mail()
    return c.rcpt()


def helo_ip(c):
    assert c.cmd("EHLO 192.0.2.1") == 250
    return plain(c)


def bounce(c):
    c.mail("")
    assert c.rcpt("one@local.test") == 250
    return c.rcpt("two@local.test")


def restricted(address):
    def run(c):
        c.mail()
        return c.rcpt(address)
    return run


def unknown(c):
    c.mail()
    return c.rcpt("nobody@list.test")


def relay(c):
    c.mail()
    return c.rcpt("x@elsewhere.example")


def with_headers(headers):
    def run(c):
        return c.message(headers=headers)
    return run


def raw_header(c):
    return c.message(text=b"From: <a@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n"
                     b"S\xfcbject: x\r\n\r\nbody\r\n")


def early(c):
    return plain(c)


# name, what to prepare, what to do, the exact reply, what exempts, options
CASES = [
    ("banned-client", ban_client, plain, "550 5.7.1 The sender 127.0.0.5 is banned", "client:127.0.0.5"),
    ("banned-domain", ban_domain, banned_sender, "550 5.7.1 The domain bad.example is banned",
     "sender:@bad.example"),
    ("banned-domain", ban_domain, sub_domain, "550 5.7.1 The domain bad.example is banned", "client:127.0.0.5"),
    ("banned-domain", ban_domain, helo_banned, "550 5.7.1 The domain bad.example is banned", "client:127.0.0.5"),
    ("banned-address", ban_address, banned_sender, "550 5.7.1 The sender spam@bad.example is banned",
     "sender:spam@bad.example"),
    ("banned-recipient", ban_recipient, plain, "550 5.7.1 The recipient bob@local.test is banned",
     "recipient:bob@local.test"),
    ("helo-ip", None, helo_ip, "550 5.7.1 The sender presented HELO as an IP address", "client:127.0.0.5"),
    ("bounce-recipients", None, bounce,
     "550 5.7.1 Legitimate bounces are never sent to more than one recipient.", "client:127.0.0.5"),
    ("restricted-recipient", None, restricted("a%b@local.test"),
     "553 5.1.3 Restricted characters in address", "recipient:a%b@local.test"),
    ("restricted-recipient", None, restricted("a|b@local.test"),
     "553 5.1.3 Restricted characters in address", "client:127.0.0.5"),
    ("restricted-recipient", None, restricted('"a@b"@local.test'),
     "553 5.1.3 Restricted characters in address", "client:127.0.0.5"),
    ("unknown-recipient", fill_list, unknown, "550 5.1.1 The email address does not exist",
     "recipient:nobody@list.test"),
    ("invalid-headers", None, raw_header, "550 5.6.0 This message contains invalid headers",
     "client:127.0.0.5"),
    ("subject", None, with_headers("Subject: =?UTF-8?B?VmlhZ3Jh?= today\r\n"),
     "550 5.7.1 This message is administratively prohibited", "sender:ann@example.org"),
    ("empty-reply-to", None, with_headers("Reply-To: (nobody) \r\n"),
     "550 5.7.1 This message is administratively prohibited", "sender:@example.org"),
]
SECTIONS = LIST + 'check "subject" { patterns = { "v[i1]agra" } %s }\ncheck "empty-reply-to" { mode = "enforce" }\n'


def daemon_for(start, check, mode):
    sections = LIST
    subject_mode = mode if check == "subject" else "enforce"
    sections += f'check "subject" {{ patterns = {{ "v[i1]agra" }} mode = "{subject_mode}" }}\n'
    if check != "subject":
        sections += f'check "{check}" {{ mode = "{mode}" }}\n'
    return start(sections=sections, options={"workers": 1})


@pytest.mark.parametrize("check, prepare, act, text, exempt", CASES,
                         ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_check(start, check, prepare, act, text, exempt):
    """Refused with the exact words; with an exemption not; in monitor mode not, but noted."""
    d = daemon_for(start, check, "enforce")
    if prepare:
        prepare(d)
    with d.client(source="127.0.0.5") as c:
        reply = act(c)
        refused(reply, text)
    d.wait_event("incident", check=check)
    d.tool("exempt", "add", check, exempt)
    with d.client(source="127.0.0.5") as c:
        assert act(c) == 250
    d.tool("exempt", "del", check, exempt)
    with d.client(source="127.0.0.5") as c:
        refused(act(c), text)


@pytest.mark.parametrize("check, prepare, act, text, exempt",
                         [c for i, c in enumerate(CASES) if c[0] not in {x[0] for x in CASES[:i]}],
                         ids=lambda v: v if isinstance(v, str) else None)
def test_monitor(start, check, prepare, act, text, exempt):
    d = daemon_for(start, check, "monitor")
    if prepare:
        prepare(d)
    with d.client(source="127.0.0.5") as c:
        assert act(c) == 250
        c.cmd("RSET")
    d.wait_event("message")
    assert any(check in str(e.get("would")) for e in d.events("message"))


def test_relay(start):
    d = start()
    with d.client(source="127.0.0.5") as c:
        refused(relay(c), "550 5.7.1 Relay not permitted")
    d.stop()


def test_relay_for_own_clients(start, hop):
    h = hop()
    d = start(hop_port=h.port, sections='check "relay" { route = "hop" }')
    with d.client(source="127.0.0.9") as c:
        assert c.message(to="x@elsewhere.example") == 250
    assert h.messages[0][1] == ["x@elsewhere.example"]
    with d.client(source="127.0.0.5") as c:
        refused(relay(c), "550 5.7.1 Relay not permitted")


def test_no_helo(shared):
    with shared.client(hello=None) as c:
        r = c.mail()
        assert str(r).startswith("503 5.5.1 The sender did not present a HELO/EHLO greeting")


def test_ban_at_connect(start):
    d = start()
    d.tool("ban", "add", "127.0.0.5", "--at-connect", "--reason", "worm")
    with d.client(source="127.0.0.5") as c:
        assert re.fullmatch(r"554 The sender 127\.0\.0\.5 is banned" + ID, str(c.greeting))
        assert c.cmd("EHLO x").code == 503
        assert c.cmd("QUIT") == 221
    with d.client(source="127.0.0.6") as c:
        assert c.greeting == 220


def test_ban_of_a_network_spares_its_neighbours(start):
    d = start()
    d.tool("ban", "add", "127.0.0.4/30")
    for source, code in (("127.0.0.3", 250), ("127.0.0.4", 550), ("127.0.0.7", 550), ("127.0.0.10", 250)):
        with d.client(source=source) as c:
            assert plain(c).code == code, source


def test_a_ban_holds_in_the_very_next_session_and_so_does_its_end(start):
    d = start(options={"workers": 2})
    for _ in range(5):
        d.tool("ban", "add", "bad.example")
        for _ in range(4):
            with d.client() as c:
                refused(banned_sender(c), "550 5.7.1 The domain bad.example is banned")
        d.tool("ban", "del", "bad.example")
        for _ in range(4):
            with d.client() as c:
                assert banned_sender(c) == 250


def test_lists_change_while_a_session_runs(start):
    d = start(options={"workers": 1})
    with d.client() as c:
        assert banned_sender(c) == 250
        c.cmd("RSET")
        d.tool("ban", "add", "spam@bad.example")
        refused(banned_sender(c), "550 5.7.1 The sender spam@bad.example is banned")


def test_an_expired_ban_is_none(start):
    d = start()
    d.tool("ban", "add", "bad.example", "--expires", "1s")
    with d.client() as c:
        refused(banned_sender(c), "550 5.7.1 The domain bad.example is banned")
    import time
    time.sleep(1.2)
    with d.client() as c:
        assert banned_sender(c) == 250


def test_postmaster_is_the_way_out(start):
    d = start()
    d.tool("ban", "add", "127.0.0.5")
    with d.client(source="127.0.0.5", hello="192.0.2.1") as c:
        assert c.message(to="postmaster@local.test") == 250
        assert c.message(to="Abuse@local.test") == 250
        c.mail()
        assert c.rcpt("<postmaster>"[1:-1]) in (250, 550)
        refused(c.rcpt("bob@local.test"), "550 5.7.1 The sender 127.0.0.5 is banned")


def test_own_clients_skip_the_checks_on_strangers(start):
    d = start()
    with d.client(source="127.0.0.9", hello="192.0.2.1") as c:
        assert bounce(c) == 250


def test_a_bounce_to_two_is_not_delivered_to_the_first(start):
    d = start()
    with d.client() as c:
        bounce(c)
        r = c.cmd("DATA")
        assert str(r).startswith("550 5.7.1 Legitimate bounces are never sent to more than one recipient.")
    assert d.mailbox("one") == []


@pytest.mark.parametrize("address", ["o'brien@local.test", "bounce+bob=example.org@local.test",
                                     "SRS0=abcd=x2=example.org=bob@local.test", "prvs=123=bob@local.test",
                                     "a&b#c~d-e_f*g?h^i@local.test"])
def test_honest_characters_pass(shared, address):
    with shared.client() as c:
        c.mail()
        assert c.rcpt(address) == 250


def test_a_leading_dot_is_restricted(shared):
    with shared.client() as c:
        c.mail()
        refused(c.rcpt(".a@local.test"), "553 5.1.3 Restricted characters in address")


def test_lists_of_recipients(start):
    d = start(sections=LIST)
    with d.client() as c:
        c.mail()
        assert c.rcpt("anybody@list.test") == 250, "an empty list says nothing"
    fill_list(d)
    with d.client() as c:
        c.mail()
        assert c.rcpt("Known@LIST.test") == 250
        assert c.rcpt("known+tag@list.test") == 250
        assert c.rcpt("other@list.test").code == 550
    d.tool("recipient", "add", "@list.test")
    with d.client() as c:
        c.mail()
        assert c.rcpt("other@list.test") == 250


def test_global_monitor_and_soft(start):
    d = start(options={"mode": "soft"})
    d.tool("ban", "add", "bad.example")
    with d.client() as c:
        r = banned_sender(c)
        assert 400 <= r.code < 500 and "The domain bad.example is banned" in r.text
    d.reload(mode="monitor")
    with d.client() as c:
        assert banned_sender(c) == 250
        assert relay(c).code in (250, 503, 550)
    with d.client() as c:
        refused(relay(c), "550 5.7.1 Relay not permitted")


def test_override_by_domain(start):
    d = start(domains='domain "local.test" { route = "box" }\n'
              'domain "lax.test" { route = "box" check "helo-ip" { mode = "off" } }')
    with d.client(hello="192.0.2.1") as c:
        c.mail()
        refused(c.rcpt("bob@local.test"), "550 5.7.1 The sender presented HELO as an IP address")
        assert c.rcpt("bob@lax.test") == 250


def test_literals_by_option(start):
    d = start(sections='check "helo-ip" { literals = false }')
    with d.client(hello="[192.0.2.1]") as c:
        refused(plain(c), "550 5.7.1 The sender presented HELO as an IP address")


def test_rate_limit(start):
    d = start(limits='limit "client" { by = "ip4/32" messages = { "3/1h" } }')
    with d.client(source="127.0.0.5") as c:
        for _ in range(3):
            assert c.message() == 250
        c.mail()
        refused(c.rcpt(), "450 4.7.1 You can only send 3 msgs per 1h")
    with d.client(source="127.0.0.6") as c:
        assert c.message() == 250
    d.wait_event("limit", limit="client")


def test_refused_attempts_are_not_charged(start):
    d = start(sections=LIST, limits='limit "client" { by = "ip4/32" messages = { "3/1h" } }')
    fill_list(d)
    with d.client(source="127.0.0.5") as c:
        for _ in range(10):
            c.cmd("RSET")
            assert unknown(c).code == 550
        c.cmd("RSET")
        for _ in range(3):
            assert c.message() == 250
        assert plain(c).code == 450


def test_limits_are_one_over_all_workers(start):
    d = start(options={"workers": 4}, limits='limit "client" { by = "ip4/32" recipients = { "20/1h" } }')
    good = 0
    for _ in range(30):
        with d.client(source="127.0.0.5") as c:
            good += c.message().code == 250
    assert good == 20


def test_limits_of_connections(start):
    d = start(limits='limit "client" { by = "ip4/24" connections = { "4/1h" } }')
    codes = []
    for i in range(6):
        with d.client(source=f"127.0.0.{i + 10}", hello=None) as c:
            codes.append(c.greeting.code)
    assert codes == [220] * 4 + [421] * 2


@pytest.mark.parametrize("by, others", [("sender", "x@example.org"), ("sender-domain", "x@other.example")])
def test_limits_by_sender(start, by, others):
    d = start(limits=f'limit "s" {{ by = "{by}" messages = {{ "2/1h" }} }}')
    with d.client() as c:
        assert c.message(sender="ann@example.org") == 250
        assert c.message(sender="ann+tag@example.org") == 250
        assert c.message(sender="Ann+other@example.org").code == 450
        c.cmd("RSET")
        assert c.message(sender=others) == 250


def test_dictionary_attack(start):
    d = start(sections=LIST + 'check "dictionary-attack" { unknown = "5/1h" share = 50 block = "1h" }',
              options={"workers": 2})
    fill_list(d)
    with d.client(source="127.0.0.5") as c:
        c.mail()
        for i in range(4):
            assert c.rcpt(f"guess{i}@list.test").code == 550
        last = c.rcpt("guess9@list.test")
        assert last.text.startswith("5.7.1 Dictionary attack detected") or last.code == 550
        assert c.reply().code == 421 and c.closed()
    d.wait_event("block")
    for _ in range(4):
        with d.client(source="127.0.0.5") as c:
            c.mail()
            refused(c.rcpt("known@list.test"), "550 5.7.1 Dictionary attack detected")
    with d.client(source="127.0.0.6") as c:
        c.mail()
        assert c.rcpt("known@list.test") == 250


def test_limits_and_blocks_outlive_a_restart(start):
    d = start(sections=LIST + 'check "dictionary-attack" { unknown = "3/1h" share = 50 block = "1h" }',
              limits='limit "client" { by = "ip4/32" messages = { "2/1h" } }')
    fill_list(d)
    with d.client(source="127.0.0.5") as c:
        c.mail()
        for i in range(3):
            c.rcpt(f"guess{i}@list.test")
    with d.client(source="127.0.0.6") as c:
        assert c.message() == 250
        assert c.message() == 250
    d.restart()
    with d.client(source="127.0.0.5") as c:
        c.mail()
        refused(c.rcpt("known@list.test"), "550 5.7.1 Dictionary attack detected")
    with d.client(source="127.0.0.6") as c:
        refused(plain(c), "450 4.7.1 You can only send 2 msgs per 1h")


def test_a_large_provider_is_no_dictionary_attack(start):
    d = start(sections=LIST + 'check "dictionary-attack" { unknown = "5/1h" share = 50 block = "1h" }',
              options={"workers": 1})
    fill_list(d)
    for _ in range(3):
        with d.client(source="127.0.0.5") as c:
            for i in range(5):
                assert c.message(to="known@list.test") == 250
            c.mail()
            for i in range(3):
                assert c.rcpt(f"old{i}@list.test").code == 550


def test_repeats_are_one_incident(start):
    d = start(options={"workers": 2})
    d.tool("ban", "add", "127.0.0.5")
    ids = set()
    for _ in range(6):
        with d.client(source="127.0.0.5") as c:
            ids.add(re.search(ID, str(plain(c))).group())
    assert len(ids) == 1


def test_help_url(start):
    d = start(options={"help-url": "https://why.example.net/"})
    d.tool("ban", "add", "127.0.0.5")
    with d.client(source="127.0.0.5") as c:
        assert re.search(r"https://why\.example\.net/\S{16,}", str(plain(c)))


def test_early_talker(start):
    d = start(options={"greeting-delay": "2s"}, sections='check "early-talker" { mode = "enforce" }')
    from smtp import Client
    c = Client(d.port, source="127.0.0.5", greet=False)
    c.send("EHLO early\r\n")
    r = c.reply()
    if r == 220:
        c.reply()
        r = plain(c)
    assert r.code in (550, 554) and "The sender spoke before the greeting" in str(r)
    c.close()
    with d.client(source="127.0.0.5") as patient:
        assert plain(patient) == 250


def test_a_session_that_ends_early_says_what_it_would_have_got(start):
    d = start()
    d.tool("ban", "add", "127.0.0.5")
    with d.client(source="127.0.0.5") as c:
        c.quit()
    event = d.wait_event("session", client="127.0.0.5")
    assert "banned" in str(event.get("would"))
