"""The checker: what was lost, and what came twice?

    python3 tests/checker --practice http://127.0.0.1:1234/fhir --mails DIR --database sqlite:FILE
                          [--log FILE …] [--disturbances FILE]

A process of its own beside a service at rest. It reads the practice's server over HTTP, the mailbox as files, and the
database (`sqlite:FILE` or `postgres://…`, which wants pg8000), shares no code with the service, and prints JSON: facts
that may be any number, and `zero`, whose every number must be 0, with the first findings of each. Exit code 0 if so.
"""

import argparse
import json
import sys

import findings
from sources import Database, Ledger, Record, disturbances, mailbox

SHOWN = 20


def check(practice, mails, database, disturbed, logs):
    source = Database(database)
    try:
        world = findings.World(Record(practice), mailbox(mails), Ledger(source), disturbances(disturbed), logs)
    finally:
        source.close()
    found = findings.look(world)
    return {
        "well": not any(found.values()),
        "referrals": len(world.record.requests),
        **{name: len(sentences) for name, sentences in found.items()},
        **findings.facts(world),
        "zero": list(found),
        "findings": {name: sentences[:SHOWN] for name, sentences in found.items() if sentences},
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--practice", required=True, help="the base of the FHIR server")
    arguments.add_argument("--mails", required=True, help="a folder of .eml files")
    arguments.add_argument("--database", required=True, help="sqlite:FILE or postgres://…")
    arguments.add_argument("--log", action="append", default=[], help="of the service; as often as there are logs")
    arguments.add_argument("--disturbances", help="what was done to the service, as JSON")
    chosen = arguments.parse_args()
    result = check(chosen.practice, chosen.mails, chosen.database, chosen.disturbances, chosen.log)
    print(json.dumps(result, indent=1))
    return 0 if result["well"] else 1


if __name__ == "__main__":
    sys.exit(main())
