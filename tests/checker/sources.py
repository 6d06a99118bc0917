"""What the checker reads: the practice's server over HTTP, the mailbox as files, the database through its own client.

Nothing of the service is used here, neither its code nor its commands. Everything is read once, at rest, into plain
lists and dictionaries.
"""

import dataclasses
import email
import json
import sqlite3
import urllib.parse
import urllib.request
from pathlib import Path

WRITTEN = ("Task", "Observation", "DocumentReference", "Procedure", "Provenance")


class Record:
    """A FHIR R4 server: every resource of the kinds that matter."""

    def __init__(self, base):
        self.base = base.rstrip("/")
        self.requests = self.all("ServiceRequest")
        self.patients = self.all("Patient")
        self.written = {kind: self.all(kind) for kind in WRITTEN}

    def all(self, kind):
        found, url = {}, f"{self.base}/{kind}?_count=200"
        while url:
            with urllib.request.urlopen(url, timeout=60) as answer:
                bundle = json.load(answer)
            for entry in bundle.get("entry", []):
                found[entry["resource"]["id"]] = entry["resource"]
            following = [link["url"] for link in bundle.get("link", []) if link["relation"] == "next"]
            url = following[0] if following else None
        return list(found.values())


@dataclasses.dataclass
class Mail:
    """One mail as it lies in the mailbox. `about` is the offer or alert, 32 hexadecimal digits; times in ms since 1970."""

    id: str
    about: str
    kind: str
    ordinal: str
    to: str
    arrived: int
    headers: str
    text: str


def mailbox(folder):
    """Every mail, in the order in which they came."""
    mails = [read_mail(path) for path in Path(folder).glob("*.eml")]
    return sorted(mails, key=lambda mail: mail.arrived)


def read_mail(path):
    message = email.message_from_bytes(path.read_bytes())
    message_id = message.get("message-id", "").strip()
    about, kind, ordinal = (message_id.strip("<>").split("@")[0].split(".") + ["", ""])[:3]
    parts = [part for part in message.walk() if part.get_content_type() == "text/plain"]
    text = " ".join((part.get_payload(decode=True) or b"").decode("utf-8", "replace") for part in parts)
    headers = "\n".join(f"{name}: {value}" for name, value in message.items())
    arrived = path.stat().st_mtime_ns // 1_000_000
    return Mail(message_id, about, kind, ordinal, str(message.get("to", "")), arrived, headers, text)


class Database:
    """The service's database, read only: `sqlite:/path/to/file` or `postgres://user@host:port/name`."""

    def __init__(self, url):
        self.url = url
        kind, _, rest = url.partition(":")
        if kind == "sqlite":
            self.connection = sqlite3.connect(f"file:{rest}?mode=ro", uri=True, timeout=30)
        else:
            self.connection = postgres(url)

    def rows(self, text):
        cursor = self.connection.cursor()
        cursor.execute(text)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    def close(self):
        self.connection.close()


def postgres(url):
    import pg8000.dbapi  # only where there is a PostgreSQL to be read

    parts = urllib.parse.urlsplit(url)
    options = dict(urllib.parse.parse_qsl(parts.query))
    connection = pg8000.dbapi.connect(
        user=urllib.parse.unquote(parts.username or "postgres"),
        password=urllib.parse.unquote(parts.password) if parts.password else None,
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 5432,
        database=parts.path.lstrip("/") or "postgres",
    )
    connection.autocommit = True
    schema = options.get("options", "").removeprefix("-c search_path=")
    if schema:
        connection.cursor().execute(f'set search_path to "{schema}"')
    return connection


class Ledger:
    """What the database says: standings, events, mails, what came of filings."""

    def __init__(self, database):
        self.referrals = database.rows("select id, request_id, state, seq, episode from referral order by id")
        for row in self.referrals:
            row["episode"] = json.loads(row["episode"])
        self.events = {}
        for row in database.rows("select referral_id, seq, body, recorded from event order by referral_id, seq"):
            row["body"] = json.loads(row["body"])
            self.events.setdefault(row["referral_id"], []).append(row)
        self.mails = {row["id"]: row for row in database.rows("select id, kind, state, offer_id from mail")}
        results = database.rows("select filing_id, refusal from filing_result")
        self.refusals = {row["filing_id"]: row["refusal"] or "" for row in results}


def disturbances(path):
    """When something was done to the service: `[{"at": ms, "until": ms, "what": "kill"}, …]`."""
    if path is None:
        return []
    return sorted(json.loads(Path(path).read_text()), key=lambda one: one["at"])
