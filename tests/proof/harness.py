"""Puts a run together: peers, store, replicas, story, and then the checker as a process of its own."""

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from proof.peers import ROOT, Pair, python, say
from proof.people import Partners, confirm_partners
from proof.practice import Practice
from proof.service import Replica, free_port
from proof.settings import feed, link_key, settings
from proof.store import Postgres, Sqlite, remove
from proof.story import PARTNERS, Story

FAULTS = {"stop": 10, "restart-database": 4, "disk-full": 4}  # Every how many lives.
LONG = 200  # From so many referrals on, the fast peers.


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--referrals", type=int, default=30)
    parser.add_argument("--replicas", type=int, help="on postgres; 3 where it is not said")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="now and then this instead of a kill")
    parser.add_argument("--peers", choices=["real", "fast"], help=f"fast from {LONG} referrals on, where it is not said")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--rescue-after", type=int, metavar="SECONDS", help="a debug build's, 16 or more; with --fault stop 16, or 28 on postgres")
    parser.add_argument("--patience", type=int, metavar="SECONDS", help="while nothing happens after the last death")
    parser.add_argument("--json", action="store_true", help="for a program to read")
    parser.add_argument("--keep", action="store_true", help="leave the files (and say where)")
    return planned(parser, parser.parse_args())


def planned(parser, plan):
    plan.replicas = plan.replicas or (3 if plan.store == "postgres" else 1)
    plan.peers = plan.peers or ("fast" if plan.referrals >= LONG else "real")
    if plan.store == "sqlite" and plan.replicas != 1:
        parser.error("one process a SQLite file: --replicas is for --store postgres")
    if plan.fault == "restart-database" and plan.store != "postgres":
        parser.error("there is no server to restart: --store postgres")
    if plan.fault == "disk-full" and plan.store != "sqlite":
        parser.error("a small disk is made for SQLite only")
    if plan.fault == "stop" and plan.rescue_after is None:
        # River takes no less than 15 s; replicas take one for dead that was silent for 20 s.
        plan.rescue_after = 28 if plan.store == "postgres" else 16
    plan.fault_every = FAULTS.get(plan.fault, 1)
    long = plan.referrals >= LONG
    plan.life = (0.3, 3.0) if long else (0.15, 2.0)
    plan.patience = plan.patience or (700 if plan.fault else 400 if plan.store == "postgres" else 200)
    plan.log = "info" if long else "info,wellbridge=trace,sqlx=warn"
    return plan


