#!/usr/bin/env python3
"""A PostgreSQL server of one's own: in a private directory, as its own user, on a free port of loopback.

    python3 tests/peers/postgres/server.py [--fsync off] [--keep DIR]

Prints `{"port":N,"url":"postgres://…"}` on one line when it answers. Lines on its standard input: `restart` (in order,
connections are cut), `crash` (at once, as after a power cut of the server), `stop` and `start`; each is answered by a line
of JSON. It ends, and its directory with it, when its standard input closes. PostgreSQL will not run as root: then it runs
as the user `postgres`, whom Debian's package brings.
"""

import argparse
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USER = "wellbridge"


def programs():
    """Where PostgreSQL's own programs are: the newest of Debian's, else those on the path."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    if found:
        return Path(found[-1])
    on_path = shutil.which("initdb")
    if not on_path:
        sys.exit("there is no PostgreSQL here: tests/run installs Debian's package `postgresql`")
    return Path(on_path).resolve().parent


class Server:
    """One server, started and stopped as often as is asked."""

    def __init__(self, fsync):
        self.bin, self.fsync = programs(), fsync
        # Short: a socket's path may have 107 letters.
        self.folder = Path(tempfile.mkdtemp(prefix="wbpg-", dir="/tmp"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.data = self.folder / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.run("initdb", "--pgdata", self.data, "--username", USER, "--auth", "trust", "--encoding", "UTF8",
                 "--locale", "C.UTF-8", "--no-sync")
        self.start()
        self.run("createdb", "--host", "127.0.0.1", "--port", self.port, "--username", USER, "wellbridge")

    def command(self, program, *arguments):
        command = [str(self.bin / program), *map(str, arguments)]
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command

    def run(self, program, *arguments):
        done = subprocess.run(self.command(program, *arguments), cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{program}: {done.stderr or done.stdout}")

    def start(self):
        options = [f"-p {self.port}", "-c listen_addresses=127.0.0.1", f"-c unix_socket_directories={self.folder}",
                   f"-c fsync={self.fsync}", "-c max_connections=200", "-c log_min_messages=warning"]
        # Its log is its own: a pipe that a server inherits would never close.
        log = self.folder / "log"
        self.run("pg_ctl", "--pgdata", self.data, "--log", log, "--wait", "--timeout", "60", "--options", " ".join(options), "start")

    def stop(self, mode):
        self.run("pg_ctl", "--pgdata", self.data, "--mode", mode, "--wait", "--timeout", "60", "stop")

    def obey(self, line):
        began = time.monotonic()
        if line in ("restart", "crash"):
            self.stop("fast" if line == "restart" else "immediate")
            self.start()
        elif line == "stop":
            self.stop("immediate")
        elif line == "start":
            self.start()
        return {"done": line, "seconds": round(time.monotonic() - began, 2)}

    def end(self):
        subprocess.run(self.command("pg_ctl", "--pgdata", self.data, "--mode", "immediate", "stop"), cwd=self.folder,
                       capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    arguments = argparse.ArgumentParser(description="a private PostgreSQL server")
    arguments.add_argument("--fsync", choices=["on", "off"], default="on", help="off: quicker, and safe against all but a power cut")
    server = Server(arguments.parse_args().fsync)
    try:
        print(json.dumps({"port": server.port, "url": f"postgres://{USER}@127.0.0.1:{server.port}/wellbridge"}), flush=True)
        for line in sys.stdin:
            print(json.dumps(server.obey(line.strip())), flush=True)
    finally:
        server.end()


if __name__ == "__main__":
    main()
