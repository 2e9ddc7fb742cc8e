"""Mistakes at the keyboard: each is one clear line, the nearest name and an exit status."""
import json
import os
import re
import subprocess

import pytest

from daemon import BUILD, Daemon


@pytest.fixture(scope="module")
def box():
    d = Daemon()
    d.write()
    os.mkdir(d.state)
    yield d
    d.stop()


def gatepost(*args, **kw):
    return subprocess.run([f"{BUILD}/gatepost", *args], capture_output=True, text=True, timeout=60, **kw)


@pytest.mark.parametrize("words, said", [
    (["bam", "add", "x"], 'no command "bam"; nearest: ban.  All: gatepost --help'),
    (["ban", "ad", "x"], 'no command "ban ad"; nearest: ban add.  All: gatepost --help'),
    (["ban"], "ban what?  add, del, list, check, import, export"),
    (["wibble"], 'no command "wibble".  All: gatepost --help'),
    (["ban", "add"], "usage: gatepost ban add WHAT..."),
    (["ban", "list", "x"], "usage: gatepost ban list "),
    (["explain"], "usage: gatepost explain ID"),
    (["explain", "7KQ2"], '"7KQ2": no incident id such as mx1-7KQ2-M4XD'),
    (["ban", "list", "--force"], "ban list takes no --force"),
    (["status", "--near", "80%"], "status takes no --near"),
    (["ban", "add", "hots:a.example"], 'no kind of key "hots:"; nearest: host:'),
    (["ban", "add", "a b"], '"a b": no domain name'),
    (["ban", "add", "192.0.2.1", "--expirse", "1d"], 'no option "--expirse"; nearest: --expires.  All: gatepost --help'),
    (["ban", "add", "192.0.2.1", "--expires"], "--expires wants a value"),
    (["ban", "list", "-x"], 'no option "-x".  All: gatepost --help'),
    (["limits", "--near", "much"], '--near "much": not a percentage such as 80%'),
    (["limits", "reset", "cleint", "192.0.2.1"], 'no limit "cleint"; nearest: client'),
    (["exempt", "add", "helo-pi", "192.0.2.1"], 'no check "helo-pi"; nearest: helo-ip.  All: gatepost checks'),
    (["blocks", "del", "192.0.2.0/24"], '"192.0.2.0/24": blocks are of one client: an IPv4 address or an IPv6 /64'),
    (["ban", "add", "bad.example", "--at-connect"],
     '--at-connect is for client addresses; "bad.example" is a domain'),
    (["ban", "add", "203.0.113.5", "--reason", "x" * 401], "--reason: longer than 400 bytes"),
])
def test_mistakes(box, words, said):
    done = gatepost("-c", box.path, *words)
    assert done.returncode == 2 and done.stdout in ("", "[]\n"), (done.stdout, done.stderr)
    if said:
        assert done.stderr == f"gatepost: {said}\n"


def test_nothing_at_all(box):
    done = gatepost()
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("usage: gatepost ")


def commands():
    """(name, arguments) of all commands, from --help."""
    return re.findall(r"^  gatepost ([a-z]+(?: [a-z]+)?)((?: [][A-Z.]+)*)$", gatepost("--help").stdout, re.M)


def test_help(box):
    names = [name for name, _ in commands()]
    assert len(names) > 20 and "explain" in names and "limits reset" in names
    for name in names:
        done = gatepost(*name.split(), "--help")
        assert done.returncode == 0 and done.stderr == ""
        assert f"  gatepost {name}" in done.stdout and "Exit status:" in done.stdout
    assert gatepost("ban", "--help").stdout.count("  gatepost ban ") == 6
    assert gatepost("bam", "--help").returncode == 2
    assert re.fullmatch(r"gatepost \d+\.\d+\.\d+\n", gatepost("--version").stdout)


def test_every_command_is_in_the_manual(box):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    subprocess.run(["make", "-s", "man"], cwd=root, check=True, capture_output=True)
    with open(f"{root}/build/release/man/gatepost.8") as f:
        manual = f.read()
    for name, _ in commands():
        assert re.search(rf"^\.It Ic {name}( Ar |$)", manual, re.M), name
    for option in set(re.findall(r"^ +--([a-z-]+)", gatepost("--help").stdout, re.M)):
        assert f".It Fl Fl {option}" in manual


# --- configuration and store

def test_configuration_that_is_wrong(box):
    done = gatepost("-c", f"{box.dir}/nothing.conf", "ban", "list")
    assert done.returncode == 2 and "nothing.conf" in done.stderr
    done = gatepost("-c", box.path, "-o", "max-sesions=5", "ban", "list")
    assert done.returncode == 2 and "max-sessions" in done.stderr


def test_no_state_dir(box):
    done = gatepost("-c", box.path, "-o", f"state-dir={box.dir}/elsewhere", "ban", "list")
    assert done.returncode == 3 and done.stderr == \
        f"gatepost: cannot enter state-dir {box.dir}/elsewhere: No such file or directory; " \
        "has gatepostd ever been started?\n"


def test_what_is_no_store(box):
    wrong = f"{box.dir}/wrong"
    os.makedirs(f"{wrong}/lists")
    with open(f"{wrong}/lists/data.mdb", "w") as f:
        f.write("not a database\n" * 1000)
    os.chmod(f"{wrong}/lists/data.mdb", 0o666)
    os.chmod(f"{wrong}/lists", 0o777)
    os.chmod(wrong, 0o777)
    done = gatepost("-c", box.path, "-o", f"state-dir={wrong}", "ban", "list")
    assert done.returncode == 3 and "cannot open" in done.stderr and done.stdout == ""


def test_output_that_cannot_be_written(box):
    box.tool("ban", "add", "203.0.113.1")
    with open("/dev/full", "w") as full:
        done = subprocess.run([f"{BUILD}/gatepost", "-c", box.path, "ban", "list"], stdout=full, timeout=60)
    assert done.returncode == 1
    box.tool("ban", "del", "203.0.113.1")


def test_terminals_are_not_obeyed(box):
    """A reason, or whatever else came from somewhere, is shown and not done."""
    evil = "\x1b]0;owned\x07\x1b[31m\u009b31m\u202e\udcff"
    subprocess.run([f"{BUILD}/gatepost".encode(), b"-c", box.path.encode(), b"ban", b"add", b"203.0.113.2",
                    b"--reason", evil.encode("utf-8", "surrogateescape")], check=True, capture_output=True)
    shown = subprocess.run([f"{BUILD}/gatepost", "-c", box.path, "ban", "list"], capture_output=True,
                           check=True).stdout
    assert rb"\x1B]0;owned\x07\x1B[31m\xC2\x9B31m\xE2\x80\xAE\xFF" in shown
    raw = subprocess.run([f"{BUILD}/gatepost", "-c", box.path, "ban", "list", "--json"], capture_output=True,
                         check=True).stdout
    assert all(0x20 <= b < 0x7f or b == 0x0a for b in raw)
    assert json.loads(raw)[0]["reason"] == "\x1b]0;owned\x07\x1b[31m\u009b31m\u202e\\xFF"
    box.tool("ban", "del", "203.0.113.2")
