"""An SMTP server that is not ours: aiosmtpd, with faults on demand, TLS good and bad, and AUTH.

    server.py DIRECTORY [--tls none|starttls|smtps] [--certificate good|self-signed|expired|wrong-name]
                        [--login USER:PASSWORD]

Prints {"port": N} when it listens, then one JSON line a mail kept ({"mail": "000001.eml", "from": …, "to": […]}) and one
a fault that struck. Mails lie in DIRECTORY as .eml files; the private CA that signs the good certificate is ca.pem there.
Stops on SIGTERM and when stdin closes.

A fault is named by a recipient's local part (up to a "+"), or by DIRECTORY/faults.json, a list that is used up:
    [{"to": "duty@tai-chi.example", "times": 2, "fault": "data-450"}]        ("to": "*" is anybody)
    rcpt-NNN   this reply to RCPT TO                 data-NNN   this reply after the final dot; nothing is kept
    lost-unkept, lost-kept   the connection is cut after the final dot, the mail not kept / kept
    slow-SECONDS   the mail is kept, the 250 comes only so much later
A 421 closes the connection too.
"""

import argparse
import asyncio
import datetime
import ipaddress
import json
import os
import signal
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TEXTS = {"4": "4.2.0 Come again later", "5": "5.1.1 There is no such mailbox"}


def say(**words):
    print(json.dumps(words), flush=True)


class Catcher:
    """Keeps mails as files and lets faults strike."""

    def __init__(self, directory):
        self.directory = directory
        self.count = 0

    def fault(self, address, stages):
        named = address.split("@")[0].split("+")[0].lower()
        if named.split("-")[0] in stages:
            return named
        path = self.directory / "faults.json"
        armed = json.loads(path.read_text()) if path.exists() else []
        for one in armed:
            meets = one["to"] in ("*", address)
            if meets and one.get("times", 1) > 0 and one["fault"].split("-")[0] in stages:
                one["times"] = one.get("times", 1) - 1
                write_whole(path, json.dumps(armed).encode())
                return one["fault"]
        return None

    async def handle_RCPT(self, server, session, envelope, address, options):
        fault = self.fault(address, {"rcpt"})
        if fault:
            say(fault=fault, to=address)
            return await refuse(server, fault.split("-")[1])
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        found = (self.fault(to, {"data", "lost", "slow"}) for to in envelope.rcpt_tos)
        fault = next(filter(None, found), None)
        kind, _, detail = (fault or "").partition("-")
        if kind == "data":
            say(fault=fault)
            return await refuse(server, detail)
        if fault != "lost-unkept":
            self.keep(envelope)
        if kind == "lost":
            say(fault=fault)
            server.transport.abort()
        if kind == "slow":
            say(fault=fault)
            await asyncio.sleep(float(detail))
        return "250 2.0.0 Kept"

    def keep(self, envelope):
        self.count += 1
        name = f"{self.count:06}.eml"
        write_whole(self.directory / name, envelope.original_content)
        say(mail=name, **{"from": envelope.mail_from}, to=envelope.rcpt_tos)


async def refuse(server, code):
    reply = f"{code} {TEXTS.get(code[0], '5.0.0 No')}"
    if code == "421":
        await server.push(reply)
        server.transport.close()
    return reply


def write_whole(path, content):
    """A reader sees all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, path)


def certificate(name, issuer, issuer_key, key, days, authority):
    """One certificate; `issuer` and `issuer_key` are its own for one that signs itself."""
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName(name)] + ([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if name == "localhost" else [])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def tls_context(directory, kind):
    """A server's TLS with the certificate asked for; the private CA's own certificate is left in ca.pem."""
    pem = serialization.Encoding.PEM
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test-ca.example")])
    ca = certificate("test-ca.example", ca_name, ca_key, ca_key, 1, True)
    write_whole(directory / "ca.pem", ca.public_bytes(pem))
    if kind == "self-signed":
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        leaf = certificate("localhost", own, key, key, 1, False)
    else:
        name = "elsewhere.example" if kind == "wrong-name" else "localhost"
        leaf = certificate(name, ca.subject, ca_key, key, -1 if kind == "expired" else 1, False)
    chain = directory / "server.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    write_whole(chain, private + leaf.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def authenticator(login):
    user, _, password = login.partition(":")
    expected = LoginPassword(user.encode(), password.encode())
    return lambda server, session, envelope, mechanism, said: AuthResult(success=said == expected, handled=False)


async def main():
    arguments = argparse.ArgumentParser(description="aiosmtpd with faults on demand")
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("--tls", choices=["none", "starttls", "smtps"], default="none")
    arguments.add_argument("--certificate", choices=["good", "self-signed", "expired", "wrong-name"], default="good")
    arguments.add_argument("--login", metavar="USER:PASSWORD")
    chosen = arguments.parse_args()
    chosen.directory.mkdir(parents=True, exist_ok=True)
    context = tls_context(chosen.directory, chosen.certificate) if chosen.tls != "none" else None
    settings = {"enable_SMTPUTF8": True, "hostname": "aiosmtpd.example"}
    if chosen.tls == "starttls":
        settings |= {"tls_context": context, "require_starttls": True}
    if chosen.login:
        settings |= {"authenticator": authenticator(chosen.login), "auth_required": True}
        settings |= {"auth_require_tls": chosen.tls == "starttls"}
    catcher = Catcher(chosen.directory)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.run_in_executor(None, lambda: (sys.stdin.read(), loop.call_soon_threadsafe(over.set)))
    server = await loop.create_server(
        lambda: SMTP(catcher, loop=loop, **settings),
        "127.0.0.1",
        0,
        ssl=context if chosen.tls == "smtps" else None,
    )
    say(port=server.sockets[0].getsockname()[1])
    await over.wait()
    server.close()
    # The thread that reads stdin may still wait for it.
    os._exit(0)


asyncio.run(main())
