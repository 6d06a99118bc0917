"""A GP: refers, takes back and changes requests in the practice's own system, over FHIR."""

import http.client
import json
import time
import urllib.parse

SNOMED = "http://snomed.info/sct"
FAMILIES = ["Barraclough", "Ogunleye", "Fairweather", "Kowalczyk", "Hainsworth", "Sutcliffe", "Adeyemi", "Thackray"]
LONELY = "Widowed, lives alone and is very lonely. Would love a regular visitor for a chat."
DANGER = " Her husband hits her and she is afraid to go home."


class Practice:
    """Speaks to the practice's server on one connection, opened anew after a pause: servers close idle ones."""

    def __init__(self, base):
        self.base = base
        self.parts = urllib.parse.urlsplit(base)
        self.line, self.used = http.client.HTTPConnection(self.parts.netloc, timeout=60), 0
        ours = {"resourceType": "Organization", "active": True, "name": "Leeds Wellbeing Coordinators"}
        ours["identifier"] = [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "X0001"}]
        self.create(ours)

    def ask(self, method, path, resource=None):
        body = None if resource is None else json.dumps(resource).encode()
        if time.monotonic() - self.used > 2:
            self.line.close()
        self.used = time.monotonic()
        self.line.request(method, f"{self.parts.path}/{path}", body, {"content-type": "application/fhir+json"})
        answer = self.line.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"the practice's server said {answer.status} to {method} {path.partition('/')[0]}: {text[:300]}")
        return json.loads(text)

    def create(self, resource):
        return self.ask("POST", resource["resourceType"], resource)["id"]

    def refer(self, number, unsafe):
        """A referral: a patient, her agreement, a request."""
        patient = self.create({
            "resourceType": "Patient",
            "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": nhs_number(number)}],
            "active": True,
            "name": [{"use": "official", "family": FAMILIES[number % len(FAMILIES)], "given": ["Alison"]}],
            "telecom": [{"system": "phone", "value": f"0113 496 0{700 + number % 300}"}],
            "gender": "female",
            "birthDate": "1942-01-06",
            "address": [{"line": ["45 Specimen Street"], "city": "Leeds", "postalCode": "LS15 7DJ"}],
        })
        consent = self.create({
            "resourceType": "Consent",
            "status": "active",
            "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
            "category": [coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IDSCL")],
            "patient": {"reference": f"Patient/{patient}"},
            "policyRule": {"text": "Practice policy on referring"},
            "provision": {"type": "permit"},
        })
        return self.create({
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "category": [coded(SNOMED, "871731000000106")],
            "code": coded(SNOMED, "871731000000106"),
            "subject": {"reference": f"Patient/{patient}"},
            "authoredOn": "2026-11-20T14:43:00Z",
            "reasonCode": [{**coded(SNOMED, "267076002"), "text": "Feeling lonely"}],
            "orderDetail": [coded("https://wellbridge.example/fhir/CodeSystem/sharing", "full")],
            "supportingInfo": [{"reference": f"Consent/{consent}"}],
            "note": [{"text": LONELY + (DANGER if unsafe else "")}],
        })

    def change(self, request, edit):
        resource = self.ask("GET", f"ServiceRequest/{request}")
        edit(resource)
        self.ask("PUT", f"ServiceRequest/{request}", resource)

    def revoke(self, request):
        self.change(request, lambda resource: resource.update(status="revoked"))

    def add_words(self, request, words):
        self.change(request, lambda resource: resource["note"].append({"text": words}))


def coded(system, code):
    return {"coding": [{"system": system, "code": code}]}


NUMBERS = []


def nhs_number(number):
    """The `number`-th valid one of a range that belongs to nobody."""
    first = int(NUMBERS[-1][:9]) + 1 if NUMBERS else 999_100_000
    while len(NUMBERS) <= number:
        check = (11 - sum(int(d) * (10 - at) for at, d in enumerate(str(first))) % 11) % 11
        if check != 10:
            NUMBERS.append(f"{first}{check}")
        first += 1
    return NUMBERS[number]
