"""What the operating system knows of a process: time on the processor, memory; and what a database has written."""

import os
import platform
import struct
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """The fields of /proc/PID/stat from the third on; the second one may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu(pid, with_children=False):
    """(user, system) seconds of a process; those of children that have ended too, if asked."""
    fields = stat(pid)
    user, system, gone_user, gone_system = (int(field) / TICK for field in fields[11:15])
    return (user + gone_user, system + gone_system) if with_children else (user, system)


def parent(pid):
    return int(stat(pid)[1])


def children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and parent(entry.name) == pid:
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def family_cpu(pid):
    """(user, system) seconds of a server and of every process it has started."""
    each = [cpu(pid, with_children=True)]
    for child in children(pid):
        try:
            each.append(cpu(child))
        except OSError:
            pass
    return tuple(sum(times) for times in zip(*each))


def memory(pid):
    """(resident now, the most it ever was) in MB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return tuple(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


def described():
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    total = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return f"{os.cpu_count()} x {model or platform.machine()}, {total:.0f} GiB, Linux {platform.release()}"


class SqliteWritten:
    """Commits and checkpoints of a SQLite database that is open elsewhere, from the heads of its two side files: the
    wal-index counts every write transaction (`iChange`), the write-ahead log counts how often it began anew."""

    def __init__(self, file):
        self.file = Path(file)

    def read(self):
        shm, wal = Path(f"{self.file}-shm"), Path(f"{self.file}-wal")
        commits = struct.unpack_from("=I", shm.read_bytes()[:136], 8)[0] if shm.exists() else 0
        with wal.open("rb") as file:
            head = file.read(32)
        checkpoints = struct.unpack_from(">I", head, 12)[0] if len(head) == 32 else 0
        # A commit waits for the disk once (synchronous = full); a checkpoint for the log and for the database.
        return {"commits": commits, "syncs": commits + 2 * checkpoints}


class PostgresWritten:
    """The same of a PostgreSQL server: write transactions are those that were given a number."""

    TEXT = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint, wal_sync from pg_stat_wal"

    def __init__(self, store):
        self.store = store

    def read(self):
        commits, syncs = self.store.query(self.TEXT)[0]
        return {"commits": commits, "syncs": syncs}
