"""A small world at rest, in which everything is well: three referrals, their mails, their record, their ledger.

A test spoils one thing and asks the checker, as a process, what it sees. `Alder` was helped to the end by the second
service asked, `Birch` was taken back after the mail had left, `Cedar` waits for a coordinator.
"""

import copy
import http.server
import json
import os
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path

OURS = "https://wellbridge.example/fhir/Id/"
START = 1_790_000_000_000
SCHEMA = """
create table referral (id text, request_id text, state text, seq bigint, episode text);
create table event (referral_id text, seq bigint, body text, recorded bigint);
create table mail (id text, kind text, state text, offer_id text);
create table filing_result (filing_id text, refusal text);
"""
FACTS = {"sharing": "full", "contact_prohibited": False, "hold": None, "urgent": False}


def id_of(name):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


class World:
    """Everything the checker reads, as plain values that a test may change before it asks."""

    def __init__(self):
        self.record = {kind: [] for kind in
                       ("ServiceRequest", "Patient", "Task", "Observation", "DocumentReference", "Procedure", "Provenance")}
        self.rows, self.events, self.mail_rows, self.mails, self.disturbances = {}, {}, {}, [], []
        self.refusals, self.log = {}, "a referral was received referral.id=1\n"
        self.alder()
        self.birch()
        self.cedar()

    # ---- the three ----

    def alder(self):
        first, second = id_of("alder-1"), id_of("alder-2")
        started, closed = id_of("alder-started"), id_of("alder-closed")
        self.refer("alder", "Alder", "9991000018", "completed")
        self.offered("alder", first, "kirkstall")
        self.mailed("alder", first, "offer")
        self.happens("alder", {"type": "partner", "offer": first, "said": {"rejected": "capacity"}, "note": id_of("n"), "risk": False})
        self.offered("alder", second, "armley")
        self.mailed("alder", second, "offer")
        for said in ("accepted", "booked", "started", "finished"):
            self.happens("alder", {"type": "partner", "offer": second, "said": said, "note": None, "risk": False})
        self.happens("alder", {"type": "filed", "filing": started})
        self.happens("alder", {"type": "filed", "filing": closed})
        self.stands("alder", "closed", [("befriending", {"closed": "finished"})],
                    [(first, {"rejected": "capacity"}), (second, "completed")],
                    [(started, "started", second), (closed, {"closed": "finished"}, second)])
        self.written("alder", "DocumentReference", started, "message", "A visitor comes on Tuesdays.")
        self.written("alder", "DocumentReference", closed, "message", "She goes by herself now.")

    def birch(self):
        offer = id_of("birch-1")
        self.refer("birch", "Birch", "9991000026", "cancelled")
        self.record["ServiceRequest"][-1]["status"] = "revoked"
        self.offered("birch", offer, "bramley")
        self.mailed("birch", offer, "offer")
        self.happens("birch", {"type": "withdrawn", "by": "practice"}, after=60_000)
        self.mailed("birch", offer, "cancellation")
        self.stands("birch", "withdrawn", [("befriending", "withdrawn")], [(offer, {"cancelled": "withdrawn"})], [])

    def cedar(self):
        self.refer("cedar", "Cedar", "9991000034", "accepted")
        self.happens("cedar", {"type": "matched", "needs": [{"need": "befriending", "place": {"hold": "safety"}}], "safety": True})
        self.stands("cedar", "held", [("befriending", {"held": "safety"})], [], [])

    # ---- how they are made ----

    def refer(self, name, family, number, task):
        self.record["Patient"].append({
            "resourceType": "Patient", "id": f"{name}-patient", "birthDate": "1942-01-06",
            "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}],
            "name": [{"family": family, "given": ["Alison"]}], "telecom": [{"system": "phone", "value": "0113 496 0701"}],
            "address": [{"line": ["45 Specimen Street"], "postalCode": "LS15 7DJ"}],
        })
        self.record["ServiceRequest"].append({
            "resourceType": "ServiceRequest", "id": name, "status": "active", "subject": {"reference": f"Patient/{name}-patient"},
            "note": [{"text": "Widowed, lives alone and is very lonely. Would love a visitor."}],
        })
        self.record["Task"].append({
            "resourceType": "Task", "id": f"{name}-task", "status": task, "focus": {"reference": f"ServiceRequest/{name}"},
            "identifier": [{"system": OURS + "episode", "value": f"{name}.task"}],
        })
        self.events[name] = []
        self.happens(name, {"type": "received", "practice": "burton-croft", "programme": "leeds", "facts": FACTS})

    def offered(self, name, offer, service):
        placed = {"need": "befriending", "place": {"propose": service}}
        self.happens(name, {"type": "matched", "needs": [placed], "safety": False})
        self.happens(name, {"type": "offered", "need": "befriending", "offer": offer, "service": service, "partner": service,
                            "by": "machine", "remind_at": "2026-11-27T09:00:00Z", "reply_by": "2026-12-01T17:00:00Z", "note": None})

    def mailed(self, name, offer, kind):
        self.happens(name, {"type": "mailed", "offer": offer, "mail": kind, "outcome_unknown": False})
        key = f"{offer.replace('-', '')}.{kind}.1"
        self.mail_rows[key] = {"kind": kind, "state": "sent", "offer": offer}
        self.mails.append({"id": key, "at": self.events[name][-1]["recorded"], "to": "referrals@kirkstall.example",
                           "text": "Could you help somebody who would like a visitor?"})

    def happens(self, name, body, after=1_000):
        events = self.events[name]
        at = events[-1]["recorded"] + after if events else START
        events.append({"body": copy.deepcopy(body), "recorded": at})

    def stands(self, name, state, needs, offers, filings):
        self.rows[name] = {"state": state, "episode": {
            "facts": dict(FACTS),
            "needs": [{"code": code, "state": where} for code, where in needs],
            "offers": [{"id": id_, "need": "befriending", "status": status} for id_, status in offers],
            "filings": [{"id": id_, "moment": moment, "need": "befriending", "offer": offer, "status": "filed"}
                        for id_, moment, offer in filings],
        }}

    def written(self, name, kind, filing, part, words):
        number = len(self.record[kind]) + 1
        self.record[kind].append({
            "resourceType": kind, "id": f"{name}-{number}", "subject": {"reference": f"Patient/{name}-patient"},
            "identifier": [{"system": OURS + "filing", "value": f"{filing}.{part}"}], "date": f"2026-11-2{number}T10:00:00Z",
            "content": [{"attachment": {"data": words}}],
        })

    # ---- asking ----

    def ask(self, database=None):
        """Writes everything down, runs the checker as a process, gives its exit code and its JSON. The ledger is in a
        SQLite file, unless another database is named, which holds it already."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.save(folder)
            server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self.handler())
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            database = database or f"sqlite:{folder / 'wellbridge.sqlite'}"
            command = [sys.executable, str(Path(__file__).parent), "--practice", f"http://127.0.0.1:{server.server_address[1]}/fhir",
                       "--mails", str(folder / "mails"), "--database", database,
                       "--log", str(folder / "service.log"), "--disturbances", str(folder / "disturbances.json")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            server.shutdown()
            server.server_close()
        if not done.stdout:
            raise AssertionError(done.stderr)
        return done.returncode, json.loads(done.stdout)

    def save(self, folder):
        (folder / "mails").mkdir()
        for number, mail in enumerate(self.mails):
            path = folder / "mails" / f"{number:06}.eml"
            path.write_text(f"From: referrals@leeds.example\nTo: {mail['to']}\nSubject: {mail.get('subject', 'A referral')}\n"
                            f"Message-ID: <{mail['id']}@leeds.example>\nContent-Type: text/plain\n\n{mail['text']}\n")
            os.utime(path, ns=(mail["at"] * 1_000_000, mail["at"] * 1_000_000))
        (folder / "service.log").write_text(self.log)
        (folder / "disturbances.json").write_text(json.dumps(self.disturbances))
        with sqlite3.connect(folder / "wellbridge.sqlite") as database:
            database.executescript(SCHEMA)
            for text, values in self.statements():
                database.execute(text.replace("%s", "?"), values)
        database.close()

    def statements(self):
        """The ledger as statements that fill it."""
        for name, row in self.rows.items():
            seq = row.get("seq", len(self.events.get(name, [])))
            request = row.get("request", name)
            yield ("insert into referral values (%s, %s, %s, %s, %s)",
                   (id_of(name), request, row["state"], seq, json.dumps(row["episode"])))
        for name, events in self.events.items():
            for seq, event in enumerate(events, 1):
                yield ("insert into event values (%s, %s, %s, %s)",
                       (id_of(name), event.get("seq", seq), json.dumps(event["body"]), event["recorded"]))
        for key, row in self.mail_rows.items():
            yield "insert into mail values (%s, %s, %s, %s)", (key, row["kind"], row["state"], row["offer"])
        for filing, words in self.refusals.items():
            yield "insert into filing_result values (%s, %s)", (filing, words)

    def handler(self):
        record = self.record

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers searches of a whole kind, in pages of two."""

            def do_GET(self):
                path, _, query = self.path.partition("?")
                kind, offset = path.rsplit("/", 1)[1], int(query.partition("offset=")[2] or 0)
                found = record[kind]
                bundle = {"resourceType": "Bundle", "entry": [{"resource": r} for r in found[offset:offset + 2]]}
                if offset + 2 < len(found):
                    link = f"http://{self.headers['host']}{path}?offset={offset + 2}"
                    bundle["link"] = [{"relation": "next", "url": link}]
                body = json.dumps(bundle).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        return Handler
