"""Honest mail of all kinds: files as people send them, in the structures that mail programs write, made anew from a seed."""
import base64
import binascii
import email.encoders
import email.mime.application
import email.mime.base
import email.mime.message
import email.mime.multipart
import email.mime.text
import email.policy
import email.utils
import gzip
import io
import bz2
import lzma
import random
import struct
import tarfile
import zipfile
import zlib

WORDS = ("the report of last week is ready and the figures look good please see what is attached before we meet on "
         "monday thank you for your patience with kind regards invoice order delivery price contract begin end name file "
         "multipart boundary content type executable program.exe www.example.com setup.msi readme.js MZ PK base64").split()
NAMES = ["report", "Invoice 2026-06", "photo (3)", "Übersicht", "договор", "見積書", "notes.final", "a&b", "o'brien", "50% off", "v1.2.3"]
CHARSETS = {"utf-8": "Grüße, naïve café, Привет, 日本語", "iso-8859-1": "Grüße aus Köln", "koi8-r": "Привет из Москвы",
            "shift_jis": "日本語の本文です", "gb18030": "中文内容", "big5": "中文內容", "iso-2022-jp": "日本語の本文です",
            "windows-1251": "Привет", "us-ascii": "plain words"}

JPEG = base64.b64decode("/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP" + "/" * 86 + "wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=")


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def text(self, words=120):
        r = self.r
        lines = []
        while words > 0:
            n = r.randint(4, 12)
            lines.append(" ".join(r.choice(WORDS) for _ in range(n)))
            words -= n
        quoted = "\n".join("> " + line for line in lines[:3])
        return "\n".join(lines) + f"\n\nAnn wrote:\n{quoted}\n-- \nBob\n--------\n"

    # ---- Files

    def png(self):
        def chunk(kind, data):
            return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
        w, h = self.r.randint(1, 60), self.r.randint(1, 60)
        rows = b"".join(b"\0" + self.r.randbytes(3 * w) for _ in range(h))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">LLBBBBB", w, h, 8, 2, 0, 0, 0)) + \
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

    def bmp(self):
        w, h = 16, 16
        data = self.r.randbytes(w * h * 3)
        return b"BM" + struct.pack("<LHHL", 54 + len(data), 0, 0, 54) + \
            struct.pack("<LllHHLLllLL", 40, w, h, 1, 24, 0, len(data), 0, 0, 0, 0) + data

    def wav(self):
        data = self.r.randbytes(2000)
        return b"RIFF" + struct.pack("<L", 36 + len(data)) + b"WAVEfmt " + \
            struct.pack("<LHHLLHH", 16, 1, 1, 8000, 8000, 1, 8) + b"data" + struct.pack("<L", len(data)) + data

    def pdf(self):
        stream = zlib.compress(b"BT /F1 12 Tf 72 720 Td (" + self.r.choice(WORDS).encode() + b") Tj ET")
        objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                   b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>",
                   b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(stream) + stream + b"\nendstream"]
        out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
        for i, o in enumerate(objects):
            offsets.append(len(out))
            out += b"%d 0 obj\n" % (i + 1) + o + b"\nendobj\n"
        at = len(out)
        table = b"".join(b"%010d 00000 n \n" % o for o in offsets)
        return out + b"xref\n0 5\n0000000000 65535 f \n" + table + \
            b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % at

    def office(self, main):
        return self.zip([("[Content_Types].xml", b'<?xml version="1.0"?><Types/>'), ("_rels/.rels", b"<Relationships/>"),
                         (main, f"<doc>{self.text(60)}</doc>".encode()), ("media/image1.png", self.png())])

    def zip(self, files):
        out = io.BytesIO()
        method = self.r.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
        with zipfile.ZipFile(out, "w", method) as z:
            for name, data in files:
                z.writestr(name, data)
        return out.getvalue()

    def tar(self, files, mode):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode) as t:
            for name, data in files:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
        return out.getvalue()

    def sources(self):
        """A program's source, as developers send it: scripts in an archive are no programs that arrive as files."""
        return [("p-1.0/configure", b"#!/bin/sh\nexit 0\n"), ("p-1.0/main.c", b"int main(void) { return 0; }\n"),
                ("p-1.0/README.md", self.text(30).encode()), ("p-1.0/Makefile", b"all:\n\tcc main.c\n")]

    def files(self):
        text = self.text(200).encode()
        docs = [(f"{self.r.choice(NAMES)}/{i}.txt", text) for i in range(self.r.randint(1, 8))] + [("a.png", self.png())]
        return {
            "txt": text, "csv": b"a;b;c\r\n1;2;3\r\n" * 50, "html": b"<html><body><p>" + text + b"</p></body></html>",
            "xml": b'<?xml version="1.0"?>\n<a>' + text + b"</a>", "json": b'{"a": [1, 2, 3]}', "svg": b"<svg/>",
            "md": text, "log": b"MZ is not what it seems\n" + text, "ics": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
            "vcf": b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nEND:VCARD\r\n", "rtf": b"{\\rtf1 hello}", "png": self.png(),
            "bmp": self.bmp(), "wav": self.wav(), "pdf": self.pdf(), "jpg": JPEG,
            "docx": self.office("word/document.xml"), "xlsx": self.office("xl/workbook.xml"),
            "odt": self.zip([("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", text)]),
            "zip": self.zip(docs), "epub": self.zip([("mimetype", b"application/epub+zip"), ("a.xhtml", text)]),
            "tar.gz": self.tar(self.sources(), "w:gz"), "tgz": self.tar(docs, "w:gz"), "tar.xz": self.tar(docs, "w:xz"),
            "tar": self.tar(docs, "w"), "txt.gz": gzip.compress(text), "log.bz2": bz2.compress(text),
            "csv.xz": lzma.compress(text), "bin": self.r.randbytes(3000), "dat": self.r.randbytes(300), "asc": b"-----BEGIN PGP MESSAGE-----\n",
            "eml": b"From: a@example.org\nSubject: x\n\n" + text, "patch": b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-begin 644 x.c\n+end\n",
            "tex": text, "yaml": b"a: 1\n", "mp3": b"ID3\x03\0\0\0\0\0\x0a" + self.r.randbytes(500),
            "zip-in.zip": self.zip([("inner.zip", self.zip(docs)), ("b.tar.gz", self.tar(docs, "w:gz"))]),
        }

    # ---- Messages

    def part(self, ending, data):
        kind = {"txt": "text/plain", "html": "text/html", "pdf": "application/pdf", "png": "image/png", "zip": "application/zip",
                "csv": "text/csv", "jpg": "image/jpeg", "ics": "text/calendar"}.get(ending, "application/octet-stream")
        p = email.mime.base.MIMEBase(*kind.split("/"))
        p.set_payload(data)
        (email.encoders.encode_base64 if kind[:4] != "text" or self.r.random() < .5 else email.encoders.encode_quopri)(p)
        name = f"{self.r.choice(NAMES)}.{ending}"
        if self.r.random() < .5:
            # RFC 2231 for what is not ASCII
            p.add_header("Content-Disposition", self.r.choice(["attachment", "inline"]), filename=("utf-8", "", name)
                         if not name.isascii() else name)
        else:
            # as Outlook does: encoded words in quotes
            word = name if name.isascii() else "=?utf-8?B?" + base64.b64encode(name.encode()).decode() + "?="
            p["Content-Disposition"] = f'attachment; filename="{word}"; size={len(data)}'
            p.set_param("name", word)
        return p

    def body(self):
        charset, hello = self.r.choice(list(CHARSETS.items()))
        words = hello + "\n\n" + self.text()
        plain = email.mime.text.MIMEText(words, "plain", charset)
        if self.r.random() < .5:
            return plain
        both = email.mime.multipart.MIMEMultipart("alternative")
        both.attach(plain)
        page = email.mime.text.MIMEText(f'<html><body><p>{words}</p><a href="https://www.example.com/">www.example.com</a>'
                                        '<img src="cid:logo@x"></body></html>', "html", charset)
        related = email.mime.multipart.MIMEMultipart("related")
        related.attach(page)
        logo = self.part("png", self.png())
        logo["Content-ID"] = "<logo@x>"
        related.attach(logo)
        both.attach(related)
        return both

    def head(self, m):
        m["From"] = "Ann <ann@example.org>"
        m["To"] = "bob@local.test"
        m["Date"] = "Mon, 01 Jun 2026 09:00:00 +0200"
        m["Subject"] = " ".join(self.r.choice(WORDS) for _ in range(5))
        m["Message-ID"] = email.utils.make_msgid(domain="example.org")
        return m

    def message(self, files):
        m = self.head(email.mime.multipart.MIMEMultipart(self.r.choice(["mixed", "mixed", "related", "parallel"])))
        m.preamble = self.r.choice([None, "This is a multi-part message in MIME format."])
        m.attach(self.body())
        for ending, data in files:
            m.attach(self.part(ending, data))
        if self.r.random() < .2:
            inner = self.head(email.mime.multipart.MIMEMultipart())
            inner.attach(self.body())
            m.attach(email.mime.message.MIMEMessage(inner))
        return m.as_bytes(policy=email.policy.SMTP.clone(max_line_length=78, cte_type="7bit"))

    def old(self, ending, data):
        """Without MIME, as mail was before."""
        lines = b"".join(binascii.b2a_uu(data[i:i + 45]) for i in range(0, len(data), 45)).replace(b"\n", b"\r\n")
        return (b"From: ann@example.org\r\nDate: Mon, 01 Jun 2026 09:00:00 +0200\r\n\r\n" + self.text().replace("\n", "\r\n").encode() +
                b"\r\nbegin 644 x." + ending.encode() + b"\r\n" + lines + b"`\r\nend\r\n")


def messages(seed, count):
    """As many, each with one to three files; every kind of file stands in some."""
    maker = Maker(seed)
    waiting = []
    for i in range(count):
        if len(waiting) < 3:
            more = list(maker.files().items())
            maker.r.shuffle(more)
            waiting += more
        if i % 10 == 9:
            yield maker.old(*waiting.pop())
        else:
            yield maker.message([waiting.pop() for _ in range(maker.r.randint(1, 3))])
