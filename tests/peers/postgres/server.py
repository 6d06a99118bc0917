#!/usr/bin/env python3
"""A PostgreSQL server of its own, for tests: in a private directory, on a free port of this machine alone.

    tests/peers/postgres/server.py [--durable]

A line on its standard input does something to it, and is answered by a line of JSON when it is done: `restart` stops it in
order, `crash` all at once, and both start it again. It says where it is on one line of JSON, `{"port": …, "url": "postgres://…", "pid": …}`; on that server the account may
make databases. It ends, and removes its directory, when its standard input closes. PostgreSQL refuses to run as root:
there it runs as the account `postgres`, which Debian's package makes, else as whoever started it. It is never a service
of the machine. Without `--durable` it does not wait for the disk, which only a power cut would notice.
"""

import argparse
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def programs():
    """Debian keeps the server's programs off the path, in a folder for each version; the newest from 15 on."""
    found = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()]
    usable = [folder for folder in found if int(folder.parent.name) >= 15]
    if not usable:
        sys.exit("PostgreSQL 15 or newer is not installed: tests/run installs Debian's")
    return max(usable, key=lambda folder: int(folder.parent.name))


def account():
    """Whom the server runs as: (user id, group id), or nobody else than we are."""
    if os.getuid() != 0:
        return None
    entry = pwd.getpwnam("postgres")
    return entry.pw_uid, entry.pw_gid


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--durable", action="store_true", help="wait for the disk, as a real server does")
    durable = arguments.parse_args().durable
    folder, port, password = Path(tempfile.mkdtemp(prefix="wellbridge-postgres-")), free_port(), secrets.token_hex(16)
    bin_, owner = programs(), account()
    as_owner = {} if owner is None else {"user": owner[0], "group": owner[1], "extra_groups": []}
    process = None
    # The password goes over this machine's own loopback as it is: a debug build of a client takes long over a SCRAM proof,
    # for each of its many connections.
    # Whoever started us may end us in any way: the server and its directory must not outlive us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        (folder / "password").write_text(password)
        if owner is not None:
            for path in (folder, folder / "password"):
                os.chown(path, *owner)
        subprocess.run(
            [bin_ / "initdb", "--pgdata", folder / "data", "--username", "wellbridge", "--auth", "password",
             "--pwfile", folder / "password", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_owner)
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "max_connections": 400,
                    "shared_buffers": "128MB", "logging_collector": "off", "log_min_messages": "fatal"}
        if not durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

        def start():
            with (folder / "log").open("ab") as log:
                started = subprocess.Popen([bin_ / "postgres", "-D", folder / "data", *chosen], stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log, cwd=folder, **as_owner)
            wait_until_ready(bin_, port, started, folder)
            return started

        process = start()
        url = f"postgres://wellbridge:{password}@127.0.0.1:{port}/postgres"
        print(json.dumps({"port": port, "url": url, "pid": process.pid}), flush=True)
        for line in sys.stdin:
            stop(process, {"restart": signal.SIGINT, "crash": signal.SIGQUIT}[line.strip()])
            process = start()
            print(json.dumps({"done": line.strip(), "pid": process.pid}), flush=True)
    finally:
        if process is not None and process.poll() is None:
            stop(process, signal.SIGINT)
        shutil.rmtree(folder, ignore_errors=True)


def stop(process, how):
    process.send_signal(how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)


def wait_until_ready(bin_, port, process, folder):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            sys.exit("PostgreSQL does not start:\n" + (folder / "log").read_text(errors="replace")[-2000:])
        asked = subprocess.run([bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
        if asked.returncode == 0:
            return
        time.sleep(0.05)
    sys.exit("PostgreSQL did not get ready within a minute")


if __name__ == "__main__":
    main()
