"""One stage of `tests/measure`: peers, a store and replicas of the service, from nothing, and what they used meanwhile."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from proof import machine
from proof.peers import ROOT, Peer
from proof.people import confirm_partners
from proof.service import Replica, free_port
from proof.settings import feed, link_key, settings
from proof.store import Postgres, Sqlite, remove
from proof.story import PARTNERS, QUEUE

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def binaries():
    """The release binary and the peers' one, built where they are not named."""
    binary, peers = os.environ.get("WELLBRIDGE_BIN"), os.environ.get("WELLBRIDGE_TEST_FAST_PEERS")
    if not (binary and peers):
        subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "wellbridge", "--example", "peers"], cwd=ROOT, check=True)
    release = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    return binary or str(release / "wellbridge"), peers or str(release / "examples" / "peers")


class Peers(Peer):
    """The fast pair, and whoever refers and answers. `fhir` and `smtp` as a `Pair` has them."""

    def __init__(self, binary):
        super().__init__([binary, "measure"])
        self.fhir, self.smtp = self.said["practice"], self.said["smtp"]

    def do(self, what, **how):
        return self.ask(json.dumps({what: how} if how else what))

    def cpu(self):
        return machine.cpu(self.process.pid)


class OverTime(Exception):
    """It was not over when its time was."""


class Stage:
    """The service has one life after the other on the same files; each polls once at its start, and then not for hours
    unless `every` says so: in a life of minutes nothing is read twice."""

    def __init__(self, plan, kind, replicas=1):
        self.plan, self.lives, self.overlap = plan, 0, "1 s"
        self.folder = Path(tempfile.mkdtemp(prefix="wellbridge-measure-"))
        self.peers = Peers(plan.peers)
        self.store = Postgres("on") if kind == "postgres" else Sqlite(self.folder, False)
        feed(self.folder)
        link_key(self.folder)
        ports = [free_port() for _ in range(replicas)]
        self.replicas = [self.replica(kind, number, port, ports[0]) for number, port in enumerate(ports)]
        self.settle()

    def replica(self, kind, number, port, first):
        home = self.folder / f"replica-{number + 1}"
        data = self.store.data if kind == "sqlite" else home / "data"
        made = Replica(self.plan.binary, home, "", port, "info", {})
        made.text = lambda every: settings(self.folder, data, port, first, self.peers, self.store.setting, self.overlap, every)
        return made

    def settle(self):
        """A first life, in which a coordinator confirms every partner."""
        self.start(replicas=self.replicas[:1])
        confirm_partners(self.replicas[0], PARTNERS)
        self.stop()

    def start(self, every=None, replicas=None):
        """Starts a life; gives the seconds until the first replica answered `ready`."""
        self.lives += 1
        every = every or f"{24 * 60 - self.lives} min"  # Another time: another regular poll, which is due at once.
        replicas = replicas or self.replicas
        for replica in replicas:
            replica.settings.write_text(replica.text(every))
        began = time.monotonic()
        for replica in replicas:
            replica.start()
        seconds = self.until_ready(replicas[0], began)
        for replica in replicas[1:]:
            self.until_ready(replica, began)
        return seconds

    def until_ready(self, replica, began):
        while time.monotonic() < began + 60:
            try:
                with OPENER.open(replica.base + "/readyz", timeout=5) as answer:
                    answer.read()
                return time.monotonic() - began
            except OSError:
                if not replica.lives():
                    sys.exit(f"the service does not start:\n{replica.log_path.read_text()[-2000:]}")
                time.sleep(0.002)
        sys.exit("the service does not become ready within a minute")

    def stop(self):
        for replica in self.replicas:
            if replica.lives():
                code = replica.stop()
                if code != 0:
                    sys.exit(f"the service did not stop in order ({code}):\n{replica.log_path.read_text()[-2000:]}")

    def bases(self):
        return [replica.base for replica in self.replicas]

    def wait(self, until, what, every=0.05):
        """Until the peers' counts say so; gives the counts."""
        over = time.monotonic() + self.plan.limit
        while True:
            stats = self.peers.do("stats")
            if until(stats):
                return stats
            if time.monotonic() > over:
                raise OverTime(f"{what}: not within {self.plan.limit} s; {stats}; {self.jobs_by_state()}")
            time.sleep(every)

    def wait_until_drained(self):
        over = time.monotonic() + self.plan.limit
        while self.store.query(QUEUE)[0][0] > 0:
            if time.monotonic() > over:
                raise OverTime(f"jobs still wait after {self.plan.limit} s: {self.jobs_by_state()}")
            time.sleep(0.02)

    def jobs_by_state(self):
        return self.store.query("select kind, cast(state as text), count(*) from river_job group by kind, state order by kind")

    # ---- what was used ----

    def written(self):
        where = machine.PostgresWritten(self.store) if self.store.name == "postgres" else machine.SqliteWritten(self.store.file)
        return where.read()

    def used(self):
        """Seconds of processor by who used them, what was written, jobs done, calls; differences of two of these are a
        life's, but for the service's own, which begin with its life."""
        service = [machine.cpu(replica.process.pid) for replica in self.replicas if replica.lives()]
        used = {"service": tuple(map(sum, zip(*service))) or (0, 0), "peers": self.peers.cpu(), "database": self.database_cpu()}
        jobs = self.store.query("select kind, count(*), sum(attempt) from river_job where attempt > 0 group by kind")
        return {"cpu": used, "written": self.written(), "jobs": {kind: (int(n), int(tries)) for kind, n, tries in jobs},
                "stats": self.peers.do("stats")}

    def database_cpu(self):
        if self.store.name == "sqlite":
            return (0, 0)  # In the service's process.
        backend = self.store.query("select pg_backend_pid()")[0][0]
        return machine.family_cpu(machine.parent(backend))

    def memory(self):
        return [machine.memory(replica.process.pid) for replica in self.replicas]

    def end(self):
        for replica in self.replicas:
            replica.kill()
        self.peers.end()
        self.store.end()
        remove(self.folder)


def difference(before, after):
    """What was used between two readings, down to the last number."""
    if isinstance(after, dict):
        return {name: difference(before.get(name), value) if before else value for name, value in after.items()}
    if isinstance(after, tuple):
        return tuple(a - b for a, b in zip(after, before or (0,) * len(after)))
    return after - (before or 0)
