#!/usr/bin/env python3
"""What a practice's IT person would write instead of Wellbridge: requests and smtplib, sixteen at once, no ledger.

    python3 tests/proof/script.py FHIR-BASE SMTP-PORT

It reads every request with its patient, looks at the consent, makes a Task, mails the charity, files that support has
started, and completes the Task. If it dies in the middle nobody knows what was done: that is what it is compared for. A line
of JSON on its standard input may say how often each call is to be made for a referral (`{"GET Task": 3, …}`): then it
makes the calls that the service makes, which reads everything again before a mail leaves and keeps the Task at every step.
Prints `{"seconds": …}`.
"""

import json
import smtplib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

import requests

BASE, PORT = sys.argv[1], int(sys.argv[2])
HEADERS = {"Content-Type": "application/fhir+json"}
here = threading.local()


def session():
    """One kept connection for each thread."""
    if not hasattr(here, "session"):
        here.session = requests.Session()
        here.session.trust_env = False
    return here.session


def ask(method, path, **more):
    answer = session().request(method, f"{BASE}/{path}" if path else BASE, timeout=30, **more)
    answer.raise_for_status()
    return answer.json()


def requests_with_patients():
    url = f"{BASE}/ServiceRequest?code=871731000000106&_include=ServiceRequest:subject&_count=200"
    while url:
        answer = session().get(url, timeout=30)
        answer.raise_for_status()
        page = answer.json()
        yield from (entry["resource"] for entry in page.get("entry", []) if entry["search"]["mode"] == "match")
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


def new_task(request):
    return {"resourceType": "Task", "status": "accepted", "intent": "order", "for": request["subject"],
            "focus": {"reference": f"ServiceRequest/{request['id']}"}}


def send_mail(request):
    mail = EmailMessage()
    mail["From"], mail["To"] = "referrals@leeds.example", "referrals@befrienders.example"
    mail["Subject"], mail["Message-ID"] = "Can you help somebody?", f"<{request['id']}.script@leeds.example>"
    words = "Could you help somebody? Please say yes or no: http://127.0.0.1:8080/answer\n" * 16
    mail.set_content(words)
    mail.add_alternative(f"<p>{words}</p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", PORT) as server:
        server.send_message(mail)


def file_started(request):
    def entry(kind, part, status):
        resource = {"resourceType": kind, "status": status, "subject": request["subject"], "code": {"text": part},
                    "identifier": [{"system": "script", "value": f"{request['id']}.{part}"}],
                    "content": [{"attachment": {"contentType": "text/plain", "data": "QSBtZXNzYWdlLg=="}}]}
        return {"resource": resource, "request": {"method": "POST", "url": kind}}

    entries = [entry("DocumentReference", "message", "current"), entry("Procedure", "referred", "completed"), entry("Observation", "other", "final")]
    ask("POST", "", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}, headers=HEADERS)


def refer(request):
    """One referral as somebody would write it down first."""
    consents = ask("GET", "Consent", params={"patient": request["subject"]["reference"]})
    if not any(entry["resource"]["status"] == "active" for entry in consents.get("entry", [])):
        return
    task = ask("POST", "Task", json=new_task(request), headers=HEADERS)
    send_mail(request)
    file_started(request)
    task["status"] = "completed"
    ask("PUT", f"Task/{task['id']}", json=task, headers=HEADERS)


def refer_like_the_service(request, calls):
    patient = request["subject"]["reference"].split("/")[1]
    task = None
    for call, times in sorted(calls.items(), key=lambda item: item[0].startswith("PUT")):
        method, what = call.split(" ")
        for _ in range(times):
            if what.endswith("/_search"):
                ask("POST", what, data={"_id": patient})
            elif call == "POST Task":
                task = ask("POST", "Task", json=new_task(request), headers=HEADERS)
            elif call == "PUT Task" and task:
                ask("PUT", f"Task/{task['id']}", json=task, headers=HEADERS)
            elif call == "POST /":
                file_started(request)
            elif call == "GET Task" and task:
                ask("GET", f"Task/{task['id']}")
            elif call == "GET Patient":
                ask("GET", f"Patient/{patient}")
            else:
                ask("GET", f"ServiceRequest/{request['id']}")
    send_mail(request)


def main():
    calls = json.loads(sys.stdin.readline() or "{}")
    began = time.monotonic()
    with ThreadPoolExecutor(16) as people:
        done = [people.submit(refer_like_the_service, request, calls) if calls else people.submit(refer, request)
                for request in requests_with_patients()]
        for each in done:
            each.result()
    print(json.dumps({"seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
