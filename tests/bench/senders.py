"""The scene "who is sending": clients whose addresses, domains and signatures are asked of a name server (NSD), by
Gatepost, and by Postfix with its helpers.  The clients are of 198.51.100.0/24, as a PROXY header says."""
import os
import pwd
import subprocess

import peers

DNS = "127.0.0.77"  # a resolver's port can't be told to everybody, so it has port 53 of an address of its own
LISTS = [f"list{i}.test" for i in range(4)]

ZONE = """$ORIGIN .
$TTL 300
.                               SOA ns.test. root.test. 1 3600 600 86400 60
.                               NS  ns.test.
ns.test.                        A   {dns}
mx1.test.                       A   127.0.0.1
hop.test.                       A   127.0.0.1
sender.test.                    MX  10 client.sender.test.
client.sender.test.             A   198.51.100.1
sender.test.                    TXT "v=spf1 include:_spf.sender.test -all"
_spf.sender.test.               TXT "v=spf1 ip4:203.0.113.0/24 ip4:198.51.100.0/24 -all"
_dmarc.sender.test.             TXT "v=DMARC1; p=reject"
bench._domainkey.sender.test.   TXT {key}
*.100.51.198.in-addr.arpa.      PTR client.sender.test.
{lists}
"""


def sign(top, key):
    """Two messages of sender.test, signed as large senders do (RSA-2048, relaxed/relaxed)."""
    import dkim  # of the packages of `make bench`, as all that is used here
    head = (b"From: Bench <a@sender.test>\r\nTo: <u@hop.test>\r\nDate: Tue, 3 Nov 2026 10:00:00 +0000\r\n"
            b"Message-ID: <bench@sender.test>\r\nSubject: A message of the benchmark\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=us-ascii\r\n\r\n")
    line = b"The quick brown fox jumps over the lazy dog, and does so once again today.\r\n"
    for name, size in (("5k", 5000), ("1m", 1000000)):
        message = head + line * (size // len(line))
        signature = dkim.sign(message, b"bench", b"sender.test", key, canonicalize=(b"relaxed", b"relaxed"),
                              include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
        with open(f"{top}/signed-{name}", "wb") as f:
            f.write(signature + message)


def prepare(top):
    """Makes the messages and starts the name server, which the caller stops."""
    key = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "rsa", "-pubout"], input=key, check=True, capture_output=True).stdout
    sign(top, key)
    base64 = "".join(public.decode().split("\n")[1:-2])
    parts = " ".join(f'"{part}"' for part in ["v=DKIM1; k=rsa; p=", base64[:200], base64[200:]])
    server = NameServer(top, "", 0)
    server.write("zone", ZONE.format(dns=DNS, key=parts, lists="\n".join(
        f"2.0.0.127.{name}. A 127.0.0.2" for name in LISTS)))
    return server.start()


class NameServer(peers.Instance):
    name = "nsd"

    def __init__(self, top, build, sink_port):
        super().__init__(top, build, sink_port)
        self.port, self.address = 53, DNS

    def prepare(self):
        self.write("nsd.conf", f"""
server:
    ip-address: {DNS}
    username: ""
    chroot: ""
    zonesdir: "{self.dir}"
    database: ""
    pidfile: "{self.dir}/pid"
    zonelistfile: "{self.dir}/zone.list"
    xfrdfile: "{self.dir}/xfrd"
    logfile: "{self.dir}/log"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: "zone"
""")

    def command(self):
        return ["nsd", "-d", "-c", f"{self.dir}/nsd.conf"]


