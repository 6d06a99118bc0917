"""The road: so many referrals at once, from the FHIR server to the mailbox to the record and back, and what it took.

A round of the service is one life of it: the referrals lie in the practice's record, the service starts, polls, asks
partners, who look at the page, say yes and tell that support has started; it is over when every message has come into the
record and no job waits. The bare loop and the script then do theirs on fresh peers.
"""

import json
import resource
import statistics
import subprocess
import time

from proof.peers import python, say
from proof.stage import Peers, Stage, difference

SCRIPT_AT_MOST = 1_000  # Referrals that the Python script is given: its rate does not hang on how many.
# The rows of the service: name, store, replicas.
SERVICE = [("SQLite", "sqlite", 1), ("PostgreSQL, 1 replica", "postgres", 1), ("PostgreSQL, 3 replicas", "postgres", 3)]


def measure(plan):
    """Every row, round by round, so that a slow minute of the machine meets all of them."""
    rows = [row for row in SERVICE if row[1] in plan.stores]
    rounds = []
    for number in range(plan.rounds):
        done = {}
        for name, kind, replicas in rows:
            done[name] = service(plan, kind, replicas)
            say(f"  round {number + 1} of {plan.rounds}, {name}: {done[name]['rate']:.0f} referrals/s")
        calls = done[rows[0][0]]["calls"]
        done["(a) bare Rust loop"] = bare(plan, calls)
        done["(b) Python script"] = script(plan)
        done["(b) Python script, calls as the service's"] = script(plan, per_referral(calls, plan.referrals))
        say(f"  round {number + 1} of {plan.rounds}, " + ", ".join(f"{name}: {row['rate']:.0f}/s" for name, row in done.items() if name[0] == "("))
        rounds.append(done)
    return {name: middle([done[name] for done in rounds]) for name in rounds[0]}


def middle(rounds):
    """The round of the median rate, with every rate beside it."""
    rates = [row["rate"] for row in rounds]
    found = min(rounds, key=lambda row: abs(row["rate"] - statistics.median(rates)))
    return {**found, "rate": statistics.median(rates), "rates": [round(rate, 1) for rate in sorted(rates)]}


def service(plan, kind, replicas):
    stage = Stage(plan, kind, replicas)
    try:
        return life(stage, plan.referrals)
    finally:
        stage.end()


def life(stage, many):
    """One life of the service, which begins with so many referrals lying there."""
    stage.peers.do("answer", bases=stage.bases(), until="started")
    filed = stage.peers.do("stats")["filed"]
    stage.peers.do("refer", many=many, per_second=None)
    before = {"cpu": {"peers": stage.peers.cpu(), "database": stage.database_cpu()}, "stats": stage.peers.do("stats"),
              "jobs": jobs_so_far(stage), "written": stage.written() if stage.store.name == "postgres" else {}}
    began = time.monotonic()
    stage.start()
    stage.wait(lambda stats: stats["filed"] >= filed + many, f"{many} referrals")
    stage.wait_until_drained()
    seconds = time.monotonic() - began
    used = difference(before, stage.used())
    memory = stage.memory()
    stage.stop()
    return {"referrals": many, "seconds": seconds, "rate": many / seconds, "calls": used["stats"]["calls"],
            "mails": used["stats"]["mails"], "failures": used["stats"]["failures"], "cpu": used["cpu"], "written": used["written"],
            "jobs": used["jobs"], "memory_peak": max(peak for _, peak in memory)}


def jobs_so_far(stage):
    jobs = stage.store.query("select kind, count(*), sum(attempt) from river_job where attempt > 0 group by kind")
    return {kind: (int(n), int(tries)) for kind, n, tries in jobs}


def per_referral(calls, many):
    return {call: round(n / many) for call, n in calls.items() if round(n / many) > 0}


def outside(plan, many, command, words):
    """A program that does the referrals of fresh peers in its own way, and says how long it took."""
    peers = Peers(plan.peers)
    try:
        peers.do("refer", many=many, per_second=None)
        before, children = peers.cpu(), resource.getrusage(resource.RUSAGE_CHILDREN)
        told = subprocess.run(command(peers), input=json.dumps(words(peers)) + "\n", stdout=subprocess.PIPE, text=True, check=True, timeout=plan.limit)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = json.loads(told.stdout)["seconds"]
        cpu = {"service": (after.ru_utime - children.ru_utime, after.ru_stime - children.ru_stime),
               "peers": difference(before, peers.cpu()), "database": (0, 0)}
        stats = peers.do("stats")
        return {"referrals": many, "seconds": seconds, "rate": many / seconds, "calls": stats["calls"], "mails": stats["mails"], "cpu": cpu}
    finally:
        peers.end()


def bare(plan, calls):
    words = lambda peers: {"practice": peers.fhir, "smtp": peers.smtp, "referrals": peers.do("referrals"), "calls": calls}
    return outside(plan, plan.referrals, lambda _: [plan.peers, "bare"], words)


def script(plan, calls=None):
    many = min(plan.referrals, SCRIPT_AT_MOST)
    path = str(__file__).replace("road.py", "script.py")
    return outside(plan, many, lambda peers: [python(), path, peers.fhir, str(peers.smtp)], lambda _: calls or {})
