"""An auth service that speaks Dovecot's protocol (version 1) and compares passwords as they are: ten thousand
answers a second, where a real one would hash."""
import base64
import os
import socket
import threading


class FakeDovecot:
    """`passwords` are {login: password}; `asked` counts the questions; what is asked of a login in `held`, a dict of
    events, is answered when its event is set."""

    def __init__(self, path, passwords):
        self.path, self.passwords, self.asked, self.held = path, passwords, 0, {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        # Wakes the thread that waits, which a close alone doesn't.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer, peer.makefile("r", encoding="latin-1", newline="\n") as lines:
            try:
                peer.sendall(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n")
                for line in lines:
                    words = line.rstrip("\n").split("\t")
                    if words[0] == "AUTH":
                        self._answer(peer, words)
            except OSError:
                pass

    def _answer(self, peer, words):
        response = next(w for w in words if w.startswith("resp="))[5:]
        _, login, password = base64.b64decode(response).decode("latin-1").split("\0")
        self.asked += 1
        verdict = "OK" if self.passwords.get(login) == password else "FAIL"
        line = f"{verdict}\t{words[1]}\tuser={login}\n".encode("latin-1")
        if login not in self.held:
            peer.sendall(line)
            return
        event = self.held[login]
        threading.Thread(target=lambda: event.wait(60) and peer.sendall(line), daemon=True).start()
