"""A real Dovecot that only judges logins: its auth service on a unix socket, in a directory of its own."""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from daemon import end_with_parent, wait_for

CONF = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
auth_verbose = yes
protocols =
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_cache_size = 0
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
# Who can't be asked about: a program that says "temporary failure".
passdb {{
  driver = checkpassword
  username_filter = *@away.test
  args = {dir}/cannot-tell
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
  user = {user}
  chroot =
}}
service auth-worker {{
  user = {user}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    def __init__(self, mechanisms="plain login scram-sha-256"):
        self.dir = tempfile.mkdtemp(prefix="gatepost-dovecot-")
        os.chmod(self.dir, 0o755)
        self.socket = f"{self.dir}/auth-gatepost"
        self.mechanisms = mechanisms
        self.users = {}
        self.process = None

    def scheme(self, password, scheme="SCRAM-SHA-256"):
        return subprocess.run(["doveadm", "-c", f"{self.dir}/conf", "pw", "-s", scheme, "-p", password], check=True,
                              capture_output=True, text=True).stdout.strip()

    def write_users(self):
        with open(f"{self.dir}/users.new", "w") as f:
            for login, (password, extra) in self.users.items():
                f.write(f"{login}:{password}::::::{extra}\n")
        os.chmod(f"{self.dir}/users.new", 0o644)
        os.rename(f"{self.dir}/users.new", f"{self.dir}/users")

    def add(self, login, password, extra="", scheme="SCRAM-SHA-256"):
        self.users[login] = (self.scheme(password, scheme), extra)
        self.write_users()

    def configure(self):
        me = pwd.getpwuid(os.geteuid())
        user = "nobody" if os.geteuid() == 0 else me.pw_name
        group = "nogroup" if os.geteuid() == 0 else str(me.pw_gid)
        with open(f"{self.dir}/conf", "w") as f:
            f.write(CONF.format(dir=self.dir, user=user, group=group, socket=self.socket, mechanisms=self.mechanisms))

    def start(self):
        self.configure()
        with open(f"{self.dir}/cannot-tell", "w") as f:
            f.write("#!/bin/sh\nexit 111\n")
        os.chmod(f"{self.dir}/cannot-tell", 0o755)
        self.write_users()
        self.process = subprocess.Popen(["dovecot", "-F", "-c", f"{self.dir}/conf"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
        wait_for(lambda: os.path.exists(self.socket) or self.process.poll() is not None, what="Dovecot's socket")
        assert self.process.poll() is None, self.log()
        return self

    def log(self):
        try:
            with open(f"{self.dir}/log", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def halt(self):
        """Ends it with its services, which would go on for those who are connected."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            children = [int(pid) for pid in f.read().split()]
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        for pid in children:
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if f.read().startswith(b"dovecot/"):
                        os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.halt()
        shutil.rmtree(self.dir, ignore_errors=True)
