#!/usr/bin/python3
"""Makes archives of all kinds in the folder given, one file each, and prints what is to be found in them.

Lines of fields, separated by tabs:
  S file [depth entries bytes milliseconds]    begins a sample; its bounds
  P inside offset length encodings asked       a part of it; without one all of the file is one part
  f path            a file that is found          k kind path    a file of that kind
  - path            none by that name is          e path         an encrypted one
  s state  n state  the parts together have it, or not
  l limit           that limit was exceeded, c: none was     o: nothing else than the f, k, e
"""
import base64
import binascii
import bz2
import gzip
import io
import lzma
import os
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

FOLDER = sys.argv[1]
PE = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + b"\0" * 200
TEXT = b"Nothing to see here.\n" * 40


def sample(name, data, *lines, bounds=""):
    with open(os.path.join(FOLDER, name), "wb") as out:
        out.write(data)
    print("S", name, *bounds.split(), sep="\t")
    for line in lines:
        print(line.replace(" ", "\t", 2 if line.startswith("k ") else 1 if line[0] in "fe-snl" else 5))


def run(*command, folder=FOLDER):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def make_zip(files, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        for name, data in files:
            z.writestr(name, data)
    return out.getvalue()


def make_tar(files, mode="w", form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as t:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def by_tool(name, *command, files=(("evil.exe", PE), ("note.txt", TEXT), ("grüße.txt", TEXT))):
    """What a program packs from files in a folder of their own."""
    folder = os.path.join(FOLDER, "in-" + name)
    os.mkdir(folder)
    for path, data in files:
        with open(os.path.join(folder, path), "wb") as out:
            out.write(data)
    path = os.path.join(FOLDER, "made-" + name)
    run(*[path if c == "@" else c for c in command], *[f[0] for f in files], folder=folder)
    with open(path, "rb") as made:
        return made.read()


# ---- Formats that nothing free writes, stored

def rar4(files, flags=0):
    out = b"Rar!\x1a\x07\0"
    main = struct.pack("<BHHHL", 0x73, flags, 13, 0, 0)
    out += struct.pack("<H", zlib.crc32(main) & 0xffff) + main
    if flags & 0x80:
        return out + random.Random(4).randbytes(400)
    for name, data in files:
        head = struct.pack("<BHHLLBLLBBHL", 0x74, 0x8000, 32 + len(name), len(data), len(data), 2, zlib.crc32(data),
                           0x5a21, 20, 0x30, len(name), 0x20) + name
        out += struct.pack("<H", zlib.crc32(head) & 0xffff) + head + data
    end = struct.pack("<BHH", 0x7b, 0x4000, 7)
    return out + struct.pack("<H", zlib.crc32(end) & 0xffff) + end


def vint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def rar5_block(body):
    sized = vint(len(body)) + body
    return struct.pack("<L", zlib.crc32(sized)) + sized


def rar5(files, sealed=False):
    out = b"Rar!\x1a\x07\1\0"
    if sealed:
        return out + rar5_block(vint(4) + vint(0) + vint(0) + vint(0) + b"\x0f" + b"s" * 16) + \
            random.Random(5).randbytes(400)
    out += rar5_block(vint(1) + vint(0) + vint(0))
    for name, data in files:
        out += rar5_block(vint(2) + vint(2) + vint(len(data)) + vint(4) + vint(len(data)) + vint(0x20) +
                          struct.pack("<L", zlib.crc32(data)) + vint(0) + vint(1) + vint(len(name)) + name) + data
    return out + rar5_block(vint(5) + vint(0) + vint(0))


def lha(files):
    """Level 0 headers, method lh0: stored."""
    out = b""
    for name, data in files:
        body = b"-lh0-" + struct.pack("<LLLBB", len(data), len(data), 0x5a210000, 0x20, 0) + \
            bytes([len(name)]) + name + struct.pack("<H", crc16(data))
        out += bytes([len(body), sum(body) & 255]) + body + data
    return out + b"\0"


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xa001 if crc & 1 else crc >> 1
    return crc


def cab(files):
    """One folder, stored."""
    content = b"".join(data for _, data in files)
    names = [struct.pack("<LLHHHH", len(data), sum(len(d) for _, d in files[:i]), 0, 0x5a21, 0, 0x20) + name + b"\0"
             for i, (name, data) in enumerate(files)]
    entries = b"".join(names)
    data_at = 36 + 8 + len(entries)
    size = data_at + 8 + len(content)
    head = b"MSCF" + struct.pack("<LLLLLBBHHHHH", 0, size, 0, 36 + 8, 0, 3, 1, 1, len(files), 0, 1, 0)
    return head + struct.pack("<LHH", data_at, 1, 0) + entries + \
        struct.pack("<LHH", 0, len(content), len(content)) + content


# ---- Zips by hand: each header says what it is told

def local(name, data, flags=0, method=0, extra=b"", size=None):
    size = len(data) if size is None else size
    return b"PK\3\4" + struct.pack("<HHHHHLLLHH", 20, flags, method, 0, 33, zlib.crc32(data), size, size, len(name),
                                   len(extra)) + name + extra + data


def central(name, offset, size, flags=0, method=0, extra=b"", full=None, comment=b""):
    return b"PK\1\2" + struct.pack("<HHHHHHLLLHHHHHLL", 20, 20, flags, method, 0, 33, 0, size,
                                   size if full is None else full, len(name), len(extra), len(comment), 0, 0, 0,
                                   offset) + name + extra + comment


def end(count, at, size, comment=b""):
    return b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, count, count, size, at, len(comment)) + comment


def hand_zip(locals_, centrals, comment=b""):
    directory = b"".join(centrals)
    return locals_ + directory + end(len(centrals), len(locals_), len(directory), comment)


def overlapping(count, kernel_bytes):
    """Every file's bytes are the headers of the next ones, quoted as stored blocks, and one kernel (D. Fifield, 2019)."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = deflate.compress(b"a" * kernel_bytes) + deflate.flush()
    names = [b"%d" % i for i in range(count)]
    tail, full = kernel, kernel_bytes
    blocks = [local(names[-1], b"", method=8, size=len(kernel)) + kernel]
    sizes = [(len(tail), full)]
    for name in reversed(names[:-1]):
        following = blocks[-1][:30 + blocks[-1][26]]  # the next header, with its name
        quote = b"\0" + struct.pack("<HH", len(following), len(following) ^ 0xffff)
        size = len(quote) + len(blocks[-1])
        full += len(following)
        blocks.append(local(name, b"", method=8, size=size) + quote + blocks[-1])
        sizes.append((size, full))
    data, offset, centrals = blocks[-1], 0, []
    for name, (size, whole) in zip(names, reversed(sizes)):
        centrals.append(central(name, offset, size, method=8, full=whole))
        offset += 30 + len(name) + 5
    return hand_zip(data, centrals)


def nested(levels, fan, inner):
    """fan zips in each zip, `levels` deep."""
    for level in range(levels):
        inner = make_zip([(f"{level}-{i}.zip", inner) for i in range(fan)])
    return inner


# ---- The samples

FILES = [("evil.exe", PE), ("note.txt", TEXT), ("grüße.txt", TEXT)]
RAW = [(n.encode(), d) for n, d in FILES]
FOUND = ("k pe evil.exe", "f note.txt", "f grüße.txt", "s read", "n damaged", "n encrypted", "c")


def plain_ones():
    sample("stored.zip", make_zip(FILES, zipfile.ZIP_STORED), *FOUND)
    for name, method in (("deflated", zipfile.ZIP_DEFLATED), ("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        sample(name + ".zip", make_zip(FILES, method), *FOUND)
    for name, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2"), ("tar.xz", "w:xz")):
        sample(name, make_tar(FILES, mode), *FOUND)
    sample("gnu.tar", make_tar(FILES, form=tarfile.GNU_FORMAT), *FOUND)
    for kind in ("zstd", "lz4", "compress", "lzip", "lzma"):
        sample("tar." + kind, by_tool("tar." + kind, "bsdtar", "-c", "--" + kind, "-f", "@"), *FOUND)
    sample("lzma2.7z", by_tool("lzma2.7z", "7z", "a", "-bd", "-t7z", "@"), *FOUND)
    sample("ppmd.7z", by_tool("ppmd.7z", "7z", "a", "-bd", "-t7z", "-m0=PPMd", "@"), *FOUND)
    sample("stored.7z", by_tool("stored.7z", "7z", "a", "-bd", "-t7z", "-mx=0", "@"), *FOUND)
    sample("parts.7z", by_tool("parts.7z", "7z", "a", "-bd", "-t7z", "-ms=off", "@"), *FOUND)
    sample("seven.zip", by_tool("seven.zip", "7z", "a", "-bd", "-tzip", "@"), *FOUND)
    sample("deflate64.zip", by_tool("deflate64.zip", "7z", "a", "-bd", "-tzip", "-mm=Deflate64", "@"),
           "f evil.exe", "f note.txt", "f grüße.txt", "s read", "c")
    for kind in ("newc", "odc"):
        sample(kind + ".cpio", by_tool(kind + ".cpio", "bsdtar", "-c", "--format", kind, "-f", "@"), *FOUND)
    sample("disc.iso", by_tool("disc.iso", "bsdtar", "-c", "--format", "iso9660", "-f", "@"), *FOUND)
    sample("old.rar", rar4(RAW), "k pe evil.exe", "f note.txt", "s read", "c")
    sample("five.rar", rar5(RAW), *FOUND)
    sample("level0.lzh", lha(RAW[:2]), "k pe evil.exe", "f note.txt", "s read", "c")
    sample("one.cab", cab(RAW[:2]), "k pe evil.exe", "f note.txt", "s read", "c")
    sample("debian.ar", by_tool("debian.ar", "bsdtar", "-c", "--format", "ar", "-f", "@", files=FILES[:2]),
           "k pe evil.exe", "f note.txt", "s read", "c")
    sample("named.gz", gzip_named("evil.exe", PE), "k pe evil.exe", "s read", "c")
    sample("unnamed.gz", gzip.compress(PE), "k pe ", "s read", "c")
    sample("unnamed.bz2", bz2.compress(PE), "k pe ", "s read", "c")
    sample("unnamed.xz", lzma.compress(PE), "k pe ", "s read", "c")
    for kind in ("7z", "cab", "tar.gz", "zip", "newc.cpio", "bz2.zip"):
        with open("/usr/share/clamav-testfiles/clam." + kind, "rb") as f:
            sample("clam." + kind, f.read(), "k pe clam.exe", "s read", "c")
    # Also under another name, or as content of a file: nobody looks at names.
    sample("photo.jpg", make_zip(FILES), *FOUND)
    sample("prefix.zip", b"\xff\xd8\xff\xe0 a picture " * 40 + make_zip(FILES), *FOUND)


def hidden_ones():
    """Behind a picture, or in a file of a zip that is named like one."""
    picture = b"GIF89a" + bytes(range(256)) * 40
    sample("prefix.rar", picture + rar4(RAW), "k pe evil.exe", "f note.txt", "s read", "c")
    sample("prefix5.rar", picture + rar5(RAW), *FOUND)
    sample("prefix.7z", picture + by_tool("prefix.7z", "7z", "a", "-bd", "-t7z", "@"), *FOUND)
    sample("prefix.cab", picture + cab(RAW[:2]), "k pe evil.exe", "f note.txt", "s read", "c")
    sample("sealed-prefix.rar", picture + rar5([], sealed=True), "s sealed", "s encrypted")
    sample("prefix-in.zip", make_zip([("holiday.rar", picture + rar5(RAW))]), "k pe holiday.rar/evil.exe", "c")
    sample("no.rar", picture + TEXT, "n read", "n unreadable", "o", "c")


def gzip_named(name, data):
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=out) as f:
        f.write(data)
    return out.getvalue()


def encrypted_ones():
    secret = ("-psecret",)
    for name, form, more in (("aes.zip", "zip", ("-mem=AES256",)), ("zipcrypto.zip", "zip", ()), ("content.7z", "7z", ())):
        sample(name, by_tool(name, "7z", "a", "-bd", "-t" + form, *secret, *more, "@"),
               "e evil.exe", "e note.txt", "e grüße.txt", "s encrypted", "n sealed", "c")
    sample("names.7z", by_tool("names.7z", "7z", "a", "-bd", "-t7z", *secret, "-mhe=on", "@"), "s sealed", "s encrypted")
    sample("names4.rar", rar4([], flags=0x80), "s sealed", "s encrypted")
    sample("names5.rar", rar5([], sealed=True), "s sealed", "s encrypted")
    sample("mixed.zip", hand_zip(local(b"a.txt", TEXT) + local(b"b.exe", b"x" * 40, flags=1),
                                 [central(b"a.txt", 0, len(TEXT)),
                                  central(b"b.exe", 35 + len(TEXT), 40, flags=1)]), "f a.txt", "e b.exe", "s encrypted")
    inside = by_tool("deep.7z", "7z", "a", "-bd", "-t7z", *secret, "-mhe=on", "@")
    sample("sealed-inside.zip", make_zip([("inner.7z", inside), ("a.txt", TEXT)]), "f a.txt", "f inner.7z", "s sealed")


def two_readings():
    both = local(b"good.txt", TEXT)
    sample("central-lies.zip", hand_zip(local(b"evil.exe", PE), [central(b"good.txt", 0, len(PE))]),
           "k pe evil.exe", "f good.txt")
    sample("local-lies.zip", hand_zip(local(b"good.txt", PE), [central(b"evil.exe", 0, len(PE))]),
           "f evil.exe", "k pe good.txt")
    sample("hidden-local.zip", hand_zip(both + local(b"photo.jpg", PE), [central(b"good.txt", 0, len(TEXT))]),
           "k pe photo.jpg", "f good.txt")
    hidden = local(b"good.txt", TEXT) + local(b"run.exe", PE)
    sample("two-directories.zip",
           hand_zip(hidden, [central(b"run.exe", 38 + len(TEXT), len(PE))]) +
           central(b"good.txt", 0, len(TEXT)) + end(1, 0, 54), "f run.exe", "f good.txt")
    inner = make_zip([("evil.exe", PE)])
    sample("in-the-comment.zip", hand_zip(both, [central(b"good.txt", 0, len(TEXT))], comment=inner), "f evil.exe", "f good.txt")
    sample("far-end.zip", make_zip(FILES) + b"\0" * 40000, *FOUND[:3])
    extra = struct.pack("<HHBL", 0x7075, 5 + 8, 1, zlib.crc32(b"good.txt")) + b"evil.exe"
    sample("unicode-path.zip", hand_zip(local(b"good.txt", TEXT, extra=extra), [central(b"good.txt", 0, len(TEXT), extra=extra)]),
           "f evil.exe", "f good.txt")
    sample("nul.zip", hand_zip(local(b"evil.exe\0.txt", PE), [central(b"evil.exe\0.txt", 0, len(PE))]),
           "f evil.exe")
    sample("latin.zip", hand_zip(local(b"gr\xfc\xdfe.exe", PE), [central(b"gr\xfc\xdfe.exe", 0, len(PE))]), "f gr\ufffd\ufffde.exe")
    sample("twice.zip", hand_zip(local(b"a.txt", TEXT) + local(b"a.txt", PE),
                                 [central(b"a.txt", 0, len(TEXT)), central(b"a.txt", 35 + len(TEXT), len(PE))]),
           "k pe a.txt", "k unknown a.txt")
    disc = by_tool("plain.iso", "bsdtar", "-c", "--format", "iso9660", "--options", "!joliet", "-f", "@")
    sample("plain.iso", disc, "k pe evil.exe", "s read", "c")


def in_each_other():
    inner = make_zip([("evil.exe", PE)])
    sample("three.zip", make_zip([("b.tar.gz", make_tar([("c/a.zip", inner)], "w:gz"))]),
           "k pe b.tar.gz/c/a.zip/evil.exe", "k zip b.tar.gz/c/a.zip", "k gzip b.tar.gz", "c")
    sample("innocent.zip", make_zip([("holiday.jpg", make_zip([("evil.exe", PE)]))]), "k pe holiday.jpg/evil.exe", "c")
    sample("packed.zip.gz", gzip_named("x.zip", inner), "k pe x.zip/evil.exe", "c")
    sample("gz-in-zip.zip", make_zip([("evil.exe.gz", gzip.compress(PE))]), "k pe evil.exe.gz/evil.exe", "c")
    sample("six.zip", nested(5, 1, inner), "k pe 4-0.zip/3-0.zip/2-0.zip/1-0.zip/0-0.zip/evil.exe", "c", bounds="6 1000 1000000 60000")
    sample("seven.zip.zip", nested(6, 1, inner), "l depth", "f 5-0.zip/4-0.zip/3-0.zip/2-0.zip/1-0.zip/0-0.zip",
           bounds="6 1000 1000000 60000")
    sample("deep-and-flat.zip", make_zip([("a.zip", nested(6, 1, inner)), ("b.exe", PE)]), "l depth", "k pe b.exe", bounds="3 1000 1000000 60000")
    sample("odd.zip", make_zip([("a;rm -rf ~.txt", TEXT), ("$(id).txt", TEXT), ("a\"b'c|d.txt", TEXT)]),
           "f a;rm -rf ~.txt", "f $(id).txt", "f a\"b'c|d.txt", "c")


def too_much():
    tight = "6 100 1000000 60000"
    sample("entries.zip", make_zip([(f"{i}.{i}.txt", b"") for i in range(101)]), "l entries", bounds=tight)
    sample("entries.tar", make_tar([(f"{i}.txt", b"") for i in range(101)]), "l entries", bounds=tight)
    zeros = b"\0" * 4000000
    sample("zeros.zip", make_zip([("zeros", zeros)]), "l bytes", "f zeros", bounds=tight)
    sample("zeros.gz", gzip.compress(zeros), "s read", bounds=tight)
    sample("zeros.tar.gz", make_tar([("zeros", zeros), ("b.txt", TEXT)], "w:gz"), "l bytes", "f zeros", bounds=tight)
    sample("zeros.7z", by_tool("zeros.7z", "7z", "a", "-bd", "-t7z", "@", files=[("zeros", zeros)]), "l bytes", bounds=tight)
    sample("overlap.zip", overlapping(250, 21 << 20), "l overlap", "f 0", "f 249", bounds="6 10000 1000000000 60000")
    sample("nested-zeros.zip", make_zip([("a.zip", make_zip([("zeros", zeros)]))]), "l bytes", "f a.zip/zeros", bounds=tight)
    sample("forty-two.zip", nested(5, 16, make_zip([("0.dll", b"\0" * 1000000)])), "l bytes", bounds="6 10000 100000000 60000")
    sample("long-name.zip", make_zip([("x" * 2000 + ".txt", TEXT)]), "l name-bytes")
    sample("names.zip", make_zip([(f"{i}:{'x' * 100}", b"") for i in range(900)]), "l names")
    sample("alike.zip", make_zip([(f"{'folder/' * 5}{i:05}.txt", TEXT) for i in range(5000)] + [("z.exe", PE)]),
           "k pe z.exe", "c", bounds="6 10000 1000000000 60000")


def broken_ones():
    whole = make_zip(FILES)
    sample("cut.zip", whole[:len(whole) // 3], "f evil.exe", "s damaged")
    packed = by_tool("cut.7z", "7z", "a", "-bd", "-t7z", "@")
    sample("cut.7z", packed[:-20], "s unreadable")
    sample("cut.tar.gz", make_tar([("evil.exe", PE), ("a.bin", random.Random(1).randbytes(300000))], "w:gz")[:200000], "k pe evil.exe", "s damaged")
    five = rar5(RAW)
    sample("cut.rar", five[:-60], "k pe evil.exe")
    sample("nothing.zip", b"PK\3\4" + b"\xee" * 300, "s unreadable", "o")
    sample("empty.zip", make_zip([]), "n damaged", "o", "c")
    sample("cut.gz", gzip.compress(PE)[:-9], "s unreadable")
    sample("empty", b"", "n read", "o", "c")
    sample("text.zip", TEXT, "n read", "n unreadable", "o", "c")
    sample("an.arj", open("/usr/share/clamav-testfiles/clam.arj", "rb").read(), "s unreadable", "o", "c")


def encoded_ones():
    """Parts of messages: where they stand, and how."""
    data = make_zip(FILES)
    b64 = base64.encodebytes(data).replace(b"\n", b"\r\n")
    qp = binascii.b2a_qp(data, istext=False).replace(b"\n", b"\r\n")
    uu = b"".join(binascii.b2a_uu(data[i:i + 45]) for i in range(0, len(data), 45)) + b"`\nend\n"
    head = b"Subject: x\r\n\r\n"
    for name, body, encoding in (("base64", b64, 2), ("quoted-printable", qp, 4), ("uuencode", uu, 8), ("identity", data, 1)):
        sample(name + ".eml", head + body + b"\r\n--b--\r\n", f"P -1 {len(head)} {len(body)} {encoding} 1", *FOUND)
    news = b"=ypart begin=1\r\n" + b"".join(
        bytes([(c + 42) & 255]) if (c + 42) & 255 not in b"\0\r\n=y." else b"=" + bytes([(c + 106) & 255]) for c in data)
    sample("yenc.eml", head + news, f"P -1 {len(head)} {len(news)} 16 1", *FOUND)
    # Signed: its content, in pieces, is a part in it.
    pieces = b"".join(b"\x04\x82" + struct.pack(">H", len(data[i:i + 300])) + data[i:i + 300] for i in range(0, len(data), 300))
    oid = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
    signed = b"\x30\x80" + oid + b"\2\xa0\x80\x30\x80\2\1\1\x31\0\x30\x80" + oid + b"\1\xa0\x80\x24\x80" + pieces + \
        b"\0" * 6 + b"\x31\0" + b"\0" * 6
    wrapped = base64.encodebytes(signed).replace(b"\n", b"\r\n")
    sample("signed.eml", head + wrapped, f"P -1 {len(head)} {len(wrapped)} 2 0", f"P 0 0 {len(signed)} 32 1", *FOUND)
    sample("two-encodings.eml", head + b64, f"P -1 {len(head)} {len(b64)} 6 1", "k pe evil.exe")
    # A container that is encoded itself.
    inner = base64.encodebytes(b"inner header\n\n" + b64)
    sample("inside.eml", head + inner, f"P -1 {len(head)} {len(inner)} 2 0", f"P 0 14 {len(b64)} 2 1", *FOUND)
    sample("outside.eml", head + b64, "P -1 1000000 5 2 1", f"P -1 {len(head)} 100000000 2 1", "k pe evil.exe")
    parts = [(i * len(b64), len(b64)) for i in range(200)]
    sample("two-hundred.eml", b64 * 200, *[f"P -1 {at} {n} 2 1" for at, n in parts], *FOUND)


plain_ones()
hidden_ones()
encrypted_ones()
two_readings()
in_each_other()
too_much()
broken_ones()
encoded_ones()
