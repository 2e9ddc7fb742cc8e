#!/usr/bin/python3
"""Signs messages with python3-dkim and OpenDKIM's tools, spoils some, and writes them into the folder given,
one file each; prints what is to be said of them.

Lines of fields, separated by tabs:
  S file            begins a sample
  K name hex        a TXT record; without hex: no answer for that name
  v reason bits f   a verdict, in the order of the fields; reason "pass" or in words, bits 0: not known,
                    f: t (testing) and p (partial), in this order
  m n               so many fields beyond the most          q n   at most so many queries
  - file            a file that must not pass in any way, with the keys of the samples before
"""
import base64
import ctypes
import hashlib
import os
import random
import re
import subprocess
import sys
import time

import dkim

FOLDER = sys.argv[1]
DOMAIN = "example.org"
NOW = int(time.time())
FIELDS = (b"From: Ann <ann@example.org>\r\nTo: bob@local.test, \r\n\tCarl <carl@local.test>\r\n"
          b"Subject: Dinner  is\tready \r\nDate: Mon, 1 Jun 2026 09:14:07 +0200\r\n"
          b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n")
BODY = b"Hi.\r\n\r\nWe lost  the game. \t \r\n \t\r\nAre you hungry yet?\r\n\r\n\r\n"
MSG = FIELDS + b"\r\n" + BODY
SIGNED = [b"from", b"to", b"subject", b"date", b"message-id"]
CANONS = [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]


def run(*command, data=b""):
    return subprocess.run(command, input=data, cwd=FOLDER, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


class Key:
    def __init__(self, selector, pem, record):
        self.selector, self.pem, self.record = selector, pem, record
        self.name = f"{selector}._domainkey.{DOMAIN}"


def spki(pem):
    der = run("openssl", "pkey", "-pubout", "-outform", "DER", data=pem)
    return base64.b64encode(der).decode()


def rsa(selector, bits):
    pem = run("openssl", "genrsa", "-traditional", str(bits))
    return Key(selector, pem, "v=DKIM1; k=rsa; p=" + spki(pem))


def genkey():
    """As OpenDKIM's own tool makes it: strings of a zone file."""
    run("opendkim-genkey", "-b", "2048", "-d", DOMAIN, "-s", "genkey")
    with open(os.path.join(FOLDER, "genkey.private"), "rb") as f:
        pem = f.read()
    with open(os.path.join(FOLDER, "genkey.txt"), encoding="ascii") as f:
        return Key("genkey", pem, "".join(re.findall(r'"([^"]*)"', f.read())))


def ed25519():
    run("dknewkey", "--ktype", "ed25519", "ed")
    with open(os.path.join(FOLDER, "ed.key"), "rb") as f:
        pem = f.read()
    with open(os.path.join(FOLDER, "ed.dns"), encoding="ascii") as f:
        return Key("ed", pem, f.read().strip())


GENKEY, ED = genkey(), ed25519()
K1024, K512, K4096, OTHER = rsa("small", 1024), rsa("tiny", 512), rsa("large", 4096), rsa("other", 2048)
KEYS = {k.name: k.record for k in (GENKEY, ED, K1024, K512, K4096)}


def sign(message, key=GENKEY, canon=(b"relaxed", b"relaxed"), algorithm=None, fields=None, **kw):
    """The field of one signature by python3-dkim."""
    algorithm = algorithm or (b"ed25519-sha256" if key is ED else b"rsa-sha256")
    return dkim.sign(message, key.selector.encode(), DOMAIN.encode(), key.pem, canonicalize=canon,
                     signature_algorithm=algorithm, include_headers=fields or SIGNED, **kw)


class OpenDkim:
    """Signing by OpenDKIM's library."""
    SIMPLE, RELAXED, RSA_SHA256, ED25519 = 0, 1, 1, 2

    def __init__(self):
        self.lib = ctypes.CDLL("libopendkim.so.11")
        for name in "dkim_init", "dkim_sign":
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.lib.dkim_init.argtypes = [ctypes.c_void_p] * 2
        self.lib.dkim_sign.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p] + [ctypes.c_char_p] * 3 + \
            [ctypes.c_int] * 3 + [ctypes.c_ssize_t, ctypes.POINTER(ctypes.c_int)]
        self.lib.dkim_chunk.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        self.lib.dkim_eom.argtypes = [ctypes.c_void_p] * 2
        self.lib.dkim_getsighdr_d.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_char_p),
                                              ctypes.POINTER(ctypes.c_size_t)]
        self.handle = self.lib.dkim_init(None, None)

    def sign(self, message, key, canon):
        pem = key.pem
        if key is ED:  # a bare key, for python3-dkim
            der = bytes.fromhex("302e020100300506032b657004220420") + base64.b64decode(key.pem)
            pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"
        codes = [self.RELAXED if c == b"relaxed" else self.SIMPLE for c in canon]
        status, text, size = ctypes.c_int(), ctypes.c_char_p(), ctypes.c_size_t()
        d = self.lib.dkim_sign(self.handle, b"-", None, pem, key.selector.encode(), DOMAIN.encode(), *codes,
                               self.ED25519 if key is ED else self.RSA_SHA256, -1, ctypes.byref(status))
        assert d and status.value == 0
        assert self.lib.dkim_chunk(d, message, len(message)) == 0 and self.lib.dkim_chunk(d, None, 0) == 0
        assert self.lib.dkim_eom(d, None) == 0
        assert self.lib.dkim_getsighdr_d(d, 16, ctypes.byref(text), ctypes.byref(size)) == 0
        return b"DKIM-Signature: " + text.value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n" + message


