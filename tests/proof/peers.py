"""The servers that the service stands between: a practice's FHIR server and a mailbox, in one of two pairs.

`real` is Medplum and aiosmtpd, neither of them ours. `fast` is the demo's pretend practice and mail catcher in a process
of their own, for runs in which the real ones would be the slowest part. Both survive every death of the service.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / "tests" / "peers"


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Peer:
    """A server that says where it is on a line of JSON, and ends when its standard input closes."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{command[0]} {command[1] if len(command) > 1 else ''} does not start")
        self.said = json.loads(line)

    def ask(self, line):
        """One line in, one line out: for servers that obey."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def drained(self):
        """For a server that goes on talking: nobody listens, and it must not block."""
        threading.Thread(target=lambda: [None for _ in self.process.stdout], daemon=True).start()
        return self

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def whereabouts(variable, usual):
    path = Path(os.environ.get(variable, usual))
    if not path.exists():
        sys.exit(f"{path} is not there: tests/run installs it, or name it by {variable}")
    return str(path)


def python():
    """The Python with the packages of tests/peers/requirements.txt."""
    return whereabouts("WELLBRIDGE_TEST_PYTHON", ROOT / "target" / "venv" / "bin" / "python")


class Pair:
    """A FHIR base, an SMTP port on loopback, and a folder in which the mails lie as `000001.eml` and so on."""

    def __init__(self, kind, mails):
        self.kind, self.mails = kind, mails
        if kind == "real":
            self.name = "Medplum and aiosmtpd"
            medplum = Peer(["node", whereabouts("WELLBRIDGE_TEST_MEDPLUM", PEERS / "medplum" / "server.mjs")]).drained()
            smtp = Peer([python(), whereabouts("WELLBRIDGE_TEST_SMTP", PEERS / "smtp" / "server.py"), mails]).drained()
            self.peers, self.fhir, self.smtp = [medplum, smtp], medplum.said["base"], smtp.said["port"]
        else:
            self.name = "the demo's pretend practice and mail catcher (tests/peers/fast)"
            target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
            fast = Peer([whereabouts("WELLBRIDGE_TEST_FAST_PEERS", target / "debug" / "examples" / "peers"), mails])
            self.peers, self.fhir, self.smtp = [fast], fast.said["practice"], fast.said["smtp"]

    def end(self):
        for peer in self.peers:
            peer.end()
