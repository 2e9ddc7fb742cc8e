"""What is measured: Gatepost and its peers, each an instance of our own in a directory of its own, on free
ports of loopback, in the foreground, and ended by its process id."""
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def await_port(port, process, log, address="127.0.0.1"):
    """Until somebody listens there, as long as `process` lives."""
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                with open(log, errors="replace") as f:
                    raise SystemExit(f"{process.args} does not serve:\n{f.read()[-2000:]}") from None
            time.sleep(0.1)


def await_line(line, process, log):
    """Until it stands in the log."""
    end = time.monotonic() + 60
    while True:
        with open(log, errors="replace") as f:
            said = f.read()
        if line in said:
            return
        if time.monotonic() > end or process.poll() is not None:
            raise SystemExit(f"{process.args} is not ready:\n{said[-2000:]}")
        time.sleep(0.1)


def free_port():
    """Below the ports that the kernel gives to clients: thousands of those come and go here."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def stat_of(pid):
    """Of a process: its parent, its CPU seconds with those of its dead children, and when it began."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(x) for x in fields[11:15]) / TICK, int(fields[19])


def tree(root):
    """All living processes below and with `root`."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = stat_of(name)
            if found:
                children.setdefault(found[0], []).append(int(name))
    out, todo = [], [root]
    while todo:
        pid = todo.pop()
        out.append(pid)
        todo += children.get(pid, [])
    return out


def cpu_of(root):
    return sum(found[1] for found in map(stat_of, tree(root)) if found)


def pss_of(root):
    """KiB of memory, what is shared divided among those who share it."""
    total = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total


class Instance:
    """`start()` writes what it needs into self.dir and runs self.command()."""
    name, address = "?", "127.0.0.1"

    def __init__(self, top, build, sink_port):
        self.build, self.sink_port, self.port = build, sink_port, free_port()
        self.dir = f"{top}/{re.sub('[^a-z0-9]+', '-', self.name)}"
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        self.process = None

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(text)

    def prepare(self):
        pass

    def start(self):
        try:
            self.prepare()
            with open(f"{self.dir}/log", "ab") as log:
                self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                start_new_session=True)
            await_port(self.port, self.process, f"{self.dir}/log", self.address)
            self.ready()
        except BaseException:
            self.stop()
            raise
        return self

    def ready(self):
        pass

    def settle(self):
        """Waits until what was taken on is done; the log of the last messages is written a moment after them."""
        time.sleep(.15)

    def processes(self):
        return [self.process.pid]

    def cpu(self):
        return sum(map(cpu_of, self.processes()))

    def pss(self):
        return sum(map(pss_of, self.processes()))

    def stop(self):
        if not self.process:
            return
        mine = {pid: stat_of(pid) for pid in tree(self.process.pid)}
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # What outlives its parent (a server's children may) goes too, if it still is the process that we knew.
        for pid, known in mine.items():
            found = stat_of(pid)
            if known and found and known[2] == found[2]:
                os.kill(pid, signal.SIGKILL)
        self.process = None


class Sink(Instance):
    name, flags = "sink", ()

    def command(self):
        return [f"{self.build}/tests/bench/sink", "-t", "3600", *self.flags, str(self.port)]


class SinkRcpt(Sink):
    name, flags = "sink (rcpt)", ("-r",)


class SinkConnect(Sink):
    name, flags = "sink (connect)", ("-x",)


class SmtpSink(Instance):
    name = "smtp-sink"

    def command(self):
        return ["smtp-sink", "-u", "nobody", f"127.0.0.1:{self.port}", "4096"]


class Gatepost(Instance):
    name, workers = "gatepost", 2

    def prepare(self):
        self.write("gatepost.conf", f"""
hostname = "mx1.test"
workers = {self.workers}
max-sessions = 80000
max-client-sessions = 65535
trusted-networks = {{ "127.0.0.9/32" }}
state-dir = "{self.dir}/state"
drain-timeout = "1s"
listener "mx" {{ address = {{ "127.0.0.1:{self.port}" }} backlog = 4096 }}
route "hop" {{ hosts = {{ "smtp://127.0.0.1:{self.sink_port}" }} }}
domain "hop.test" {{ route = "hop" }}
limit "client" {{ by = "ip4/32" connections = {{ "1000000/1s" }} messages = {{ "1000000/1s" }} }}
check "reverse-dns" {{ mode = "off" }}
check "sender-verify" {{ mode = "off" }}
check "spf" {{ mode = "off" }}
check "dkim" {{ mode = "off" }}
check "dmarc" {{ mode = "off" }}
check "antivirus" {{ mode = "off" }}
log {{ to = "stderr" }}
""")

    def command(self):
        return [f"{self.build}/gatepostd", "-c", f"{self.dir}/gatepost.conf"]

    def ready(self):
        subprocess.run([f"{self.build}/gatepost", "-c", f"{self.dir}/gatepost.conf", "ban", "add", "--at-connect",
                        "127.2.0.0/16"], check=True, stdout=subprocess.DEVNULL)


class GatepostOne(Gatepost):
    name, workers = "gatepost (1 worker)", 1


class GatepostFour(Gatepost):
    name, workers = "gatepost (4 workers)", 4


class HAProxy(Instance):
    name = "haproxy"

    def prepare(self):
        self.write("haproxy.cfg", f"""
global
    nbthread 2
    maxconn 9500
    log stdout format raw local0
defaults
    mode tcp
    log global
    option tcplog
    timeout connect 10s
    timeout client 300s
    timeout server 300s
