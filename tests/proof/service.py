"""The binary under test: one replica, one life after the other on the same files."""

import os
import signal
import socket
import subprocess
import sys
import time

from proof.people import Browser


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Replica:
    """`wellbridge serve` with its own settings, log and data directory. Several may share one database."""

    def __init__(self, binary, folder, settings, port, log_level, environment):
        self.binary, self.port, self.base = binary, port, f"http://127.0.0.1:{port}"
        folder.mkdir(exist_ok=True)
        self.settings, self.log_path = folder / "wellbridge.toml", folder / "service.log"
        self.settings.write_text(settings)
        self.log = self.log_path.open("ab")
        self.environment = {**os.environ, "RUST_LOG": log_level, **environment}
        self.environment.pop("WELLBRIDGE_CRASH_AT", None)
        self.process = None

    def lives(self):
        return self.process is not None and self.process.poll() is None

    def start(self, crash_at=None):
        environment = {**self.environment, **({"WELLBRIDGE_CRASH_AT": crash_at} if crash_at else {})}
        command = [self.binary, "--config", self.settings, "serve"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)

    def died(self, within):
        try:
            self.process.wait(within)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def pause(self, seconds):
        """SIGSTOP: it holds everything it held, and does nothing."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """SIGTERM; gives the exit code, which is 0 where it stopped in order."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            return "it did not stop within 40 s"

    def command(self, *arguments, typed=None):
        command = [self.binary, "--config", self.settings, *arguments]
        return subprocess.run(command, input=typed, capture_output=True, text=True, check=False)

    def wait_until_ready(self, within=60):
        until = time.monotonic() + within
        while time.monotonic() < until:
            try:
                Browser(self.base).open("/readyz")
                return
            except OSError:
                if not self.lives():
                    sys.exit(f"the service does not start: {self.log_path} says why\n{self.log_path.read_text()[-2000:]}")
                time.sleep(0.05)
        sys.exit(f"the service does not become ready: {self.log_path} says why")