def sign_testmsg(message, key):
    """The whole message, signed by OpenDKIM's tool, which knows only SHA-1."""
    path = os.path.join(FOLDER, key.selector + ".pem")
    with open(path, "wb") as f:
        f.write(key.pem)
    return run("opendkim-testmsg", "-C", "-d", DOMAIN, "-k", path, "-s", key.selector, data=message)


def sample(name, message, *verdicts, keys=None, more=0, queries=None):
    with open(os.path.join(FOLDER, name), "wb") as out:
        out.write(message)
    print("S", name, sep="\t")
    for owner, records in (KEYS if keys is None else keys).items():
        for record in records if isinstance(records, list) else [records]:
            print("K", owner, *([] if record is None else [record.encode("latin-1").hex()]), sep="\t")
    for verdict in verdicts:
        reason, bits, flags = (verdict.split("|") + ["0", ""][verdict.count("|"):])[:3]
        print("v", reason, bits, flags, sep="\t")
    print("m", more, sep="\t")
    if queries is not None:
        print("q", queries, sep="\t")


def with_key(record):
    return {GENKEY.name: record}


PLAIN = sign(MSG) + MSG


def edit(old, new, message=PLAIN, count=1):
    assert old in message, old
    return message.replace(old, new, count)


def retag(**tags):
    """The plain signature with tags set to something else (None: without), whatever that does to it."""
    field = re.sub(rb"\s+", b"", PLAIN[:len(PLAIN) - len(MSG)].split(b":", 1)[1])
    pairs = [t.split(b"=", 1) for t in field.strip(b";").split(b";")]
    values = {name.decode(): value.decode() for name, value in pairs} | tags
    text = "; ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    return b"DKIM-Signature: " + text.encode("latin-1") + b"\r\n" + MSG


def good():
    for h, b in CANONS:
        for key, bits in (GENKEY, 2048), (ED, 256):
            name = f"{key.selector}-{h.decode()}-{b.decode()}"
            sample(name, sign(MSG, key, (h, b)) + MSG, f"pass|{bits}")
            if key is GENKEY or h == b"relaxed":  # it doesn't verify what it signs by the others, either
                sample("opendkim-" + name, opendkim.sign(MSG, key, (h, b)), f"pass|{bits}")
        for name, body in ("empty", b""), ("blank", b"\r\n\r\n"), ("spaces", b" \t\r\n"), ("one", b"x\r\n"):
            m = FIELDS + b"\r\n" + body
            sample(f"body-{name}-{h.decode()}-{b.decode()}", sign(m, canon=(h, b)) + m, "pass|2048")
    for key, bits in (K1024, 1024), (K512, 512), (K4096, 4096):
        sample(f"rsa-{bits}", sign(MSG, key) + MSG, f"pass|{bits}")
    sample("testmsg", sign_testmsg(MSG, K1024), "pass|1024")
    sample("rsa-sha1", sign(MSG, K1024, algorithm=b"rsa-sha1") + MSG, "pass|1024")
    big = FIELDS + b"\r\n" + (b"0123456789 " * 8 + b"\r\n") * 20000
    sample("large", sign(big) + big, "pass|2048")
    long = FIELDS + b"X-Long: " + b"x" * 30000 + b"\r\n\r\n" + b"\xff \x80" * 30000 + b"\r\n"
    sample("long-lines", sign(long, fields=SIGNED + [b"x-long"]) + long, "pass|2048")
    sample("unsigned", MSG)
    sample("lower-case", edit(b"DKIM-Signature:", b"dkim-signature:", sign(MSG, canon=(b"relaxed", b"simple")) + MSG),
           "pass|2048")
    sample("not-a-field", edit(b"MIME-Version: 1.0\r\n", b"MIME-Version: 1.0\r\nno field\r\n"), "pass|2048")


