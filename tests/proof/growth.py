"""Growth: the road's rate, the start, memory and `ledger verify` with ten thousand referrals in the ledger, and with a
million. The ledger is filled by `loader`: nearly all of it closed, some still going on, as after a year of a large region."""

import json
import time

from proof import road
from proof.loader import Loader
from proof.peers import say
from proof.stage import OPENER, Stage

SMALL = 10_000
SHARES = {"closed": 960, "supported": 30, "offered": 10}
# How far the referrals are driven that the ledger is filled with: how many, and what their partners do.
EXAMPLES = [(12, "finished"), (4, "started"), (2, None)]
SAMPLE = 1_000
START, IDLE_MB, KEPT_RATE = 0.5, 60, 0.9  # Goals.


def measure(plan):
    return {kind: one_store(plan, kind) for kind in plan.stores}


def one_store(plan, kind):
    stage = Stage(plan, kind)
    try:
        examples = driven(stage)
        small = at(plan, stage, examples, 0, SMALL)
        large = at(plan, stage, examples, SMALL, plan.ledger)
        return {"small": small, "large": large, "kept_rate": large["rate"] / small["rate"]}
    finally:
        stage.end()


def driven(stage):
    """What the ledger is filled with: closed, supported and offered referrals that came down the whole road; their ids."""
    for many, until in EXAMPLES:
        if until:
            stage.peers.do("answer", bases=stage.bases(), until=until)
        else:
            stage.peers.do("ignore")
        stats = stage.peers.do("stats")
        stage.peers.do("refer", many=many, per_second=None)
        stage.start()
        offers, answered = stats["offers"] + many, stats["answered"] + (many if until else 0)
        stage.wait(lambda now, offers=offers, answered=answered: now["offers"] >= offers and now["answered"] >= answered, "the examples")
        stage.wait_until_drained()
        stage.stop()
    return [row[0] for row in stage.store.query("select id from referral")]


def at(plan, stage, examples, made, many):
    """With so many in the ledger, of which some were made before: the road, and then everything else."""
    began = time.monotonic()
    loader = Loader(stage.store, examples, made)
    empty = loader.dialect.bytes()
    loader.load(SHARES, many)
    found = {"referrals": many, "bytes_per_referral": round((loader.dialect.bytes() - empty) / (many - made))}
    loader.dialect.close()
    say(f"  {many} referrals in the ledger ({stage.store.name}), {found['bytes_per_referral']} bytes each, "
        f"loaded in {time.monotonic() - began:.0f} s")
    rounds = [road.life(stage, plan.growth_referrals) for _ in range(plan.rounds)]
    found.update(road.middle(rounds))
    say(f"  {found['rate']:.0f} referrals/s")
    found["start"] = min(start(stage) for _ in range(3))
    stage.start()
    time.sleep(plan.idle_seconds)
    found["idle_mb"] = stage.memory()[0][0]
    found["metrics_seconds"] = metrics(stage)
    stage.stop()
    found["verify"] = verified(stage)
    return found


def metrics(stage):
    """How long the counts take: `/metrics` sums over every referral."""
    began = time.monotonic()
    with OPENER.open(stage.replicas[0].base + "/metrics", timeout=60) as answer:
        answer.read()
    return time.monotonic() - began


def start(stage):
    seconds = stage.start()
    stage.stop()
    return seconds


def verified(stage):
    """What `ledger verify` says of a sample."""
    began = time.monotonic()
    done = stage.replicas[0].command("ledger", "verify", "--json", "--sample", str(SAMPLE))
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return {"problems": [done.stderr.strip() or "ledger verify said nothing"]}
    return {"looked_at": SAMPLE, "seconds": round(time.monotonic() - began, 1), "problems": told["problems"][:3]}
