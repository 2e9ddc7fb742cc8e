"""Files, structure and header rules as a sender meets them: the corpus of tricks through the daemon, live changes of
the list, and the messages that have kept other parsers busy for ever."""
import glob
import os
import re

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ID = r" \[mx1-[0-9A-Z]{4}-[0-9A-Z]{4}\]"
REPLIES = {
    "extension": "550 5.7.1 Blacklisted file extension detected.",
    "program": "550 5.7.1 Executable file detected.",
    "limit": "550 5.7.1 The message could not be inspected",
    "rule": "550 5.7.1 This message is administratively prohibited",
}
ATTACHMENT = f'check "attachment" {{ extensions-file = "{ROOT}/etc/extensions" %s }}\n'
HEADERS = "From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n"
DOMAINS = 'domain "local.test" { route = "box" }\ndomain "other.test" { route = "box" }\n'


def refused(reply, kind):
    assert re.fullmatch(re.escape(REPLIES[kind]) + ID, str(reply)), reply


def with_file(name, encoding="7bit", content="x\r\n"):
    return (HEADERS + 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nSee.\r\n--b\r\n'
            f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
            f'{content}\r\n--b--\r\n')


def corpus(folder):
    """What is expected and the message, line ends as on the wire."""
    for path in sorted(glob.glob(f"{ROOT}/tests/mime/{folder}/*.eml")):
        with open(path, "rb") as f:
            text = re.sub(rb"\r?\n", b"\r\n", f.read())
        wanted = text.split(b"\r\n", 1)[0].split(b": ", 1)[1].decode().split()[0]
        yield os.path.basename(path), wanted, text


def test_corpus(start):
    """Every trick is refused and every honest message taken, by one session after another."""
    d = start(sections=ATTACHMENT % 'mode = "enforce"', options={"workers": 1, "max-errors": 1000})
    count = 0
    for folder in ("evasive", "benign"):
        with d.client() as c:
            for name, wanted, text in corpus(folder):
                if name == "content-binary.eml":
                    continue  # NUL doesn't pass a DATA that offers no BINARYMIME
                reply = c.message(text=text)
                if wanted == "pass":
                    assert reply == 250, (name, reply)
                else:
                    assert str(reply).startswith(REPLIES[wanted]), (name, reply)
                count += 1
    assert count > 200
    assert len(d.mailbox("bob")) == len(list(corpus("benign")))
    # no name of a file ever reached a shell
    assert not os.path.exists("/tmp/x") or "shell-characters" not in d.log()


def test_reply_log_and_explain(start):
    d = start(sections=ATTACHMENT % "")
    with d.client() as c:
        reply = c.message(text=with_file("invoice.pdf.exe"))
        refused(reply, "extension")
    incident = re.search(r"\[(.*)\]", str(reply)).group(1)
    d.wait_event("incident", check="attachment")
    said = d.tool("explain", incident).stdout
    assert "a file with the extension exe: invoice.pdf.exe" in said
    assert "Blacklisted file extension detected." in said


def test_live_changes(start):
    """The very next message sees a change; for one domain it leaves the others alone."""
    d = start(sections=ATTACHMENT % "", domains=DOMAINS)
    with d.client() as c:
        assert c.message(text=with_file("a.zip")) == 250
        d.tool("extension", "add", "zip@other.test", "--reason", "ticket 1")
        assert c.message(text=with_file("a.zip")) == 250
        refused(c.message(text=with_file("a.zip"), to="bob@other.test"), "extension")
        refused(c.message(text=with_file("a.zip"), to=["bob@local.test", "bob@other.test"]), "extension")
        d.tool("extension", "add", "zip")
        refused(c.message(text=with_file("a.zip")), "extension")
        d.tool("extension", "del", "zip", "zip@other.test")
        assert c.message(text=with_file("a.zip")) == 250
        d.tool("extension", "allow", "exe@local.test")
        assert c.message(text=with_file("a.exe")) == 250
        refused(c.message(text=with_file("a.exe"), to="bob@other.test"), "extension")
        refused(c.message(text=with_file("a.js")), "extension")
    listed = d.tool("extension", "list").stdout
    assert re.search(r"exe@local\.test +allowed", listed) and re.search(r"\nexe +configured", listed)


