"""The service's database as the harness sees it: where it is, how it is asked, and what can be done to it."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time

from proof.peers import PEERS, Peer, python

FILLED_MB = 48  # The size of the small disk.


class Sqlite:
    """One file in the data directory of the one replica."""

    name = "sqlite"

    def __init__(self, folder, small_disk):
        self.data = folder / "data"
        self.file, self.small_disk = self.data / "wellbridge.sqlite", small_disk
        self.url = f"sqlite:{self.file}"
        self.setting = ""
        if small_disk:
            self.data.mkdir()
            self.mount("mount", "-t", "tmpfs", "-o", f"size={FILLED_MB}m,mode=700", "tmpfs", str(self.data))

    def mount(self, *command):
        command = list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"a small disk of its own needs the right to mount one: {done.stderr.strip()}")

    def query(self, text):
        for attempt in range(50):
            try:
                connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=10)
                try:
                    return connection.execute(text).fetchall()
                finally:
                    connection.close()
            except sqlite3.OperationalError:
                # It was killed in the middle of something, or the disk is full: whoever writes next puts it right.
                if attempt == 49:
                    raise
                time.sleep(0.1)

    def fill(self):
        """No room: not one further page."""
        with (self.data / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"\0" * 65536)
            except OSError:
                pass

    def make_room(self):
        (self.data / "ballast").unlink()

    def end(self):
        if self.small_disk:
            self.mount("umount", "-l", str(self.data))


class Postgres:
    """A private server, shared by every replica. It waits for the disk: what it said was committed is there after a crash."""

    name = "postgres"

    def __init__(self):
        self.server = Peer([python(), PEERS / "postgres" / "server.py", "--durable"])
        self.url = self.server.said["url"]
        self.setting = f'[database]\nurl = "{self.url}"\n'
        self.connection = None

    def query(self, text):
        import pg8000.dbapi
        from sources import postgres

        for attempt in range(50):
            try:
                if self.connection is None:
                    self.connection = postgres(self.url)
                cursor = self.connection.cursor()
                cursor.execute(text)
                return cursor.fetchall()
            except (pg8000.dbapi.Error, OSError):
                # Restarted under us.
                self.connection = None
                if attempt == 49:
                    raise
                time.sleep(0.1)

    def restart(self, how):
        return self.server.ask(how)

    def end(self):
        self.server.end()


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
