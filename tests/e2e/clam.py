"""Anti-virus databases made by hand, and mail that carries EICAR in every way there is."""
import base64
import binascii
import functools
import hashlib
import io
import os
import quopri
import struct
import tarfile
import zipfile
import gzip
import bz2
import lzma
import zlib

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
TESTFILES = "/usr/share/clamav-testfiles"
VIRUS = "550 5.7.1 The message was rejected due to security policies"


class Database:
    """A directory of signatures: names and what they match."""

    def __init__(self, path):
        self.path = str(path)
        os.makedirs(self.path, exist_ok=True)
        os.chmod(self.path, 0o755)  # the inspectors' user reads it

    def write(self, name, text):
        """As freshclam does: a whole file in one step."""
        temporary = f"{self.path}/.{name}.new"
        with open(temporary, "w") as f:
            f.write(text)
        os.chmod(temporary, 0o644)
        os.rename(temporary, f"{self.path}/{name}")

    def eicar(self, name="Eicar-Test-Signature"):
        """The file as it is, by its hash; and as a part of a text, which a mail's body is."""
        self.write("eicar.hdb", f"{hashlib.md5(EICAR).hexdigest()}:{len(EICAR)}:{name}\n")
        self.write("eicar.ndb", f"{name}:0:*:{EICAR.hex()}\n")
        return self

    def of_testfiles(self):
        with open(f"{TESTFILES}/clam.exe", "rb") as f:
            data = f.read()
        self.write("clam.hdb", f"{hashlib.md5(data).hexdigest()}:{len(data)}:Clam.Test\n")
        return self

    def matching(self, name, pattern):
        self.write(f"{name}.ndb", f"{name}:0:*:{pattern.hex()}\n")
        return self


HEAD = b"From: <ann@example.org>\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\nMIME-Version: 1.0\r\n"


def mail(body, kind="application/octet-stream; name=x.bin", encoding="base64", head=HEAD):
    return head + f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def encoded(data):
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def attached(data, name="x.bin"):
    """The usual way: a text and an attachment."""
    return (HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n"
            b"--b\r\nContent-Type: application/octet-stream; name=\"" + name.encode() + b"\"\r\n"
            b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + encoded(data) + b"--b--\r\n")


def uuencoded(data):
    lines = [b"begin 644 x.com\n"] + [binascii.b2a_uu(data[i:i + 45]) for i in range(0, len(data), 45)]
    return b"".join(lines + [b"`\n", b"end\n"]).replace(b"\n", b"\r\n")


def nested(data, depth):
    """A message in a message in a message."""
    inner = attached(data)
    for i in range(depth):
        inner = (HEAD + f"Content-Type: multipart/mixed; boundary=n{i}\r\n\r\n--n{i}\r\n".encode() +
                 b"Content-Type: message/rfc822\r\n\r\n" + inner + f"\r\n--n{i}--\r\n".encode())
    return inner