listen smtp
    bind 127.0.0.1:{self.port} backlog 4096
    server hop 127.0.0.1:{self.sink_port}
""")

    def command(self):
        return ["haproxy", "-db", "-f", f"{self.dir}/haproxy.cfg"]


class Nginx(Instance):
    """Its mail proxy, which asks an HTTP server where to go: another part of the same nginx."""
    name = "nginx"

    def prepare(self):
        http = free_port()
        modules = "/usr/lib/nginx/modules/ngx_mail_module.so"
        self.write("nginx.conf", f"""
{f"load_module {modules};" if os.path.exists(modules) else ""}
worker_processes 2;
daemon off;
user www-data;
pid {self.dir}/pid;
error_log {self.dir}/log info;
events {{ worker_connections 9000; }}
http {{
    access_log off;
    client_body_temp_path {self.dir}/t1; proxy_temp_path {self.dir}/t2; fastcgi_temp_path {self.dir}/t3;
    uwsgi_temp_path {self.dir}/t4; scgi_temp_path {self.dir}/t5;
    server {{
        listen 127.0.0.1:{http};
        location / {{
            add_header Auth-Status OK;
            add_header Auth-Server 127.0.0.1;
            add_header Auth-Port {self.sink_port};
            return 200 "";
        }}
    }}
}}
mail {{
    server_name mx1.test;
    auth_http 127.0.0.1:{http}/;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        protocol smtp;
        smtp_auth none;
        xclient off;
        timeout 300s;
        smtp_capabilities PIPELINING 8BITMIME "SIZE 104857600";
    }}
}}
""")

    def command(self):
        return ["nginx", "-c", f"{self.dir}/nginx.conf", "-p", self.dir]


class Postfix(Instance):
    """As a before-queue proxy (smtpd_proxy_filter); `front` is the service on the port."""
    name, front = "postfix", "smtpd"

    def prepare(self):
        user = pwd.getpwnam("postfix")
        for name in ("queue", "data"):
            os.mkdir(f"{self.dir}/{name}")
        os.chown(f"{self.dir}/data", user.pw_uid, user.pw_gid)
        # postlogd runs as Postfix's user.
        with open(f"{self.dir}/mail.log", "w"):
            os.chown(f"{self.dir}/mail.log", user.pw_uid, user.pw_gid)
        self.write("ban", "127.2.0.0/16 reject\n")
        self.write("main.cf", f"""
compatibility_level = 3.6
queue_directory = {self.dir}/queue
data_directory = {self.dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {self.dir}/mail.log
maillog_file_prefixes = {self.dir}
myhostname = mx1.test
mydestination =
mynetworks = 127.0.0.9/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = hop.test
alias_maps =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_proxy_filter = 127.0.0.1:{self.sink_port}
message_size_limit = 104857600
smtpd_tls_security_level = none
postscreen_access_list = cidr:{self.dir}/ban
postscreen_denylist_action = drop
# The listener's backlog is this number; 100 processes serve it.
default_process_limit = 1200
""")
        rows = [f"127.0.0.1:{self.port} inet n - n - {'1 postscreen' if self.front == 'postscreen' else '100 smtpd'}",
                "smtpd pass - - n - 100 smtpd", "dnsblog unix - - n - 0 dnsblog", "tlsproxy unix - - n - 0 tlsproxy",
                "rewrite unix - - n - - trivial-rewrite", "anvil unix - - n - 1 anvil",
                "proxymap unix - - n - - proxymap", "cleanup unix n - n - 0 cleanup",
                "postlog unix-dgram n - n - 1 postlogd"]
        self.write("master.cf", "\n".join(rows) + "\n")
        subprocess.run(["postfix", "-c", self.dir, "check"], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def command(self):
        return ["postfix", "-c", self.dir, "start-fg"]


class Postscreen(Postfix):
    name, front = "postscreen", "postscreen"


class QueueingPostfix(Postfix):
    """With its queue and helpers of its own: a milter sees no message before a queue does."""

    def prepare(self):
        super().prepare()
        self.helpers = []
        with open(f"{self.dir}/main.cf", "a") as f:
            f.write(f"""
smtpd_proxy_filter =
transport_maps = inline:{{hop.test=smtp:[127.0.0.1]:{self.sink_port}}}
milter_default_action = tempfail
""")
        with open(f"{self.dir}/master.cf", "a") as f:
            f.write("""pickup unix n - n 60 1 pickup
qmgr unix n - n 300 1 qmgr
smtp unix - - n - 50 smtp
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
retry unix - - n - - error
error unix - - n - - error
scache unix - - n - 1 scache
""")

    def append(self, name, text):
        with open(f"{self.dir}/{name}", "a") as f:
            f.write(text)

    def run_helper(self, command, port):
        """A helper that listens there is one that works."""
        with open(f"{self.dir}/helper.log", "ab") as log:
            helper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      start_new_session=True)
        self.helpers.append(helper)
        await_port(port, helper, f"{self.dir}/helper.log")

    def settle(self):
        """Until the queue is empty: what is in it is still to be paid for."""
        end = time.monotonic() + 30
        while time.monotonic() < end and any(
                files for q in ("incoming", "active", "maildrop") for _, _, files in os.walk(f"{self.dir}/queue/{q}")):
            time.sleep(.05)

    def processes(self):
        return [self.process.pid, *(helper.pid for helper in self.helpers)]

    def stop(self):
        super().stop()
        for helper in self.helpers:
            helper.terminate()
            helper.wait()
        self.helpers = []


def remove(top):
    shutil.rmtree(top, ignore_errors=True)
