"""Archives through whole sessions: what is in them is judged like what stands beside them."""
import base64
import io
import os
import re
import signal
import tarfile
import zipfile

import pytest

from daemon import Daemon, wait_for

EXTENSION = "550 5.7.1 Blacklisted file extension detected."
PROGRAM = "550 5.7.1 Executable file detected."
PE = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + b"\0" * 200
TEXT = b"Nothing to see here.\n" * 40


def zipped(*files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files:
            z.writestr(name, data)
    return out.getvalue()


def tarred(*files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as t:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def part(data, name):
    return (f'--b\r\nContent-Type: application/octet-stream; name="{name}"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n").encode() + \
        base64.encodebytes(data).replace(b"\n", b"\r\n")


def attached(*files):
    """files: pairs of content and name."""
    return (b"From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nSee the file.\r\n' +
            b"".join(part(*f) for f in files) + b"--b--\r\n")


def inspectors(d):
    return [int(pid) for zygote in d.children("zygote")
            for pid in open(f"/proc/{zygote}/task/{zygote}/children").read().split()]


def send(d, message, source="127.0.0.1"):
    with d.client(source) as c:
        return str(c.message(text=message))


@pytest.fixture(scope="module")
def filter():
    d = Daemon().start()
    yield d
    d.stop()


BAD = {
    "zip": (EXTENSION, zipped(("evil.exe", TEXT)), "x.zip"),
    "another-name": (EXTENSION, zipped(("evil.exe", TEXT)), "photo.jpg"),
    "three-deep": (EXTENSION, zipped(("a.tar.gz", tarred(("b/c.zip", zipped(("evil.exe", TEXT)))))), "x.zip"),
    "innocent-name": (PROGRAM, zipped(("photo.jpg", PE)), "x.zip"),
    "clamav-7z": (EXTENSION, "/usr/share/clamav-testfiles/clam.7z", "x.7z"),
    "clamav-cab": (EXTENSION, "/usr/share/clamav-testfiles/clam.cab", "x.dat"),
}


@pytest.mark.parametrize("how", BAD)
def test_refused(filter, how):
    reply, data, name = BAD[how]
    if isinstance(data, str):
        with open(data, "rb") as f:
            data = f.read()
    assert send(filter, attached((data, name))).startswith(reply + " [")


def test_what_was_found_is_told(filter):
    # Repeated refusals of one client are one incident, with what the first was.
    reply = send(filter, attached((zipped(("a/evil.exe", PE)), "x.zip")), "127.0.0.6")
    incident = re.search(r"\[(.*)\]", reply).group(1)
    shown = " ".join(filter.tool("explain", incident).stdout.split())
    assert "a file with the extension exe in an archive: a/evil.exe in x.zip" in shown


GOOD = {
    "text": zipped(("note.txt", TEXT), ("photo.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100)),
    "sources": tarred(("p/configure", b"#!/bin/sh\nexit 0\n"), ("p/main.c", TEXT)),
    "many": zipped(*[(f"{'folder/' * 5}{i:05}.txt", TEXT) for i in range(3000)]),
    "damaged": zipped(("note.txt", TEXT))[:60],
}


@pytest.mark.parametrize("what", GOOD)
def test_passes(filter, what):
    assert send(filter, attached((GOOD[what], "x.zip"))).startswith("250 ")


def test_two_hundred_archives(filter):
    good = [(zipped((f"{i}.txt", TEXT)), f"{i}.zip") for i in range(200)]
    assert send(filter, attached(*good)).startswith("250 ")
    assert send(filter, attached(*good, (zipped(("evil.exe", PE)), "last.zip"))).startswith(EXTENSION)


def test_options(start):
    d = start(sections='check "attachment" { encrypted-archives = "enforce" unreadable-archives = "refuse" '
                       'archive-depth = 2 archive-files = 10 }')
    sealed = b"Rar!\x1a\x07\0" + b"\0\0\x73\x80\0\x0d\0\0\0\0\0\0\0" + os.urandom(200)
    assert send(d, attached((sealed, "x.rar"))).startswith("550 5.7.1 Encrypted archive detected. [")
    assert send(d, attached((zipped(("note.txt", TEXT))[:60], "x.zip"))).startswith(
        "550 5.7.1 Unreadable archive detected. [")
    deep = zipped(("a.zip", zipped(("b.zip", zipped(("c.txt", TEXT))))))
    many = zipped(*[(f"{i}.txt", b"") for i in range(11)])
    for data in deep, many:
        assert send(d, attached((data, "x.zip"))).startswith("550 5.7.1 The message could not be inspected [")
    assert send(d, attached((zipped(("a.zip", zipped(("b.txt", TEXT)))), "x.zip"))).startswith("250 ")


def test_inspectors_that_die(start):
    """Those that wait die, then those that are asked: the question is asked again, and answered."""
    d = start(options={"inspectors": 2})
    wait_for(lambda: len(inspectors(d)) == 2)
    for _ in range(3):
        for pid in inspectors(d):
            os.kill(pid, signal.SIGKILL)
        assert send(d, attached((zipped(("evil.exe", PE)), "x.zip"))).startswith(EXTENSION)
    assert len(d.children("worker")) == 2
