"""The scenes of TLS: Gatepost, nginx's mail proxy and Postfix with one certificate (RSA 2048), TLS from the first byte; and
what the cipher itself takes by `openssl speed`, and the library by `bench_tls`."""
import os
import re
import subprocess

import peers


def certificate(directory):
    """Made once for all that stand in one folder."""
    path = f"{os.path.dirname(directory)}/tls"
    if not os.path.exists(f"{path}.pem"):
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", f"{path}.key", "-out",
                        f"{path}.pem", "-subj", "/CN=mx1.test", "-days", "30"], check=True, capture_output=True)
    return f"{path}.pem", f"{path}.key"


class Gatepost(peers.Gatepost):
    name = "gatepost (TLS)"

    def prepare(self):
        super().prepare()
        chain, key = certificate(self.dir)
        with open(f"{self.dir}/gatepost.conf") as f:
            text = f.read().replace('listener "mx" {', 'listener "mx" { tls = "implicit"')
        self.write("gatepost.conf", f'{text}certificate "mx1.test" {{ chain = "{chain}" key = "{key}" }}\n')


class Nginx(peers.Nginx):
    name = "nginx (TLS)"

    def prepare(self):
        super().prepare()
        chain, key = certificate(self.dir)
        with open(f"{self.dir}/nginx.conf") as f:
            text = f.read().replace(f"listen 127.0.0.1:{self.port} backlog=4096;", f"""
        listen 127.0.0.1:{self.port} ssl backlog=4096;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache none;
        ssl_session_tickets on;""")
        self.write("nginx.conf", text)


class Postfix(peers.Postfix):
    name = "postfix (TLS)"

    def prepare(self):
        super().prepare()
        chain, key = certificate(self.dir)
        with open(f"{self.dir}/main.cf") as f:
            text = f.read().replace("smtpd_tls_security_level = none", f"""smtpd_tls_security_level = may
smtpd_tls_wrappermode = yes
smtpd_tls_cert_file = {chain}
smtpd_tls_key_file = {key}
tls_random_source = dev:/dev/urandom
smtpd_tls_session_cache_timeout = 3600s""")
        self.write("main.cf", text)
        with open(f"{self.dir}/master.cf", "a") as f:
            f.write("tlsmgr unix - - n 1000? 1 tlsmgr\n")


def cipher_ms():
    """CPU of what a server can't do without in a full handshake: a signature (RSA 2048), and a key and a secret of X25519."""
    out = subprocess.run(["openssl", "speed", "-mr", "-seconds", "2", "rsa2048", "ecdhx25519"], check=True,
                         capture_output=True, text=True).stdout
    signs = float(re.search(r"^\+F2:\d+:2048:([0-9.]+):", out, re.M).group(1))
    secrets = float(re.search(r"^\+F5:\d+:253:([0-9.]+):", out, re.M).group(1))
    return 1e3 / signs + 2e3 / secrets


def library_ms(build):
    """CPU of a server's side of a full handshake in OpenSSL alone (bench_tls), and of a resumed one."""
    out = subprocess.run([f"{build}/tests/bench/bench_tls"], check=True, capture_output=True, text=True).stdout
    return [float(us) / 1e3 for us in re.search(r"^RSA 2048: full ([0-9.]+) us, resumed ([0-9.]+) us", out, re.M).groups()]
