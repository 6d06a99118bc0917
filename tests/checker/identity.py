"""Who the people are, by the practice's own record, and whether any of it stands where it must not.

The words looked for are taken from the record itself: names, NHS numbers, telephone numbers, streets, postcodes, dates of
birth and the sentences of the GP. A log is read once, line by line.
"""

import re

LONG_ENOUGH = 20  # A sentence of fewer letters may stand anywhere.
WORDS = re.compile(r"[0-9a-z]+")


def secrets(record):
    """Everything that says who somebody is, in lower case."""
    found = set()
    for patient in record.patients:
        for name in patient.get("name", []):
            found.add(name.get("family", ""))
        found |= {point.get("value", "") for point in patient.get("telecom", [])}
        found |= {identifier.get("value", "") for identifier in patient.get("identifier", [])}
        found.add(patient.get("birthDate", ""))
        for address in patient.get("address", []):
            found |= {address.get("postalCode", ""), *address.get("line", [])}
    for request in record.requests:
        for note in request.get("note", []):
            found |= {part.strip() for part in note.get("text", "").split(".") if len(part) > LONG_ENOUGH}
    return {" ".join(WORDS.findall(text.lower())) for text in found} - {""}


class Watch:
    """Looks for many secrets at once: by their first word, then whole. What stands between words does not matter."""

    def __init__(self, words):
        self.by_first = {}
        for secret in words:
            self.by_first.setdefault(secret.split(" ")[0], []).append(secret.split(" "))

    def find(self, text):
        words = WORDS.findall(text.lower())
        found = set()
        for place, word in enumerate(words):
            for secret in self.by_first.get(word, ()):
                if words[place:place + len(secret)] == secret:
                    found.add(" ".join(secret))
        return found


def in_logs(watch, paths):
    """A sentence for each log line with somebody's identity in it: which log, which line, never the secret."""
    found = []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as log:
            for number, line in enumerate(log, 1):
                if watch.find(line):
                    found.append(f"{path}, line {number}")
    return found


def in_mails(watch, mails):
    """A sentence for each mail with somebody's identity in its headers or its text."""
    found = []
    for mail in mails:
        if watch.find(mail.headers) or watch.find(mail.text):
            found.append(f"{mail.id} ({mail.kind})")
    return found