def several():
    both = sign(MSG, ED) + sign(MSG) + MSG
    sample("both", both, "pass|256", "pass|2048", queries=2)
    sample("one-broken", edit(b"Subject:", b"X-A: b\r\nSubject:", sign(MSG, ED) + edit(b"v=1", b"v=2") ),
           "pass|256", "malformed signature")
    thrice = sign(MSG) + sign(MSG, canon=CANONS[0]) + sign(MSG, canon=CANONS[1]) + MSG
    sample("one-key", thrice, "pass|2048", "pass|2048", "pass|2048", queries=1)
    fields = b"".join(sign(MSG).replace(b" s=genkey", b" s=s%d" % i) for i in range(100))
    sample("hundred", fields + MSG, *["key not found"] * 16, more=84, queries=16)
    lengths = sign(MSG, length=True) * 6 + sign(MSG) + MSG
    sample("lengths", lengths, *["pass|2048"] * 2, *["malformed signature"] * 4, "pass|2048")
    crowd = b"From: ann@example.org\r\n" + b"X: y\r\n" * 4000 + b"\r\n" + b" x\r\n" * 100000
    heavy = sign(crowd, fields=[b"from"] + [b"x"] * 255) * 16 + crowd
    sample("heavy", heavy, *["pass|2048"] * 16)
    one_line = FIELDS + b"\r\n" + b"x " * 2000000 + b"\r\n"
    sample("one-line", sign(one_line) + one_line, "pass|2048")
    sample("over-signed", sign(MSG, fields=[b"from", b"from", b"to", b"subject", b"subject"]) + MSG, "pass|2048")
    # As many names as fields, and more: the library wrote behind its list.
    for extra in range(5):
        few = b"From: ann@example.org\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(extra)) + b"\r\nx\r\n"
        names = [b"from"] + [b"x%d" % i for i in range(extra)] + [b"none"] * 20
        sample(f"all-fields-{extra}", sign(few, fields=names) + few, "pass|2048")
        field = sign(few, fields=names).replace(b" h=", b" h=dkim-signature : ")
        sample(f"itself-{extra}", field + few, "bad signature|2048")