def zipped(data, name="x.com", method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr(name, data)
    return out.getvalue()


def tarred(data, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        info = tarfile.TarInfo("x.com")
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def encrypted_zip():
    """A member that says that it is encrypted."""
    data = bytearray(zipped(b"secret" * 20, method=zipfile.ZIP_STORED))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(magic) + offset
        data[at:at + 2] = struct.pack("<H", struct.unpack("<H", data[at:at + 2])[0] | 1)
    return bytes(data)


@functools.cache
def bomb(size, levels=1):
    """Zeros that are packed to next to nothing, several times over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)] + [packer.flush()])
    for _ in range(levels):
        data = zipped(data, "x.gz")
    return data


def many(n):
    """An archive of n small files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for i in range(n):
            z.writestr(f"{i}.txt", f"file {i}")
    return out.getvalue()


def yenc(data):
    """As news readers write it."""
    lines = b"".join(b"=%c" % ((c + 106) & 255) if (c + 42) & 255 in b"\0\r\n=." else b"%c" % ((c + 42) & 255) for c in data)
    return b"=ybegin line=128 size=%d name=x.bin\r\n" % len(data) + lines + b"\r\n=yend size=%d\r\n" % len(data)


def signed(content, size=1000):
    """Opaque S/MIME: a content in pieces, in the signature of nobody."""
    oid = bytes.fromhex("06092a864886f70d0107")
    pieces = b"".join(b"\x04\x82" + struct.pack(">H", len(content[i:i + size])) + content[i:i + size]
                      for i in range(0, len(content), size))
    return (b"\x30\x80" + oid + b"\2\xa0\x80\x30\x80\2\1\1\x31\0\x30\x80" + oid + b"\1\xa0\x80\x24\x80" + pieces +
            b"\0" * 6 + b"\x31\0" + b"\0" * 6)


def two(first, second):
    """Two attachments."""
    parts = b"".join(b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                     encoded(data) for data in (first, second))
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"


# Each way in which a mail can carry a file, by name.
CARRIERS = {
    "base64": lambda: mail(encoded(EICAR)),
    "base64 in one line": lambda: mail(base64.b64encode(EICAR) + b"\r\n"),
    "base64 with spaces": lambda: mail(b" ".join(base64.b64encode(EICAR)[i:i + 8] for i in range(0, 92, 8)) + b"\r\n"),
    "quoted-printable": lambda: mail(quopri.encodestring(EICAR, quotetabs=True) + b"\r\n",
                                     encoding="quoted-printable"),
    "quoted-printable of each byte": lambda: mail(b"".join(b"=%02X" % c for c in EICAR) + b"\r\n",
                                                  encoding="quoted-printable"),
    "7bit": lambda: mail(EICAR + b"\r\n", encoding="7bit"),
    "text body": lambda: HEAD + b"\r\n" + EICAR + b"\r\n",
    "no known field first": lambda: b"Zx: y\r\n" + mail(encoded(EICAR)),
    "subject first": lambda: b"Subject: hello\r\n" + mail(encoded(EICAR)),
    "attachment": lambda: attached(EICAR),
    "strange name": lambda: attached(EICAR, "a;touch$IFS/tmp/x`id`|'\\\".com"),
    "uuencode": lambda: HEAD + b"\r\n" + uuencoded(EICAR),
    "forwarded": lambda: nested(EICAR, 1),
    "forwarded three times": lambda: nested(EICAR, 3),
    "yEnc": lambda: HEAD + b"\r\nSee:\r\n" + yenc(EICAR),
    "yEnc of a zip": lambda: HEAD + b"\r\nSee:\r\n" + yenc(zipped(EICAR)),
    "signed": lambda: mail(encoded(signed(mail(encoded(EICAR), head=b""))), "application/pkcs7-mime; smime-type=signed-data"),
    "signed, an attachment of several": lambda: attached(signed(attached(zipped(EICAR))), "smime.p7m"),
    "signed file": lambda: attached(signed(EICAR), "x.com.p7m"),
    "signed twice": lambda: attached(signed(attached(signed(attached(EICAR)), "smime.p7m")), "smime.p7m"),
    "zip": lambda: attached(zipped(EICAR)),
    "zip, stored": lambda: attached(zipped(EICAR, method=zipfile.ZIP_STORED)),
    "zip, bzip2": lambda: attached(zipped(EICAR, method=zipfile.ZIP_BZIP2)),
    "zip in zip in zip": lambda: attached(zipped(zipped(zipped(EICAR), "b.zip"), "a.zip")),
    "zip by another name": lambda: attached(zipped(EICAR), "picture.jpg"),
    "zip after something": lambda: attached(b"MZ" + bytes(300) + zipped(EICAR)),
    "tar": lambda: attached(tarred(EICAR)),
    "tar.gz": lambda: attached(tarred(EICAR, "w:gz")),
    "tar.bz2": lambda: attached(tarred(EICAR, "w:bz2")),
    "tar.xz": lambda: attached(tarred(EICAR, "w:xz")),
    "gzip": lambda: attached(gzip.compress(EICAR)),
    "bzip2": lambda: attached(bz2.compress(EICAR)),
    "xz": lambda: attached(lzma.compress(EICAR)),
}
