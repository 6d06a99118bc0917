"""Replays one referral's events against the tables, and compares the end with what is stored.

Some events leave open what they did (a new version of the request takes back an offer only if it newly forbids
sending), so every need, offer and filing is a *set* of states it may be in; an event that none of them allows is an
illegal move, and so is a stored state that is not in the set. Rules of DESIGN.md that an event can break by itself are
looked at as well: an offer by machine against a fact or after a safety matter, anything after a withdrawal.
"""

from tables import FILING, NEED_ENDS, OFFER, detail, is_open, may_follow, offer_state, word

TAKEN = {"accepted", "in-progress", "on-hold"}
ABSENT = "absent"  # A misreading of the matcher's goes.


class Replay:
    def __init__(self, events):
        self.needs, self.offers, self.filings = {}, {}, {}
        self.offer_of = {}  # offer → need
        self.withdrawn_at = None
        self.unsafe = False
        self.facts = {}
        self.in_error = set()
        self.owed = []  # (moment, offer)
        self.problems, self.two_open = [], []
        self.unknown = set()  # (offer, mail) whose outcome was written down as unknown
        for place, event in enumerate(events, 1):
            self.at, self.recorded = event["seq"], event["recorded"]
            if event["seq"] != place:
                self.wrong(f"its events are not numbered 1 to {len(events)}")
                break
            if (place == 1) != (event["body"]["type"] == "received"):
                self.wrong("'received' must be the first event, and only the first")
                break
            self.take(event["body"])

    def wrong(self, why):
        self.problems.append(f"event {self.at}: {why}")

    def take(self, event):
        kind = event["type"]
        handler = getattr(self, "on_" + kind.replace("-", "_"), None)
        if handler is None:
            self.wrong(f"an event of a kind nobody knows: {kind}")
            return
        silent_after_withdrawal = ("updated", "matched", "offered", "decided", "contact-changed", "filing-requeued")
        if self.withdrawn_at is not None and kind in silent_after_withdrawal:
            self.wrong(f"{kind} after the withdrawal")
        handler(event)

    # ---- moves ----

    def move_offer(self, offer, to):
        states = self.offers.get(offer)
        if states is None:
            self.wrong("an offer that was never made")
            return False
        if not any(may_follow(OFFER, state, to) for state in states):
            # Said once; what follows is judged from where the offer says it is.
            self.wrong(f"offer {'|'.join(sorted(states))} → {to}")
        self.offers[offer] = {to}
        return True

    def back_to_matching(self, offer):
        """The need waits for the matcher again, unless it has moved on without this offer."""
        need = self.offer_of.get(offer)
        if "offered" in self.needs.get(need, ()):
            self.needs[need] = self.needs[need] - {"offered"} | {"received"}

    def place(self, need, to):
        if all(state in NEED_ENDS for state in self.needs.get(need, {"received"})):
            self.wrong(f"need {'|'.join(sorted(self.needs[need]))} → {to}")
        self.needs[need] = {to}

    def may_be_taken_back(self, need=None):
        """Offers that nobody has answered may have been taken back by this event."""
        for offer, states in self.offers.items():
            if "requested" in states and need in (None, self.offer_of[offer]):
                states.add("cancelled/superseded")

    # ---- the practice ----

    def on_received(self, event):
        self.facts = event["facts"]
        self.needs["unread"] = {"received", "held"}

    def on_updated(self, event):
        self.facts = event["facts"]
        self.may_be_taken_back()
        for states in self.needs.values():
            if states & {"received", "proposed", "held", "offered"}:
                states |= {"received", "held"}

    def on_sent_again(self, event):
        self.facts = event["facts"]
        if any(not states & (NEED_ENDS | {ABSENT}) for states in self.needs.values()):
            self.wrong("sent again, though it had not ended")

    def on_contact_changed(self, event):
        pass

    def on_person_changed(self, event):
        pass

    def on_same_person(self, event):
        # What was refused because it was not certain whose record it is may be queued again.
        for states in self.filings.values():
            if "refused" in states:
                states.add("queued")

    def on_withdrawn(self, event):
        if all(states <= NEED_ENDS | {ABSENT} for states in self.needs.values()):
            self.wrong("withdrawn, though it had ended")
        self.withdrawn_at = self.recorded
        for need, states in self.needs.items():
            self.needs[need] = {"withdrawn" if state not in (*NEED_ENDS, ABSENT) else state for state in states}
        for offer, states in self.offers.items():
            self.offers[offer] = {"cancelled/withdrawn" if is_open(state) else state for state in states}

    # ---- the matcher and the coordinator ----

    def on_matched(self, event):
        self.unsafe |= event["safety"]
        placed = {one["need"]: word(one["place"]) for one in event["needs"]}
        for need, place in placed.items():
            found = {"proposed", "held"} if place == "propose" else {"held"}
            if need not in self.needs:
                self.needs[need] = found | ({ABSENT} if need == "unread" else set())
            elif "received" in self.needs[need]:
                self.needs[need] = self.needs[need] - {"received"} | found
        for need, states in self.needs.items():
            if need not in placed and "received" in states:
                self.needs[need] = states - {"received"} | {"held", ABSENT}
        if event["safety"]:
            self.may_be_taken_back()
            for states in self.needs.values():
                if states & {"received", "proposed", "offered"}:
                    states.add("held")

    def on_offered(self, event):
        offer, need, machine = event["offer"], event["need"], event["by"] == "machine"
        if offer in self.offers:
            self.wrong("an offer is made twice")
        waiting = self.needs.get(need, set())
        if not waiting & ({"proposed"} if machine else {"proposed", "held"}):
            self.wrong(f"need {'|'.join(sorted(waiting)) or 'unknown'} → offered")
        if machine and (self.facts.get("hold") or self.facts.get("contact_prohibited") or self.unsafe):
            self.wrong("a machine's offer, though a fact or a safety matter forbids it")
        for other, states in self.offers.items():
            if self.offer_of[other] == need:
                if all(is_open(state) for state in states):
                    self.two_open.append(f"event {self.at}: a second open offer for the need {need}")
                self.offers[other] = {state for state in states if not is_open(state)} or states
        self.offers[offer], self.offer_of[offer] = {"requested"}, need
        self.needs[need] = {"offered"}

    def on_decided(self, event):
        need, decision = event["need"], event["decision"]
        word_, person = word(decision), isinstance(event["by"], dict) and "coordinator" in event["by"]
        if word_ in ("close", "support-herself") and not person:
            self.wrong(f"{word_} that no coordinator decided")
        if word_ == "close":
            whole = detail(decision) == "declined-social-prescribing"
            closed = [n for n, s in self.needs.items() if n == need or (whole and not s <= NEED_ENDS | {ABSENT})]
            for one in closed:
                # A misreading that is gone is not closed with the rest.
                gone = self.needs.get(one, set()) & {ABSENT} if one != need else set()
                self.place(one, "closed")
                self.needs[one] |= gone
            for offer, states in self.offers.items():
                if self.offer_of[offer] in closed:
                    self.offers[offer] = {"cancelled/superseded" if is_open(s) else s for s in states}
            return
        for offer, states in self.offers.items():
            if self.offer_of[offer] == need:
                if states <= TAKEN:
                    self.wrong(f"{word_}, though a partner has the offer in hand")
                self.offers[offer] = {"cancelled/superseded" if s == "requested" else s for s in states}
        self.place(need, {"put-back": "received", "keep-back": "held", "support-herself": "supported"}[word_])

    def on_attention_settled(self, event):
        if not isinstance(event["by"], dict) or "coordinator" not in event["by"]:
            self.wrong("a matter that no coordinator settled")

    # ---- our side of an offer ----

    def on_offer_in_error(self, event):
        offer = event["offer"]
        if not isinstance(event["by"], dict) or "coordinator" not in event["by"] or not event["note"]:
            self.wrong("an offer made in error, without a coordinator's words")
        self.move_offer(offer, "entered-in-error")
        self.in_error.add(offer)
        need = self.offer_of.get(offer)
        if self.needs.get(need, set()) & {"offered", "supported"}:
            self.needs[need] = self.needs[need] | {"held"}
        for states in self.filings.values():
            if states & {"queued", "refused"}:
                states.add("set-aside")

    def on_mailed(self, event):
        if event["offer"] not in self.offers:
            self.wrong("a mail about an offer that was never made")
        if event["outcome_unknown"]:
            self.unknown.add((event["offer"].replace("-", ""), event["mail"]))

    def on_undeliverable(self, event):
        states = self.offers.get(event["offer"], set())
        if event["mail"] in ("offer", "reminder") and "requested" in states:
            self.offers[event["offer"]] = states - {"requested"} | {"cancelled/undeliverable"}
            self.back_to_matching(event["offer"])

    def on_reminded(self, event):
        if "requested" not in self.offers.get(event["offer"], ()):
            self.wrong("a reminder of an offer that was not waiting for an answer")

    def on_lapsed(self, event):
        states = self.offers.get(event["offer"], set())
        if self.move_offer(event["offer"], "cancelled/unanswered") and "requested" not in states:
            self.wrong("an offer lapsed that was not waiting for an answer")
        self.offers[event["offer"]] = {"cancelled/unanswered", "cancelled/undeliverable"}
        self.back_to_matching(event["offer"])

    def on_identity_viewed(self, event):
        if not self.offers.get(event["offer"], set()) & TAKEN:
            self.wrong("who the person is was shown, though the partner had not accepted")

    # ---- the partner ----

    def on_partner(self, event):
        offer, said, risk = event["offer"], word(event["said"]), event["risk"]
        states = self.offers.get(offer, set())
        self.unsafe |= risk
        to = {"accepted": "accepted", "rejected": "rejected", "started": "in-progress", "on-hold": "on-hold",
              "finished": "completed", "failed": "failed"}.get(said)
        if said in ("rejected", "on-hold", "failed") and not event["note"]:
            self.wrong(f"{said} without words")
        if to is None:
            if said != "asked" and not risk and not states & TAKEN:
                self.wrong(f"{said}, though the offer is {'|'.join(sorted(states))}")
            return
        allowed = any(may_follow(OFFER, state, to) for state in states)
        late_yes = said == "accepted" and any(s == "rejected" or s.startswith("cancelled") for s in states)
        # A risk is always taken down, whatever else is wrong with the answer; a late yes moves nothing.
        if not allowed and (risk or (late_yes and states != {"cancelled/withdrawn"})):
            return
        if not self.move_offer(offer, to):
            return
        if to == "rejected":
            self.back_to_matching(offer)
        elif to in ("in-progress", "completed", "failed"):
            self.place(self.offer_of[offer], {"in-progress": "supported", "completed": "closed", "failed": "held"}[to])
        if to in ("in-progress", "completed"):
            self.owed.append(("started" if to == "in-progress" else "closed", offer))

    # ---- the record ----

    def move_filing(self, event, to):
        states = self.filings.get(event["filing"], {"queued", "refused"})
        if not any(may_follow(FILING, state, to) for state in states):
            self.wrong(f"filing {'|'.join(sorted(states))} → {to}")
        self.filings[event["filing"]] = {to}

    def on_filed(self, event):
        self.move_filing(event, "filed")

    def on_handed(self, event):
        self.move_filing(event, "handed")

    def on_acknowledged(self, event):
        self.move_filing(event, "acknowledged")

    def on_filing_refused(self, event):
        self.move_filing(event, "refused")

    def on_filing_requeued(self, event):
        self.move_filing(event, "queued")

    def on_filing_set_aside(self, event):
        self.move_filing(event, "set-aside")

    # ---- the end ----

    def compare(self, episode):
        """What is stored must be what the events allow; gives sentences."""
        self.at = "last"
        stored = {need["code"]: word(need["state"]) for need in episode["needs"]}
        self.same("need", stored, self.needs)
        self.same("offer", {o["id"]: offer_state(o["status"]) for o in episode["offers"]}, self.offers)
        filings = {f["id"]: word(f["status"]) for f in episode["filings"]}
        waiting = {"queued", "refused"}
        known = {f["id"]: waiting | ({"set-aside"} if f["offer"] in self.in_error else set()) for f in episode["filings"]}
        known.update(self.filings)
        self.same("filing", filings, known)
        moments = [(word(f["moment"]), f["need"], f["offer"]) for f in episode["filings"]]
        if len(moments) != len(set(moments)):
            self.wrong("one moment is to be filed twice")
        for moment, offer in self.owed:
            if not any(m == moment and o == offer for m, _, o in moments):
                self.wrong(f"nothing was queued for the record when support {moment}")
        return self.problems

    def same(self, what, stored, possible):
        for id_, state in stored.items():
            if state not in possible.get(id_, ()):
                self.wrong(f"{what} {id_} is stored as {state}; its events give {'|'.join(sorted(possible.get(id_, ['nothing'])))}")
        for id_, states in possible.items():
            if id_ not in stored and ABSENT not in states:
                self.wrong(f"{what} {id_} is missing from what is stored")
