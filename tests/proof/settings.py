"""The settings that the service is tried with: one practice, one programme that lets the machine send, six charities."""

import json

from proof.story import PARTNERS


def feed(folder):
    """A directory in which each charity has a befriending service; gives the file's path."""
    path = folder / "feed.json"
    path.write_text(json.dumps([befriending(partner) for partner in PARTNERS]))
    return path


def link_key(folder):
    """What partners' links are made from: one for all replicas."""
    path = folder / "link-key"
    path.write_text("a key for links that only this one run knows\n")
    return path


def befriending(partner):
    return {
        "id": f"{partner}-befriending",
        "name": f"{partner.title()} Befrienders",
        "description": "Befriending for older people in Leeds who are lonely or isolated. A volunteer visits you at home "
                       "once a week for a chat and company. Anybody may refer by email.",
        "email": f"referrals@{partner}.example",
        "status": "active",
        "assured_date": "2026-10-01",
        "organization": {"id": f"{partner}-trust", "name": f"{partner.title()} Trust"},
    }


def settings(folder, data, port, public_port, pair, database, overlap, every="1 s"):
    return f"""
data_dir = "{data}"
{database}
[web]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{public_port}"
link_key_file = "{folder / 'link-key'}"
[limits]
visitor_per_minute = 1000000
link_per_minute = 1000000
codes_per_hour = 1000
offers_per_hour = 1000000
[mail]
host = "127.0.0.1"
port = {pair.smtp}
tls = "none"
from = "Leeds Wellbeing <referrals@leeds.example>"
[programmes.leeds]
name = "Leeds Wellbeing Coordinators"
phone = "0113 496 0100"
mode = "auto"
auto_needs = ["befriending", "social-groups"]
signed_off_by = "Dr A. Example, clinical safety officer"
duty_address = "duty@leeds.example"
second_duty_address = "lead@leeds.example"
[practices.burton-croft]
name = "Burton Croft Surgery"
programme = "leeds"
fhir = "{pair.fhir}"
organisation = "https://fhir.nhs.uk/Id/ods-organization-code|X0001"
poll_every = "{every}"
overlap = "{overlap}"
[directory.feeds.city]
kind = "file"
path = "{folder / 'feed.json'}"
"""
