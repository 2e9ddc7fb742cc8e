"""Certificates for tests, made by openssl: self-signed ones, and some by an authority of the test's own."""
import os
import subprocess

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
RSA = ["-newkey", "rsa:2048"]


def openssl(*args, **kw):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, **kw)


class Pair:
    """A certificate and its key: .chain, .key (paths)."""

    def __init__(self, directory, name, kind=EC, days=30, names=None, ca=None, file=None, addresses=()):
        base = f"{directory}/{file or name}"
        self.name, self.chain, self.key = name, f"{base}.pem", f"{base}.key"
        names = ",".join([f"DNS:{n}" for n in (names or [name])] + [f"IP:{a}" for a in addresses])
        args = ["req", "-x509", "-nodes", *kind, "-keyout", self.key, "-out", f"{self.chain}.new",
                "-subj", f"/CN={name}", "-days", str(days), "-addext", f"subjectAltName={names}"]
        if ca:
            args += ["-CA", ca.chain, "-CAkey", ca.key]
        openssl(*args)
        os.rename(f"{self.chain}.new", self.chain)  # as the programs that renew them do

    def section(self, key=True):
        return f'certificate "{self.name}" {{ chain = "{self.chain}" key = "{self.key}" }}'