def altered():
    sample("subject", edit(b"Subject: Dinner", b"Subject: Supper"), "bad signature|2048")
    sample("from", edit(b"Ann <", b"Eve <"), "bad signature|2048")
    sample("body", edit(b"hungry", b"thirst"), "body changed|2048")
    sample("appended", PLAIN + b"Buy this.\r\n", "body changed|2048")
    sample("shortened", edit(b"Hi.\r\n", b""), "body changed|2048")
    sample("added", b"X-Added: y\r\nReceived: z\r\n" + PLAIN, "pass|2048")
    sample("second-subject", edit(b"Subject:", b"Subject: Buy\r\nSubject:"), "pass|2048")
    over = sign(MSG, fields=SIGNED + [b"subject"]) + MSG
    sample("second-subject-over", edit(b"Subject:", b"Subject: Buy\r\nSubject:", over), "bad signature|2048")
    sample("second-from", b"From: eve@evil.example\r\n" + PLAIN, "malformed message")
    sample("no-from", edit(b"From: Ann", b"X-From: Ann"), "malformed message")
    sample("nul", edit(b"Dinner", b"Din\0ner"), "malformed message")
    sample("nul-body", edit(b"hungry", b"hun\0ry"), "body changed|2048")
    sample("blanks-relaxed", edit(b"lost  the", b"lost the"), "pass|2048")
    simple = sign(MSG, canon=CANONS[0]) + MSG
    sample("blanks-simple", edit(b"lost  the", b"lost the", simple), "body changed|2048")
    sample("folding-simple", edit(b", \r\n\tCarl", b", Carl", simple), "bad signature|2048")
    sample("folding-relaxed", edit(b", \r\n\tCarl", b", Carl"), "pass|2048")
    sample("field-of-signature", retag(t=str(NOW - 5)), "bad signature|2048")
    forged = base64.b64encode(hashlib.sha256(b"Buy.\r\n").digest()).decode()
    sample("body-and-hash", edit(BODY, b"Buy.\r\n", retag(bh=forged)), "bad signature|2048")
    sample("other-b", retag(b="AAAA"), "bad signature|2048")
    sample("no-base64", retag(b="!!!!"), "bad signature|2048")
    length = sign(MSG, length=True) + MSG
    sample("length", length, "pass|2048")
    sample("length-appended", length + b"Buy this.\r\n", "pass|2048|p")
    sample("length-simple", sign(MSG, canon=CANONS[0], length=True) + MSG, "pass|2048")
    sample("length-simple-appended", sign(MSG, canon=CANONS[0], length=True) + MSG + b"x\r\n", "pass|2048|p")
    sample("length-blank-lines", length + b"\r\n \r\n\r\n", "pass|2048")
    sample("length-cut", edit(b"hungry yet?\r\n", b"", length), "body changed|2048")


def flawed():
    sample("expired", retag(t=str(NOW - 9000), x=str(NOW - 4000)), "signature expired")
    sample("not-expired", retag(x=str(NOW + 4000)), "bad signature|2048")
    sample("future", retag(t=str(NOW + 4000)), "signature from the future")
    for name, tags in {"x-before-t": {"t": str(NOW), "x": str(NOW - 1)}, "x-word": {"x": "soon"}, "no-d": {"d": None},
                       "no-s": {"s": None}, "no-bh": {"bh": None}, "no-v": {"v": None}, "v2": {"v": "2"},
                       "no-b": {"b": None}, "empty-b": {"b": ""}, "no-h": {"h": None}, "empty-name": {"h": "from::to"},
                       "no-a": {"a": None}, "i-elsewhere": {"i": "@example.com"}, "i-above": {"i": "@org"},
                       "i-none": {"i": "x"}, "d-dots": {"d": "example..org"}, "q": {"q": "http"}, "l": {"l": "-1"},
                       "8bit": {"d": "ex\xe4mple.org"}, "names": {"h": ":".join(["from"] + ["x"] * 300)},
                       "long": {"z": "x" * 9000}, "d-literal": {"d": "[192.0.2.1]"}}.items():
        sample(f"flawed-{name}", retag(**tags), "malformed signature")
    sample("twice", edit(b" d=", b" d=evil.example; d="), "malformed signature")
    sample("no-list", edit(b"v=1;", b"v=1; x y;"), "malformed signature")
    sample("rsa-sha512", retag(a="rsa-sha512"), "unknown algorithm")
    sample("canon", retag(c="loose/relaxed"), "unknown algorithm")
    sample("from-unsigned", retag(h="to:subject"), "From not signed")
    many = b"".join(b"X-%d: y\r\n" % i for i in range(5000))
    sample("many-fields", PLAIN.replace(b"MIME-Version", many + b"MIME-Version"), "malformed message")