class Gatepost(peers.Gatepost):
    """All that is asked of the DNS is on, and refuses."""
    name = "gatepost (senders)"

    def prepare(self):
        lists = "\n".join(f'dnsbl "{name}" {{ listed = {{ "127.0.0.2" }} }}' for name in LISTS)
        self.write("gatepost.conf", f"""
hostname = "mx1.test"
workers = {self.workers}
max-sessions = 8000
max-client-sessions = 65535
trusted-networks = {{ "127.0.0.9/32" }}
resolvers = {{ "{DNS}" }}
state-dir = "{self.dir}/state"
drain-timeout = "1s"
listener "mx" {{ address = {{ "127.0.0.1:{self.port}" }} backlog = 4096 proxy-from = {{ "127.1.0.0/16" }} }}
route "hop" {{ hosts = {{ "smtp://127.0.0.1:{self.sink_port}" }} }}
domain "hop.test" {{ route = "hop" }}
limit "client" {{ by = "ip4/32" connections = {{ "1000000/1s" }} messages = {{ "1000000/1s" }} }}
{lists}
check "spf" {{ mode = "enforce" }}
check "dkim" {{ mode = "enforce" broken = "enforce" require = {{ "sender.test" }} }}
check "antivirus" {{ mode = "off" }}
log {{ to = "stderr" }}
""")

    def ready(self):
        pass


class Postfix(peers.QueueingPostfix):
    """What asks the system's resolver sees a resolv.conf of its own."""
    name = "postfix + opendkim + SPF"
    milter = "opendkim"

    def prepare(self):
        super().prepare()
        self.helper_port = peers.free_port()
        self.write("resolv.conf", f"nameserver {DNS}\n")
        self.write("policyd-spf.conf", "debugLevel = 1\nskip_addresses = 127.0.0.0/8\nHELO_reject = False\nMail_From_reject = Fail\n")
        lists = ", ".join(f"reject_rbl_client {name}" for name in LISTS)
        policy = "check_policy_service unix:private/policyd-spf" if self.milter == "opendkim" else "permit"
        self.append("main.cf", f"""
smtpd_upstream_proxy_protocol = haproxy
smtpd_peername_lookup = yes
smtpd_milters = inet:127.0.0.1:{self.helper_port}
smtpd_recipient_restrictions = reject_unauth_destination, reject_unknown_reverse_client_hostname,
    reject_unknown_sender_domain, {lists if self.milter == "opendkim" else "permit"}, {policy}
""")
        self.append("master.cf", "policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf "
                    f"{self.dir}/policyd-spf.conf\n")
        self.start_helper()

    def start_helper(self):
        self.write("opendkim.conf", f"""
Mode v
Socket inet:{self.helper_port}@127.0.0.1
Nameservers {DNS}
PidFile {self.dir}/opendkim.pid
Syslog no
UserID opendkim
""")
        self.run_helper(["opendkim", "-f", "-x", f"{self.dir}/opendkim.conf"], self.helper_port)

    def command(self):
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$1/resolv.conf" /etc/resolv.conf && '
                'exec postfix -c "$1" start-fg', "sh", self.dir]


class Rspamd(Postfix):
    """Postfix asks rspamd, with the four modules that are the matter here and no others."""
    name, milter = "postfix + rspamd", "rspamd"

    def start_helper(self):
        lists = "\n".join(f'{name[:5]} {{ rbl = "{name}"; symbol = "{name[:5].upper()}"; checks = ["from"]; }}'
                          for name in LISTS)
        os.mkdir(f"{self.dir}/rspamd")
        user = pwd.getpwnam("_rspamd")
        os.chown(f"{self.dir}/rspamd", user.pw_uid, user.pw_gid)
        self.write("rspamd.conf", f"""
options {{
    pidfile = "{self.dir}/rspamd/pid"; tempdir = "{self.dir}/rspamd"; cache_file = "{self.dir}/rspamd/symbols";
    hs_cache_dir = "{self.dir}/rspamd"; rrd = ""; history_file = "{self.dir}/rspamd/history"; filters = "dkim,spf";
    local_addrs = []; dns {{ nameserver = ["{DNS}:53:10"]; timeout = 1s; retransmits = 5; }}
}}
logging {{ type = "file"; filename = "{self.dir}/rspamd/log"; level = "info"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua"
metric {{ name = "default"; actions {{ reject = 15; }} }}
modules {{ path = "/usr/share/rspamd/plugins/"; }}
spf {{ }}
dkim {{ }}
dmarc {{ }}
rbl {{ default_from = true; rbls {{ {lists} }} }}
worker "rspamd_proxy" {{
    bind_socket = "127.0.0.1:{self.helper_port}"; count = 2; milter = yes; timeout = 60s;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
""")
        self.run_helper(["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", f"{self.dir}/rspamd.conf"],
                        self.helper_port)
