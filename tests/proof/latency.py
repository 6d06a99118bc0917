"""Latency: from the moment a request can be seen at the practice to the mail server's 250 for the offer about it.

The service polls every second here (the default is every five minutes; nobody referred waits for seconds), so that half
a second of each number is the wait for the next poll, which the idle run shows on its own.
"""

import json
import random
import time

from proof.stage import Stage

EVERY = "1 s"


def measure(plan, rate):
    """At idle and at half of `rate` referrals a second, on each store with one replica."""
    return {kind: one_store(plan, kind, rate.get(kind)) for kind in plan.stores}


def one_store(plan, kind, rate):
    stage = Stage(plan, kind)
    try:
        stage.peers.do("answer", bases=stage.bases(), until="started")
        stage.start(EVERY)
        idle = idle_times(stage, 10 if plan.short else 50)
        found = {"idle": percentiles(idle)}
        if rate:
            before = set(times(stage))
            many = max(10, round(rate / 2 * plan.half_load_seconds))
            offers = stage.peers.do("stats")["offers"]
            stage.peers.do("refer", many=many, per_second=rate / 2)
            stage.wait(lambda stats: stats["offers"] >= offers + many, f"{many} mails at half load")
            stage.wait_until_drained()
            loaded = [seconds for request, seconds in times(stage).items() if request not in before]
            found["half load"] = {**percentiles(loaded), "per_second": rate / 2}
        found["memory_peak"] = max(peak for _, peak in stage.memory())
        stage.stop()
        return found
    finally:
        stage.end()


def idle_times(stage, many):
    """One after the other, each with nothing else to do, at a moment of its own between two polls."""
    chance = random.Random(1)
    for number in range(many):
        time.sleep(chance.uniform(0.2, 1.2))
        stage.peers.do("refer", many=1, per_second=None)
        stage.wait(lambda stats, wanted=number + 1: stats["filed"] >= wanted, "one referral on an idle service", every=0.02)
        stage.wait_until_drained()
    return list(times(stage).values())


def times(stage):
    """Request → seconds until its first offer's mail was taken."""
    told = stage.peers.do("times")
    found = {}
    for request, episode in stage.store.query("select request_id, episode from referral"):
        taken = [told["mails"][offer["id"].replace("-", "")] for offer in json.loads(episode)["offers"]
                 if offer["id"].replace("-", "") in told["mails"]]
        if taken and request in told["visible"]:
            found[request] = (min(taken) - told["visible"][request]) / 1e6
    return found


def percentiles(seconds):
    seconds = sorted(seconds)
    at = lambda share: seconds[min(len(seconds) - 1, len(seconds) * share // 100)]
    return {"n": len(seconds), "p50": at(50), "p99": at(99), "most": seconds[-1]}