def binaries(plan):
    """The service, and whether its named places are in it; the peers' binary is built with it where it is wanted."""
    binary = os.environ.get("WELLBRIDGE_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    if binary:
        return binary, "release" not in Path(binary).parts
    examples = ["--example", "peers"] if plan.peers == "fast" else []
    subprocess.run(["cargo", "build", "--quiet", "--bin", "wellbridge", *examples], cwd=ROOT, check=True)
    return str(target / "debug" / "wellbridge"), True


class Run:
    """One run, from nothing to its numbers."""

    def __init__(self, plan):
        self.plan = plan
        binary, plan.points = binaries(plan)
        self.folder = Path(tempfile.mkdtemp(prefix="wellbridge-crash-"))
        self.mails = self.folder / "mails"
        self.mails.mkdir()
        self.store = Postgres() if plan.store == "postgres" else Sqlite(self.folder, plan.fault == "disk-full")
        self.pair = Pair(plan.peers, self.mails)
        feed(self.folder)
        link_key(self.folder)
        self.replicas = self.make_replicas(binary)
        bases = lambda: [replica.base for replica in self.replicas if replica.lives()] or [self.replicas[0].base]
        self.partners = Partners(self.mails, bases, threads=4)
        self.practice = Practice(self.pair.fhir)
        self.story = Story(self.practice, self.partners, self.replicas, self.store, plan, random.Random(plan.seed))

    def make_replicas(self, binary):
        ports = [free_port() for _ in range(self.plan.replicas)]
        environment = {"WELLBRIDGE_TEST_RESCUE_AFTER": str(self.plan.rescue_after)} if self.plan.rescue_after else {}
        made = []
        for number, port in enumerate(ports):
            home = self.folder / f"replica-{number + 1}"
            data = self.store.data if self.plan.store == "sqlite" else home / "data"
            overlap = "10 s" if self.plan.peers == "fast" else "5 min"
            text = settings(self.folder, data, port, ports[0], self.pair, self.store.setting, overlap)
            made.append(Replica(binary, home, text, port, self.plan.log, environment))
        return made

    def go(self):
        began = time.monotonic()
        first = self.replicas[0]
        first.start()
        first.wait_until_ready()
        confirm_partners(first, PARTNERS)
        self.story.end(first)
        self.partners.start()
        say(f"{self.plan.kills} deaths, {self.plan.referrals} referrals, {self.plan.replicas} on {self.plan.store}; {self.pair.name}:")
        self.story.drive()
        lived = time.monotonic() - began
        say(f"the last death was after {lived:.0f} s; now it runs on")
        drained = self.story.run_on_until_drained()
        self.partners.stop()
        stopped = [replica.stop() for replica in self.replicas]
        result = self.checked()
        result.update(drained=drained, stopped_in_order=all(code == 0 for code in stopped), verify=self.verified(),
                      disk_was_full=self.log_lines("disk is full"), seconds=round(time.monotonic() - began), seconds_of_kills=round(lived))
        result["well"] = bool(result["well"] and drained and result["stopped_in_order"] and not result["verify"])
        return result

    def log_lines(self, words):
        """How many lines of the logs say so: whether a fault was felt at all."""
        return sum(line.count(words) > 0 for replica in self.replicas for line in replica.log_path.open(errors="replace"))

    def checked(self):
        """What the checker says, and what was done."""
        disturbances = self.folder / "disturbances.json"
        disturbances.write_text(json.dumps(self.story.done))
        logs = [part for replica in self.replicas for part in ("--log", replica.log_path)]
        command = [python(), ROOT / "tests" / "checker", "--practice", self.pair.fhir, "--mails", self.mails,
                   "--database", self.store.url, "--disturbances", disturbances, *logs]
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=False)
        if not done.stdout:
            sys.exit("the checker fell over")
        deaths = collections.Counter(death if death in OF_THEIR_OWN else "at a named place" for death in map(plain, self.story.deaths))
        return {"kills": len(self.story.deaths), "deaths": dict(deaths), "store": self.plan.store, "replicas": self.plan.replicas,
                "peers": self.pair.name, "fault": self.plan.fault, "seed": self.plan.seed, **json.loads(done.stdout)}

    def verified(self):
        """What the service's own check says: a list of problems."""
        done = self.replicas[0].command("ledger", "verify", "--json")
        try:
            return json.loads(done.stdout)["problems"]
        except (ValueError, KeyError):
            return [done.stderr.strip() or "ledger verify said nothing"]

    def end(self):
        self.partners.over.set()
        for replica in self.replicas:
            replica.kill()
        self.pair.end()
        self.store.end()
        if self.plan.keep:
            say(f"the files are in {self.folder}")
        else:
            remove(self.folder)


OF_THEIR_OWN = ("kill -9", "kill -9 of all", "SIGSTOP", "database restarted", "disk full")


def plain(death):
    """`kill -9 (after:file not reached)` is a kill like any other."""
    return "kill -9" if death.startswith("kill -9 (") else death


def report(result, as_json):
    if as_json:
        print(json.dumps(result, indent=1))
        return 0 if result["well"] else 1
    shown = {name: value for name, value in result.items() if name not in (*result["zero"], "zero", "findings", "well")}
    for name, value in shown.items():
        text = ", ".join(f"{k} {n}" for k, n in value.items()) if isinstance(value, dict) else value
        print(f"{name.replace('_', ' '):<28} {text}")
    print()
    for name in result["zero"]:
        found = result["findings"].get(name, [])
        print(f"{name.replace('_', ' '):<28} {result[name]:>4}  {'well' if not found else 'NOT WELL: ' + '; '.join(found[:3])}")
    print(f"{'all in all':<28} {'well' if result['well'] else 'NOT WELL'}")
    return 0 if result["well"] else 1


def main(description):
    plan = arguments(description)
    if plan.store == "postgres" and os.path.realpath(sys.prefix) != os.path.realpath(Path(python()).parent.parent):
        # PostgreSQL is asked through a package: again, with the Python that has it.
        os.execv(python(), [python(), *sys.argv])
    # Whoever ends this run ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    run = Run(plan)
    try:
        result = run.go()
    finally:
        run.end()
    return report(result, plan.json)
