"""The faults that the checker looks for. Each function gives a list of sentences; an empty list is well.

Numbers that must be zero, by name: see `look`. Copies of a mail are counted apart, since SMTP cannot promise "once": each
must be explained by what the ledger says (`outcome_unknown`) or by something that was done to the service meanwhile.
"""

import collections
import json

import identity
from replay import Replay
from tables import detail, offer_state, referral_state, word

OURS = "https://wellbridge.example/fhir/Id/"
# Between a look at the ledger and a mail's arrival lie a connection and the mail itself.
GRACE_MS = 5_000
ABOUT_AN_OFFER = ("offer", "reminder", "cancellation", "passed-on", "code")


def plain(uuid):
    return uuid.replace("-", "")


class World:
    """All that was read, and what is derived from it once."""

    def __init__(self, record, mails, ledger, disturbances, logs):
        self.record, self.mails, self.ledger = record, mails, ledger
        self.disturbances, self.logs = disturbances, logs
        self.replays = {row["id"]: Replay(ledger.events.get(row["id"], [])) for row in ledger.referrals}
        self.rows = {row["id"]: row for row in ledger.referrals}
        self.by_request = {row["request_id"]: row for row in ledger.referrals}
        self.status = {request["id"]: request.get("status") for request in record.requests}
        self.offers = {plain(o["id"]): (row, o) for row in ledger.referrals for o in row["episode"]["offers"]}
        self.got = collections.defaultdict(list)
        for mail in mails:
            self.got[mail.about, mail.kind].append(mail)


def look(world):
    """Everything that must be nothing: name → sentences."""
    return {
        "lost": lost(world),
        "stuck": stuck(world),
        "duplicated_in_record": by_identifier(world) + by_content(world),
        "illegal": illegal(world),
        "two_open_offers": two_open(world),
        "second_mails": second_mails(world),
        "mails_lost": mails_lost(world),
        "sent_twice_unexplained": unexplained_copies(world),
        "mailed_after_withdrawal": after_withdrawal(world),
        "partner_not_told": not_told(world),
        "filings_missing": filings_missing(world),
        "not_withdrawn": not_withdrawn(world),
        "tasks_untrue": tasks_untrue(world),
        "conservation": conservation(world),
        "identity_in_logs": identity.in_logs(watch(world), world.logs),
        "identity_in_mails": identity.in_mails(watch(world), world.mails),
    }


def facts(world):
    """What may be any number."""
    kinds = {kind: len(all_) for kind, all_ in world.record.written.items()}
    return {
        "taken_back": sum(status == "revoked" for status in world.status.values()),
        "in_ledger": len(world.rows),
        "states": dict(collections.Counter(row["state"] for row in world.rows.values())),
        "events": sum(map(len, world.ledger.events.values())),
        "offers": len(world.offers),
        "record": kinds,
        "mails": dict(collections.Counter(mail.kind for mail in world.mails)),
        "sent_twice": len(copies(world)),
    }


def watch(world):
    return identity.Watch(identity.secrets(world.record))


# ---- referrals ------------------------------------------------------------------------------------------------------


def lost(world):
    """Active at the practice and unknown here. One that was taken back before we ever knew it is nothing."""
    return [f"request {id_}" for id_, status in world.status.items() if status == "active" and id_ not in world.by_request]


def stuck(world):
    """At rest nobody waits for the machine: each referral has an owner, or an end."""
    found = [f"{id_}: still received" for id_, row in world.rows.items() if row["state"] == "received"]
    return found + [f"{id_}: nothing is stored of its needs" for id_, row in world.rows.items() if not row["episode"]["needs"]]


def not_withdrawn(world):
    """Taken back by the practice: withdrawn here, unless it had ended."""
    taken = [row for request, row in world.by_request.items() if world.status.get(request) == "revoked"]
    return [f"{row['id']}: {row['state']}" for row in taken if row["state"] not in ("withdrawn", "closed")]


def illegal(world):
    return [f"{id_}: {why}" for id_, replay in world.replays.items() for why in replay.compare(world.rows[id_]["episode"])]


def two_open(world):
    found = [f"{id_}: {why}" for id_, replay in world.replays.items() for why in replay.two_open]
    for id_, row in world.rows.items():
        now = collections.Counter(o["need"] for o in row["episode"]["offers"] if word(o["status"]) not in
                                  ("completed", "failed", "rejected", "cancelled", "entered-in-error"))
        found += [f"{id_}: {n} open offers for the need {need}" for need, n in now.items() if n > 1]
    return found


