"""`tests/measure`: its arguments, which parts are measured, and the tables."""

import argparse
import datetime
import json
import os
import sys
from pathlib import Path

from proof import growth, latency, machine, road
from proof.peers import python, say
from proof.stage import OverTime, binaries

PARTS = ["road", "latency", "growth"]
GOAL_A, FLOOR_A, GOAL_B = 0.8, 0.4, 10.0
A, B = "(a) bare Rust loop", "(b) Python script"


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help="road, latency, growth; all where none is named")
    parser.add_argument("--short", action="store_true", help="one round, fewer referrals")
    parser.add_argument("--json", action="store_true", help="for a program to read")
    parser.add_argument("--store", choices=["sqlite", "postgres"], help="this one alone; both where it is not said")
    parser.add_argument("--rounds", type=int, help="5; with --short 1")
    parser.add_argument("--referrals", type=int, help="on the road: 10000; with --short 500")
    parser.add_argument("--ledger", type=int, help="referrals in the ledger: 1000000; with --short 100000")
    parser.add_argument("--half-load-seconds", type=float, help="30; with --short 10")
    parser.add_argument("--limit", type=int, metavar="SECONDS", help="for any one thing to be over: 600; with --short 120")
    plan = parser.parse_args()
    usual = {"rounds": (5, 1), "referrals": (10_000, 500), "ledger": (1_000_000, 100_000), "half_load_seconds": (30, 10), "limit": (600, 120)}
    for name, values in usual.items():
        if getattr(plan, name) is None:
            setattr(plan, name, values[plan.short])
    plan.parts = plan.parts or PARTS
    plan.stores = [plan.store] if plan.store else ["sqlite", "postgres"]
    plan.growth_referrals = min(plan.referrals, 2_000)
    plan.idle_seconds = 5 if plan.short else 20
    return plan


def main(description):
    plan = arguments(description)
    if os.path.realpath(sys.prefix) != os.path.realpath(Path(python()).parent.parent):
        # PostgreSQL and the script are asked through packages: again, with the Python that has them.
        os.execv(python(), [python(), *sys.argv])
    plan.binary, plan.peers = binaries()
    found = {"machine": machine.described(), "date": datetime.date.today().isoformat(), "rounds": plan.rounds, "short": plan.short,
             "load_before": os.getloadavg()[0]}
    try:
        if "road" in plan.parts:
            say("the road:")
            found["road"] = road.measure(plan)
        if "latency" in plan.parts:
            say("latency:")
            found["latency"] = latency.measure(plan, rates(plan, found.get("road")))
        if "growth" in plan.parts:
            say("growth:")
            found["growth"] = growth.measure(plan)
    except OverTime as late:
        sys.exit(f"given up: {late}")
    found["promises"] = promises(found)
    if plan.json:
        print(json.dumps(found, indent=1))
    else:
        for line in table(found):
            print(line)
    return 0 if all(promise["floor_met"] for promise in found["promises"]) else 1


def rates(plan, measured):
    """What half a load is half of: the road's rate of each store with one replica, measured for it where it was not."""
    found = {}
    for name, kind, replicas in road.SERVICE:
        if kind in plan.stores and kind not in found:
            found[kind] = measured[name]["rate"] if measured else road.service(plan, kind, replicas)["rate"]
    return found


# ---- what was promised ----------------------------------------------------------------------------------------------


def promise(what, figure, goal, floor=None, at_least=True):
    """`floor_met` decides the exit code; where there is no floor, none is broken."""
    met = lambda bound: figure >= bound if at_least else figure <= bound
    return {"what": what, "figure": figure, "goal": goal, "goal_met": met(goal), "floor": floor, "floor_met": floor is None or met(floor)}


def promises(found):
    told = []
    rows = found.get("road", {})
    for name, _, _ in road.SERVICE:
        if name in rows:
            rate = rows[name]["rate"]
            told.append(promise(f"{name}, of (a)", rate / rows[A]["rate"], GOAL_A, FLOOR_A))
            told.append(promise(f"{name}, times (b)", rate / rows[B]["rate"], GOAL_B))
    for kind, grown in found.get("growth", {}).items():
        large = grown["large"]
        told.append(promise(f"{kind}, rate kept with {large['referrals']} referrals", grown["kept_rate"], growth.KEPT_RATE))
        told.append(promise(f"{kind}, start on them, s", large["start"], growth.START, at_least=False))
        told.append(promise(f"{kind}, idle, MB", large["idle_mb"], growth.IDLE_MB, at_least=False))
        told.append(promise(f"{kind}, problems of the ledger", len(large["verify"]["problems"]), 0, 0, at_least=False))
    return told


