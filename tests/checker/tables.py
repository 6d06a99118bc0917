"""The three lifecycles as DESIGN.md draws them, written down anew: which state may follow which.

A state is a word; a cancelled offer carries its cause (`cancelled/withdrawn`), since a cause says what may still follow.
"""

OFFER = {
    "requested": {"accepted", "rejected", "cancelled"},
    "accepted": {"in-progress", "on-hold", "completed", "failed", "cancelled"},
    "in-progress": {"completed", "failed", "cancelled", "on-hold"},
    "on-hold": {"in-progress", "completed", "failed", "cancelled"},
    "completed": set(),
    "failed": set(),
    "rejected": set(),
    "cancelled": set(),
    "entered-in-error": set(),
}
OFFER_ENDS = {"completed", "failed", "rejected", "cancelled", "entered-in-error"}

# A service that said no, a new version of the request or a coordinator puts a need back to the matcher.
NEED = {
    "received": {"held", "proposed", "supported", "closed", "withdrawn"},
    "held": {"received", "offered", "supported", "closed", "withdrawn"},
    "proposed": {"received", "held", "offered", "supported", "closed", "withdrawn"},
    "offered": {"received", "held", "supported", "closed", "withdrawn"},
    "supported": {"received", "held", "closed", "withdrawn"},
    "closed": set(),
    "withdrawn": set(),
}
NEED_ENDS = {"closed", "withdrawn"}

FILING = {
    "queued": {"filed", "handed", "refused"},
    "handed": {"acknowledged", "filed", "refused"},
    "acknowledged": {"filed", "refused"},
    "filed": set(),
    "refused": {"queued", "set-aside"},
    # It may have left just before a person decided that the record can do without it.
    "set-aside": {"queued", "filed", "handed"},
}

# The referral's own state is that of the need which comes first here.
PRECEDENCE = ("held", "proposed", "received", "offered", "supported", "withdrawn", "closed")


def word(state):
    """The first word of an enum's JSON: `"accepted"`, or `{"cancelled": "withdrawn"}`."""
    return state if isinstance(state, str) else next(iter(state))


def detail(state):
    """What stands behind the word, if anything."""
    return None if isinstance(state, str) else next(iter(state.values()))


def offer_state(status):
    """An offer's status as a state of the table, with its cause."""
    first = word(status)
    return f"{first}/{detail(status)}" if first == "cancelled" else first


def may_follow(table, before, after):
    """Whether `after` may follow `before`; both may carry a cause."""
    if after == "entered-in-error":
        return before != "entered-in-error"
    return after.split("/")[0] in table[before.split("/")[0]]


def is_open(state):
    """Whether an offer in this state is still open."""
    return state.split("/")[0] not in OFFER_ENDS


def referral_state(needs):
    """The state of a referral by its needs' words."""
    return min(needs, key=PRECEDENCE.index) if needs else "received"