def test_modes_and_exemptions(start):
    d = start(sections=ATTACHMENT % 'mode = "monitor"', domains=DOMAINS.replace(
        'other.test" { route = "box" }', 'other.test" { route = "box" check "attachment" { mode = "enforce" } }'))
    with d.client() as c:
        assert c.message(text=with_file("a.exe")) == 250
        d.wait_event("message")
        assert "attachment" in str(d.events("message")[0].get("would"))
        refused(c.message(text=with_file("a.exe"), to="bob@other.test"), "extension")
        d.tool("exempt", "add", "attachment", "sender:ann@example.org")
        assert c.message(text=with_file("a.exe"), to="bob@other.test") == 250


def test_what_was_not_inspected_stands_in_the_log(start):
    d = start(sections=ATTACHMENT % 'max-depth = 2  limits = "pass"' + 'check "antivirus" { mode = "off" }\n')
    with d.client() as c:
        assert c.message(text=HEADERS + "Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b--\r\n") == 250
        d.wait_event("message", **{"not-inspected": "attachment: not inspected: encrypted"})
        assert c.message(text=HEADERS + "Content-Type: message/rfc822\r\n\r\n" * 5) == 250
        d.wait_event("message", **{"not-inspected": "attachment: not inspected: parts are nested too deep"})


def test_bdat(start):
    """What comes by BDAT, in chunks cut anywhere, is read as well."""
    d = start(sections=ATTACHMENT % "")
    text = with_file("evil.exe").encode()
    with d.client() as c:
        c.mail()
        c.rcpt()
        for i in range(0, len(text), 7):
            chunk = text[i:i + 7]
            last = " LAST" if i + 7 >= len(text) else ""
            c.send(f"BDAT {len(chunk)}{last}\r\n".encode() + chunk)
            reply = c.reply()
            assert last or reply == 250
        refused(reply, "extension")


NESTED = "".join(f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n" for i in range(100000))
ATTACKS = [
    ("delimiters", HEADERS + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\n" * 2000000, "limit"),
    ("nested", HEADERS + NESTED, "limit"),
    ("messages", HEADERS + "Content-Type: message/rfc822\r\n\r\n" * 100000, "limit"),
    ("names", HEADERS + "Content-Type: a/b" + "".join(f";\r\n name=n{i}" for i in range(5000)) + "\r\n\r\n", "limit"),
    ("addresses", HEADERS + "To: " + ",\r\n ".join(["someone@example.com"] * 1000000) + "\r\n\r\nx\r\n", "too big"),
    ("late", HEADERS + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\n\r\n" * 900 +
     '--b\r\nContent-Disposition: attachment; filename="x.exe"\r\n\r\nx\r\n--b--\r\n', "extension"),
]


@pytest.mark.parametrize("name, text, kind", ATTACKS, ids=[a[0] for a in ATTACKS])
def test_attacks(start, name, text, kind):
    """Refused in time, and the next session is served by the same worker."""
    d = start(sections=ATTACHMENT % "", options={"workers": 1})
    worker = d.children("worker")
    with d.client() as c, d.client(source="127.0.0.2") as other:
        reply = c.message(text=text)
        if kind == "too big":
            assert reply == 552
        else:
            refused(reply, kind)
        assert other.message() == 250
    assert d.children("worker") == worker


RULES = """
header-rule "mailer" { field = { "X-Mailer", "User-Agent" }  pattern = { '^bulk', 'spam ?cannon' } }
header-rule "later"  { field = "X-Later"  pattern = "."  action = "defer" }
header-rule "look"   { field = "*"  pattern = "look at me"  action = "note" }
"""


def test_header_rules(start):
    d = start(sections=RULES)
    with d.client() as c:
        assert c.message() == 250
        refused(c.message(headers="X-Mailer: Bulk 1.0\r\n"), "rule")
        refused(c.message(headers="user-agent: =?utf-8?Q?Spam=43annon?=\r\n"), "rule")
        reply = c.message(headers="X-Later: x\r\n")
        assert str(reply).startswith("451 4.7.1 This message is administratively put off, try again later"), reply
        assert c.message(headers="X-Any: look at me\r\n") == 250
        d.tool("exempt", "add", "header-rules", "sender:@example.org")
        assert c.message(headers="X-Mailer: Bulk 1.0\r\n") == 250
    e = d.wait_event("incident", check="header-rules")
    assert 'header-rule "mailer" matches' in d.tool("explain", e["incident"]).stdout


def test_bad_rule_keeps_the_running_configuration(start):
    d = start(sections=RULES)
    d.sections = 'header-rule "mailer" { field = "X"  pattern = "(" }\n'
    d.write()
    done = d.tool("checks", check=False)
    assert done.returncode == 2 and "missing closing parenthesis" in done.stderr