# ---- tables -----------------------------------------------------------------------------------------------------------


def table(found):
    short = " (short: indicative only)" if found["short"] else ""
    yield f"{found['machine']}; {found['date']}; rounds: {found['rounds']}{short}; load before: {found['load_before']:.1f}"
    if "road" in found:
        yield from road_table(found["road"])
    for kind, measured in found.get("latency", {}).items():
        yield ""
        yield f"latency, {kind}: request visible to the mail server's 250, polling every second (s)"
        for name in ("idle", "half load"):
            if name in measured:
                row = measured[name]
                rate = f", {row['per_second']:.0f} referrals/s" if "per_second" in row else ""
                yield f"  {name + rate:<34} p50 {row['p50']:.3f}   p99 {row['p99']:.3f}   most {row['most']:.3f}   ({row['n']})"
        yield f"  memory at most {measured['memory_peak']:.0f} MB"
    for kind, grown in found.get("growth", {}).items():
        yield ""
        yield f"growth, {kind:<22} {'referrals/s':>12} {'start s':>8} {'idle MB':>8} {'peak MB':>8} {'bytes each':>11} {'/metrics s':>11}  verify"
        for size in ("small", "large"):
            row = grown[size]
            verify = row["verify"]
            words = "; ".join(verify["problems"]) or f"{verify['looked_at']} replayed, well, {verify['seconds']} s"
            yield (f"  {row['referrals']:>9} in the ledger     {row['rate']:>9.1f} {row['start']:>8.3f} {row['idle_mb']:>8.0f} "
                   f"{row['memory_peak']:>8.0f} {row['bytes_per_referral']:>11} {row['metrics_seconds']:>11.3f}  {words}")
    yield ""
    for told in found["promises"]:
        floor = "" if told["floor"] is None else f", floor {told['floor']:g}: {'met' if told['floor_met'] else 'MISSED'}"
        yield f"{told['what']:<52} {told['figure']:>8.2f}   goal {told['goal']:g}: {'met' if told['goal_met'] else 'missed'}{floor}"


def road_table(rows):
    yield ""
    yield f"{'the road':<44} {'referrals/s':>11}  {'of (a)':>6} {'x (b)':>6}   {'processor ms a referral':<30} {'MB':>4}"
    for name, row in rows.items():
        many, cpu = row["referrals"], row["cpu"]
        each = ", ".join(f"{who} {sum(cpu[whose]) * 1000 / many:.2f}" for whose, who in
                         (("service", "own"), ("database", "db"), ("peers", "peers")) if sum(cpu[whose]) > 0)
        peak = f"{row['memory_peak']:.0f}" if "memory_peak" in row else ""
        yield (f"{name:<44} {row['rate']:>11.1f}  {row['rate'] / rows[A]['rate']:>6.2f} {row['rate'] / rows[B]['rate']:>6.1f}   "
               f"{each:<30} {peak:>4}")
        yield f"{'':<44} {'–'.join(str(rate) for rate in (row['rates'][0], row['rates'][-1])):>11}"
    for name, row in rows.items():
        if "jobs" not in row:
            continue
        many = row["referrals"]
        user, system = (seconds * 1000 / many for seconds in row["cpu"]["service"])
        jobs = ", ".join(f"{kind} {n / many:.2f}" for kind, (n, _) in sorted(row["jobs"].items()) if n / many >= 0.005)
        again = sum(tries - n for n, tries in row["jobs"].values())
        calls = ", ".join(f"{call} {n / many:.2f}" for call, n in sorted(row["calls"].items()) if n / many >= 0.005)
        yield ""
        yield f"{name}, per referral: {row['written']['commits'] / many:.1f} write transactions, {row['written']['syncs'] / many:.1f} syncs to disk, {row['mails'] / many:.2f} mails"
        yield f"  jobs {sum(n for n, _ in row['jobs'].values()) / many:.1f} ({jobs}); attempts more than once: {again}"
        yield f"  calls {sum(row['calls'].values()) / many:.1f} ({calls})"
        yield f"  the service's own processor time: user {user:.2f} ms, system {system:.2f} ms; share of all cores: " + shares(row)


def shares(row):
    cores = os.cpu_count() or 1
    return ", ".join(f"{who} {sum(times) / row['seconds'] / cores:.0%}" for who, times in row["cpu"].items() if sum(times) > 0)
