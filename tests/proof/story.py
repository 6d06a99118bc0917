"""What happens: referrals come in bursts, some are taken back or changed, and the service dies again and again.

The first lives end at named places before and after each outside effect (a debug build has them), each with one replica
alone; the others at random moments. Everything that is done to the service is written down with its time, since it may
explain a second copy of a mail.
"""

import collections
import json
import time

from proof.peers import say
from proof.practice import DANGER

PARTNERS = ["kirkstall", "headingley", "armley", "bramley", "chapel", "beeston"]
# `#2` is the second time that the place is reached in one life of the process.
POINTS = [
    "before:take-in", "after:take-in", "before:cursor", "before:offer", "after:offer", "before:smtp", "after:smtp",
    "before:task", "after:task", "before:file", "after:file", "before:alert", "after:alert", "before:code",
    "after:code", "after:smtp#2", "before:file#2", "after:file#2", "after:task#3", "before:smtp#2",
]
RECENT = 40  # Half of what the GP changes or takes back is among the last so many.


class Story:
    """Everything that was done, by whom it was done."""

    def __init__(self, practice, partners, replicas, store, plan, chance):
        self.practice, self.partners, self.replicas = practice, partners, replicas
        self.store, self.plan, self.chance = store, plan, chance
        self.sent, self.revoked, self.deaths, self.done = [], [], [], []

    def drive(self):
        """All lives and deaths."""
        for life, coming in enumerate(self.arrivals()):
            point = POINTS[life] if life < len(POINTS) and self.plan.points else None
            if point:
                self.named_life(point, coming)
            else:
                self.random_life(life, coming)
            if self.plan.kills <= 60 or (life + 1) % 25 == 0:
                say(f"  {life + 1:4} of {self.plan.kills}: {self.deaths[-1]} ({len(self.sent)} referrals, {self.partners.steps} answers)")
        self.refer(self.plan.referrals - len(self.sent))

    def arrivals(self):
        """How many referrals come in each life: at least one where a named place is to be reached, else by chance."""
        named = min(len(POINTS), self.plan.kills) if self.plan.points else 0
        counts = collections.Counter({life: 1 for life in range(min(named, self.plan.referrals))})
        for _ in range(self.plan.referrals - sum(counts.values())):
            counts[self.chance.randrange(self.plan.kills)] += 1
        return [counts[life] for life in range(self.plan.kills)]

    def refer(self, count, danger=False):
        for _ in range(count):
            number = len(self.sent)
            self.sent.append(self.practice.refer(number, danger or number % 7 == 3))

    def named_life(self, point, coming):
        """One replica alone, which dies at this place, or after a while if it never comes there."""
        # The GP takes one back while its mail is on the way, or just there.
        taken_back = point in ("after:smtp", "before:file", "after:smtp#2")
        self.partners.away = taken_back
        for replica in self.replicas[1:]:
            self.end(replica)
        first = self.replicas[0]
        first.start(point)
        self.refer(coming, point.endswith("alert"))
        if taken_back and self.sent[-1] not in self.revoked:
            self.take_back_once_told(self.sent[-1])
        if first.died(8):
            self.note("kill", time.time())
            self.deaths.append(point)
        else:
            self.end(first)
            self.deaths.append(f"kill -9 ({point} not reached)")

    def random_life(self, life, coming):
        """Everybody runs; referrals come, before or after the start; somebody dies, or something worse happens."""
        before = self.chance.randint(0, coming)
        self.refer(before)
        for replica in self.replicas:
            if not replica.lives():
                replica.start()
        self.refer(coming - before)
        self.gp_acts(life)
        victim = self.chance.choice(self.replicas)
        # One death in four may come while it is still starting; a busy machine would else see nothing but starts.
        if self.chance.random() < 0.75:
            victim.wait_until_ready()
        time.sleep(self.chance.uniform(*self.plan.life))
        fault = self.plan.fault if life % self.plan.fault_every == 0 else None
        if fault:
            getattr(self, "fault_" + fault.replace("-", "_"))(victim)
        elif len(self.replicas) > 1 and self.chance.random() < 0.1:
            for replica in self.replicas:
                self.end(replica)
            self.deaths.append("kill -9 of all")
        else:
            self.end(victim)
            self.deaths.append("kill -9")

    def gp_acts(self, life):
        """Now and then something is taken back, changed, or turns out to be dangerous, wherever it stands."""
        # What came just now may not be known yet; what came long ago may be anywhere.
        among = self.sent[-RECENT:] if self.chance.random() < 0.5 else self.sent
        open_ = [request for request in among if request not in self.revoked]
        if not open_:
            return
        request = self.chance.choice(open_)
        if life % 3 == 0:
            self.revoked.append(request)
            self.practice.revoke(request)
        elif life % 5 == 1:
            self.practice.add_words(request, "She prefers mornings.")
        elif life % 10 == 7:
            self.practice.add_words(request, DANGER.strip())

    def take_back_once_told(self, request):
        """Taken back by the GP as soon as its mail is there, and before anybody at a charity has answered."""
        self.revoked.append(request)
        until = time.monotonic() + 4
        while time.monotonic() < until and not self.partners.is_told(self.offers(request)):
            time.sleep(0.02)
        self.practice.revoke(request)
        self.partners.away = False

    def offers(self, request):
        rows = self.store.query(f"select episode from referral where request_id = '{request}'")
        return [offer["id"].replace("-", "") for row in rows for offer in json.loads(row[0])["offers"]]

    # ---- what is done to the service ----

    def note(self, what, began):
        self.done.append({"what": what, "at": int(began * 1000), "until": int(time.time() * 1000)})

    def end(self, replica):
        began = time.time()
        replica.kill()
        self.note("kill", began)

    def fault_stop(self, victim):
        """Stopped for longer than a running job is left alone; what it held goes to others, and then it wakes."""
        began = time.time()
        victim.pause(self.plan.rescue_after + self.chance.uniform(1, 4))
        self.note("stop", began)
        self.deaths.append("SIGSTOP")

    def fault_restart_database(self, _):
        began = time.time()
        self.store.restart(self.chance.choice(["restart", "crash"]))
        self.note("database", began)
        self.deaths.append("database restarted")

    def fault_disk_full(self, victim):
        """No room for a while; now and then it is killed as well; then there is room again."""
        began = time.time()
        self.store.fill()
        # What is there of the write-ahead log can be written over once more: only then there is no room at all.
        time.sleep(self.chance.uniform(2, 6))
        if self.chance.random() < 0.5:
            self.end(victim)
            if self.chance.random() < 0.5:
                victim.start()
                time.sleep(self.chance.uniform(0.2, 1.0))
        self.store.make_room()
        self.note("disk", began)
        self.deaths.append("disk full")

    # ---- the end ----

    def run_on_until_drained(self):
        """No more deaths: until nothing is left to do, or nothing has happened for as long as anybody is patient."""
        for replica in self.replicas:
            if not replica.lives():
                replica.start()
        for replica in self.replicas:
            replica.wait_until_ready()
        expected = set(self.sent) - set(self.revoked)
        quiet, happened, since = 0, 0, time.monotonic()
        while quiet < 12 and time.monotonic() - since < self.plan.patience:
            time.sleep(0.2)
            so_far = self.store.query("select count(*) from event")[0][0]
            if so_far != happened:
                happened, since = so_far, time.monotonic()
            waiting = self.store.query(QUEUE)[0][0]
            known = {row[0] for row in self.store.query("select request_id from referral")} if waiting == 0 else set()
            quiet = quiet + 1 if waiting == 0 and expected <= known and self.partners.at_rest() else 0
        if quiet < 12:
            known = {row[0] for row in self.store.query("select request_id from referral")}
            jobs = self.store.query("select kind, cast(state as text), count(*) from river_job group by kind, state order by kind")
            say(f"not at rest: {len(expected - known)} unknown, {waiting} jobs wait: {jobs}, at rest: {self.partners.at_rest()}")
        return quiet >= 12


# The poll of each second is the one job that always comes again; a code that a person waits for is asked for again.
QUEUE = """select count(*) from river_job where (state in ('available', 'running', 'pending')
    or (state = 'retryable' and kind <> 'send_code')) and kind <> 'poll_practice'"""
