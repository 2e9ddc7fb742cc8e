"""Honest mail of all kinds: with every check of a message's content on, nothing is refused, noted or left uninspected."""
import os

from clam import Database
from honest import messages

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECKS = ["unwanted", "heuristics", "phishing", "macros", "broken", "encrypted"]
COUNT, PER_SESSION = 200, 50


def test_no_false_alarm(start, tmp_path):
    database = Database(tmp_path / "db").eicar()
    d = start(options={"max-messages": PER_SESSION}, sections=f'''
clamav {{ database = "{database.path}" inspectors = 2 }}
check "antivirus" {{ required = true {" ".join(f'{c} = "enforce"' for c in CHECKS)} }}
check "attachment" {{ extensions-file = "{ROOT}/etc/extensions" encrypted-archives = "enforce" unreadable-archives = "refuse" }}
check "invalid-headers" {{ mode = "enforce" }}
''')
    d.wait_log("the anti-virus database is in force")
    every = list(messages(2026, COUNT))
    for at in range(0, COUNT, PER_SESSION):
        with d.client() as c:
            for i, message in enumerate(every[at:at + PER_SESSION], at):
                reply = c.message(text=message)
                if reply != 250:
                    with open(tmp_path / "refused.eml", "wb") as f:
                        f.write(message)
                assert reply == 250, (i, reply)
    d.wait_event("session", messages=PER_SESSION)
    said = d.events("message")
    assert not [e for e in said if e.get("would") or e.get("not-inspected")]
    assert not d.events("incident")
    assert len(d.mailbox("bob")) == COUNT