def conservation(world):
    """Referrals received are the sum over states, and each row says what its needs say."""
    found = []
    received = sum(1 for events in world.ledger.events.values() for event in events if event["body"]["type"] == "received")
    if received != len(world.rows):
        found.append(f"{received} were received, the states sum to {len(world.rows)}")
    found += [f"{id_}: events of a referral that stands nowhere" for id_ in world.ledger.events if id_ not in world.rows]
    requests = collections.Counter(row["request_id"] for row in world.rows.values())
    found += [f"request {request} is {n} referrals" for request, n in requests.items() if n > 1]
    for id_, row in world.rows.items():
        given = referral_state([word(need["state"]) for need in row["episode"]["needs"]])
        if given != row["state"]:
            found.append(f"{id_}: counted as {row['state']}, its needs say {given}")
        if row["seq"] != len(world.ledger.events.get(id_, [])):
            found.append(f"{id_}: {row['seq']} events by its row, {len(world.ledger.events.get(id_, []))} in the log")
    return found


# ---- the record -----------------------------------------------------------------------------------------------------


def our_names(resource):
    """Our identifiers and tags: what must be there once."""
    own = [f"{i.get('system')}|{i.get('value')}" for i in resource.get("identifier", []) if isinstance(i, dict)]
    tags = [f"{t.get('system')}|{t.get('code')}" for t in resource.get("meta", {}).get("tag", [])]
    return {text for text in own + tags if text.startswith(OURS)}


def by_identifier(world):
    names = collections.Counter(f"{kind} {n}" for kind, all_ in world.record.written.items() for r in all_ for n in our_names(r))
    return [f"{n} times {name}" for name, n in names.items() if n > 1]


# What differs between two copies of one thing: who they are and when they were written.
NAMES_AND_TIMES = {"id", "meta", "identifier", "authoredOn", "lastModified", "effectiveDateTime", "issued", "date", "creation",
                   "occurredDateTime", "recorded", "performedDateTime", "text"}


def by_content(world):
    """The same said twice under different names. A Task is told by the request that it is about."""
    told = collections.Counter()
    for kind, all_ in world.record.written.items():
        for resource in all_:
            if kind == "Task":
                told[f"Task about {resource.get('focus', {}).get('reference')}"] += 1
            elif our_names(resource):
                about = resource.get("subject", {}).get("reference") or resource.get("target", [{}])[0].get("reference")
                told[f"{kind} about {about}", json.dumps(without(resource), sort_keys=True)] += 1
    return [f"{n} times {key if isinstance(key, str) else key[0]}, by content" for key, n in told.items() if n > 1]


def without(value):
    if isinstance(value, dict):
        return {name: without(inner) for name, inner in value.items() if name not in NAMES_AND_TIMES}
    return [without(inner) for inner in value] if isinstance(value, list) else value


def filings_missing(world):
    """Owed to the record and not there. Refused because the practice took the request back is no fault."""
    there = {name.removeprefix(OURS + "filing|").split(".")[0]
             for all_ in world.record.written.values() for r in all_ for name in our_names(r)}
    found = []
    for id_, row in world.rows.items():
        for filing in row["episode"]["filings"]:
            refusal = world.ledger.refusals.get(filing["id"], "")
            on_purpose = world.status.get(row["request_id"]) == "revoked" and "withdrew" in refusal
            if filing["status"] == "filed" and not may_be_silent(row["episode"], filing) and filing["id"] not in there:
                found.append(f"{id_}: filing {filing['id']} is said to be filed and is not in the record")
            elif filing["status"] not in ("filed", "set-aside") and not (filing["status"] == "refused" and on_purpose):
                found.append(f"{id_}: filing {filing['id']} is {filing['status']} {refusal}".strip())
    return found


def may_be_silent(episode, filing):
    """Whether what the person shares may leave nothing of it to be written: only codes, and none that is still to be said."""
    started = [one["id"] for one in episode["filings"] if word(one["moment"]) == "started"]
    has_code = filing["id"] in started[:1] or detail(filing["moment"]) == "declined-social-prescribing"
    return episode["facts"]["sharing"] == "nothing" or (episode["facts"]["sharing"] == "codes-only" and not has_code)