def bare_key(bits):
    """An RSAPublicKey that nobody has made: no pair of primes is needed to be read."""
    modulus = ((1 << (bits - 1)) | 12345).to_bytes((bits + 8) // 8, "big")

    def der(tag, data):
        size = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
        return bytes([tag]) + (bytes([0x80 | len(size)]) + size if len(data) > 127 else bytes([len(data)])) + data

    return base64.b64encode(der(0x30, der(2, modulus) + der(2, b"\1\0\1"))).decode()


def keys():
    p = spki(GENKEY.pem)
    other = {"no answer from the DNS": None, "key revoked": "v=DKIM1; p=", "bad signature|2048": OTHER.record,
             "key record too long": "v=DKIM1; n=" + "x" * 5000 + "; p=" + p}
    for i, (verdict, record) in enumerate(other.items()):
        sample(f"key-{i}", PLAIN, verdict, keys=with_key(record))
    sample("key-none", PLAIN, "key not found", keys={})
    sample("key-other-type", PLAIN, "key not found", keys=with_key("v=spf1 -all"))
    sample("key-besides", PLAIN, "pass|2048", keys=with_key(["v=spf1 -all", "p=" + p]))
    bare = base64.b64encode(run("openssl", "rsa", "-RSAPublicKey_out", "-outform", "DER", data=GENKEY.pem)).decode()
    sample("key-bare", PLAIN, "pass|2048", keys=with_key("p=" + bare))
    sample("key-spaced", PLAIN, "pass|2048", keys=with_key("v = DKIM1 ;\tk= rsa; p = " + p[:50] + " " + p[50:] + " ;"))
    sample("key-6144", PLAIN, "key record too long|6144", keys=with_key("p=" + bare_key(6144)))
    sample("key-1023", PLAIN, "bad signature|1023", keys=with_key("p=" + bare_key(1023)))
    curve = spki(run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"))
    for name, record in {"two": ["p=" + p, OTHER.record], "garbage": "p=????", "text": "v=DKIM1", "cut": "p=" + p[:100],
                         "v2": "v=DKIM2; p=" + p, "v-last": "p=" + p + "; v=DKIM1", "twice": f"v=DKIM1; p={p}; p={p}",
                         "ed-in-rsa": "p=" + ED.record.split("p=")[1],
                         "ec": "p=" + curve}.items():
        sample(f"key-malformed-{name}", PLAIN, "malformed key", keys=with_key(record))
    for name, record in {"k": "k=ed25519; p=" + p, "k-new": "k=dilithium; p=" + p, "h": "h=sha1; p=" + p,
                         "s": "s=tlsrpt; p=" + p}.items():
        sample(f"key-use-{name}", PLAIN, "key not for this use", keys=with_key(record))
    sample("key-uses", PLAIN, "pass|2048", keys=with_key("h=sha1:sha256; s=email:x; t=s; g=*; p=" + p))
    sample("key-testing", PLAIN, "pass|2048|t", keys=with_key("t=y:s; p=" + p))
    below = sign(MSG, identity=b"ann@news.example.org") + MSG
    sample("identity-below", below, "pass|2048")
    sample("identity-strict", below, "key not for this use", keys=with_key("t=s; p=" + p))
    sample("ed-spki", sign(MSG, ED) + MSG, "malformed key|256",
           keys={ED.name: "k=ed25519; p=" + base64.b64encode(b"x" * 44).decode()})


def spoiled(n):
    """By chance; python3-dkim says which of them hold nevertheless (what was changed was not signed)."""
    draw = random.Random(1)
    kinds = [PLAIN, sign(MSG, ED, CANONS[0]) + MSG, opendkim.sign(MSG, GENKEY, CANONS[1])]
    print("S", "unsigned", sep="\t")
    for owner, record in KEYS.items():
        print("K", owner, record.encode().hex(), sep="\t")
    print("m", 0, sep="\t")
    for i in range(n):
        message = bytearray(kinds[i % 3])
        for _ in range(draw.choice((1, 1, 2, 5))):
            at = draw.randrange(len(message))
            kind = draw.randrange(3)
            if kind == 0:
                message[at] = draw.choice(b"abz09 ;=:,.\t@<-\xff")
            elif kind == 1:
                del message[at]
            else:
                message[at:at] = draw.choice([b" ", b"\r\n", b"\r\n ", b"x", b";", b"=", b"\0"])
        message = bytes(message)
        if passes(message):
            continue
        with open(os.path.join(FOLDER, f"spoiled-{i}"), "wb") as out:
            out.write(message)
        print("-", f"spoiled-{i}", sep="\t")


def passes(message):
    def look_up(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        return KEYS.get(name.rstrip(".").lower(), "").encode() or None

    try:
        return dkim.DKIM(message).verify(dnsfunc=look_up)
    except dkim.MessageFormatError:  # a line that is no field: it reads no such message at all
        return True
    except Exception:  # whatever else its parser trips over
        return False


opendkim = OpenDkim()
good()
several()
altered()
flawed()
keys()
spoiled(200)
