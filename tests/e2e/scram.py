"""The client's side of SCRAM-SHA-256 (RFC 5802, 7677), step by step, so that a test can break off or lie."""
import base64
import hashlib
import hmac
import os


def digest(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class Scram:
    def __init__(self, login, password, authzid=""):
        escaped = login.replace("=", "=3D").replace(",", "=2C")
        self.header = f"n,{'a=' + authzid if authzid else ''},"
        self.bare = f"n={escaped},r={base64.b64encode(os.urandom(15)).decode()}"
        self.password = password
        self.salt = self.iterations = None

    def first(self):
        return self.header + self.bare

    def final(self, challenge):
        """The second message, for the server's first."""
        fields = dict(f.split("=", 1) for f in challenge.split(","))
        self.salt, self.iterations = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), self.salt, self.iterations)
        client = digest(salted, b"Client Key")
        without = f"c={base64.b64encode(self.header.encode()).decode()},r={fields['r']}"
        said = f"{self.bare},{challenge},{without}".encode()
        signature = digest(hashlib.sha256(client).digest(), said)
        self.server = base64.b64encode(digest(digest(salted, b"Server Key"), said)).decode()
        proof = bytes(a ^ b for a, b in zip(client, signature))
        return f"{without},p={base64.b64encode(proof).decode()}"
