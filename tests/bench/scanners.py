"""The scene "scanning": each message has an attachment that no other has, and is scanned by Gatepost's own inspectors, or by
clamd, which Postfix asks through clamav-milter; with one database, made for the purpose."""
import base64
import os
import random
import subprocess

import peers

THREADS = 2
HEAD = b"""From: Bench <a@sender.test>
To: <u@hop.test>
Date: Tue, 3 Nov 2026 10:00:00 +0000
Message-ID: <bench@sender.test>
Subject: A message of the benchmark
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

The figures that you asked for.
--b
Content-Type: application/octet-stream; name="figures.bin"
Content-Transfer-Encoding: base64

"""


def prepare(top, build):
    """Makes the messages (tests/bench/load puts a number in place of the eight @) and the database."""
    for name, size in (("5k", 5000), ("100k", 100000)):
        data = base64.encodebytes(random.Random(size).randbytes((size - len(HEAD)) * 3 // 4))
        with open(f"{top}/file-{name}", "wb") as f:
            f.write((HEAD + b"@" * 8 + data[8:] + b"--b--\n").replace(b"\n", b"\r\n"))
    os.mkdir(f"{top}/signatures")
    subprocess.run([f"{build}/tests/bench/bench_scan", "-d", f"{top}/signatures"], check=True)


class Gatepost(peers.Gatepost):
    name = "gatepost (scanning)"

    def prepare(self):
        super().prepare()
        self.write("gatepost.conf", self.read("gatepost.conf").replace(
            'check "antivirus" { mode = "off" }',
            f'clamav {{ database = "{os.path.dirname(self.dir)}/signatures" inspectors = {THREADS} }}\n'
            'check "antivirus" { required = true }'))

    def read(self, name):
        with open(f"{self.dir}/{name}") as f:
            return f.read()

    def ready(self):
        super().ready()
        peers.await_line("the anti-virus database is in force", self.process, f"{self.dir}/log")


class Postfix(peers.QueueingPostfix):
    name = "postfix + clamav-milter"

    def prepare(self):
        super().prepare()
        clamd, milter = peers.free_port(), peers.free_port()
        self.write("clamd.conf", f"""
Foreground yes
DatabaseDirectory {os.path.dirname(self.dir)}/signatures
LocalSocket {self.dir}/clamd.sock
TCPSocket {clamd}
TCPAddr 127.0.0.1
TemporaryDirectory {self.dir}
LogFile {self.dir}/clamd.log
MaxThreads {THREADS}
MaxQueue 200
AlertExceedsMax yes
User root
""")
        self.write("clamav-milter.conf", f"""
Foreground yes
MilterSocket inet:{milter}@127.0.0.1
ClamdSocket unix:{self.dir}/clamd.sock
TemporaryDirectory {self.dir}
LogFile {self.dir}/milter.log
OnInfected Reject
OnFail Defer
User root
""")
        self.append("main.cf", f"smtpd_milters = inet:127.0.0.1:{milter}\n")
        self.run_helper(["clamd", "-c", f"{self.dir}/clamd.conf"], clamd)
        self.run_helper(["clamav-milter", "-c", f"{self.dir}/clamav-milter.conf"], milter)