def tasks_untrue(world):
    """The one coordination Task says where the referral stands."""
    tasks = {task.get("focus", {}).get("reference", ""): task for task in world.record.written["Task"]}
    found = []
    for id_, row in world.rows.items():
        task = tasks.get(f"ServiceRequest/{row['request_id']}")
        needs = row["episode"]["needs"]
        if task is None and row["episode"]["facts"].get("hold") in ("unreadable-request", "no-subject", "patient-unreadable"):
            continue  # There is nothing that a Task could be about.
        if task is None:
            found.append(f"{id_}: no Task says where it stands")
            continue
        says, ended = task["status"], row["state"] in ("withdrawn", "closed")
        if ended and says == "cancelled" and not is_cancelled_by_us(task):
            continue  # The practice cancelled it after the end: that is final, and theirs to say.
        finished = any(word(n["state"]) == "closed" and detail(n["state"]) in ("finished", "met-by-coordinator") for n in needs)
        wrong = (
            (ended and finished and says != "completed")
            or (row["state"] == "withdrawn" and not finished and says != "cancelled")
            or (not ended and says in ("completed", "failed", "cancelled", "rejected"))
            or (row["state"] == "supported" and says != "in-progress")
        )
        if wrong:
            found.append(f"{id_}: it is {row['state']}, its Task says {says}")
    return found


def is_cancelled_by_us(task):
    return any(name.startswith(OURS) and name.endswith(".ended-cancelled") for name in our_names(task))


# ---- mails ----------------------------------------------------------------------------------------------------------


def copies(world):
    """Message-IDs that came more than once → their mails, oldest first."""
    by_id = collections.defaultdict(list)
    for mail in world.mails:
        by_id[mail.id].append(mail)
    return {id_: mails for id_, mails in by_id.items() if len(mails) > 1}


def second_mails(world):
    """Two mails of one kind about one offer that are not copies of each other. Codes are meant to be several."""
    found = []
    for (about, kind), mails in world.got.items():
        if kind in ("offer", "reminder", "cancellation", "passed-on") and len({mail.id for mail in mails}) > 1:
            found.append(f"{about}.{kind}")
    return found


def unexplained_copies(world):
    unknown = {pair for replay in world.replays.values() for pair in replay.unknown}
    found = []
    for id_, mails in copies(world).items():
        if (mails[0].about, mails[0].kind) in unknown:
            continue
        pairs = zip(mails, mails[1:])
        if not all(disturbed(world, before.arrived, after.arrived) for before, after in pairs):
            found.append(id_)
    return found


def disturbed(world, first, second):
    """Whether something was done to the service when the first copy had just come, and before the second did."""
    return any(d["at"] - GRACE_MS <= first <= d["until"] + GRACE_MS and d["at"] <= second for d in world.disturbances)


def mails_lost(world):
    """The ledger says that a mail left, and it never came."""
    ids = {(mail.about, mail.kind, mail.ordinal) for mail in world.mails}
    return [id_ for id_, row in world.ledger.mails.items()
            if row["state"] == "sent" and tuple(id_.split(".")) not in ids]


def after_withdrawal(world):
    """After a withdrawal nothing is sent about its offers but one cancellation each. A process that was stopped in the
    middle of sending may end what it had begun."""
    found = []
    for about, (row, _) in world.offers.items():
        when = world.replays[row["id"]].withdrawn_at
        if when is None:
            continue
        for kind in ABOUT_AN_OFFER:
            late = [m for m in world.got[about, kind] if m.arrived > when + GRACE_MS]
            if kind == "cancellation":
                continue
            stopped = lambda m: any(d["what"] == "stop" and d["at"] <= when <= d["until"] and
                                    m.arrived <= d["until"] + GRACE_MS for d in world.disturbances)
            found += [f"{m.id}, {m.arrived - when} ms after the withdrawal" for m in late if not stopped(m)]
    return found


def not_told(world):
    """Asked by mail, then taken back, and no notice of it. One whose notice bounced is a person's to tell."""
    found = []
    for about, (row, offer) in world.offers.items():
        owed = offer_state(offer["status"]) in ("cancelled/withdrawn", "cancelled/superseded")
        bounced = world.ledger.mails.get(f"{about}.cancellation.1", {}).get("state") == "failed"
        if owed and world.got[about, "offer"] and not world.got[about, "cancellation"] and not bounced:
            found.append(f"{row['id']}: offer {about}")
    return found
