#!/usr/bin/python3
"""Prints the published test suite of RFC 7208 as lines of fields in hex: Z begins a zone, R is a record
(name, type, preference, data), C a case (name, helo, mail from, client, allowed results, explanation).

Records of type SPF stand for TXT where a name has no TXT of its own."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def path():
    suites = os.environ.get("GATEPOST_SUITES", os.path.join(ROOT, "..", "shared", "suites"))
    return os.path.join(suites, "spf", "rfc7208-tests.yml")


def records(entries):
    """(type, preference, data) of one name; type 0: a time-out for all else."""
    has_txt = any(isinstance(e, dict) and "TXT" in e for e in entries)
    for entry in entries:
        if entry == "TIMEOUT":
            yield 0, 0, b""
            continue
        (kind, value), = entry.items()
        if kind == "SPF":
            if has_txt:
                continue
            kind = "TXT"
        if value == "NONE":
            continue
        preference = 0
        if kind == "MX":
            preference, value = value
        if isinstance(value, list):
            value = "".join(value)
        data = str(value).encode("latin-1")
        if kind in ("MX", "PTR", "CNAME") and data.endswith(b"."):
            data = data[:-1]
        yield TYPES[kind], preference, data


def line(kind, *fields):
    print(kind, *[(f if isinstance(f, bytes) else str(f).encode("latin-1")).hex() or "-" for f in fields])


def main():
    try:
        import yaml
    except ImportError:
        print("SKIP: no module yaml")
        return
    if not os.path.exists(path()):
        print(f"SKIP: there is no {path()}")
        return
    with open(path(), encoding="utf-8") as f:
        for scenario in yaml.safe_load_all(f):
            if not scenario:
                continue
            line("Z", scenario["description"])
            for name, entries in scenario["zonedata"].items():
                # A name that has nothing of ours still exists.
                line("R", name, 65535, 0, b"")
                for kind, preference, data in records(entries):
                    line("R", name, kind, preference, data)
            for name, case in scenario["tests"].items():
                result = case["result"]
                allowed = " ".join(result) if isinstance(result, list) else result
                line("C", name, case.get("helo") or "", case.get("mailfrom") or "", case["host"], allowed,
                     case.get("explanation") or "")


if __name__ == "__main__":
    sys.exit(main())
