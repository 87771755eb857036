"""A mail server on loopback for one test: aiosmtpd, with what it took in a folder, one file a mail.

Arguments: the folder and the port, then `plain`, `starttls` or `tls`, and for the last two a certificate and its key;
then a user and a password, where somebody must log in. Prints a line once it listens.
"""

import json
import ssl
import sys
import time
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

folder, port, kind, certificate, key, user, password = sys.argv[1:8]


class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 there is no such mailbox"
        if address.startswith("busy@"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        Handler.count += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or kind == "tls",
            "authenticated": bool(session.authenticated),
            "text": envelope.content.decode("utf-8", "surrogateescape"),
        }
        staged = Path(folder, f".{Handler.count}")
        staged.write_text(json.dumps(mail))
        staged.rename(Path(folder, f"{Handler.count}.json"))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login.decode(), data.password.decode()) == (user, password)
    # Not handled: the server is to answer.
    return AuthResult(success=right, handled=False)


context = None
if kind != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
controller = Controller(
    Handler(),
    hostname="127.0.0.1",
    port=int(port),
    ssl_context=context if kind == "tls" else None,
    tls_context=context if kind == "starttls" else None,
    require_starttls=kind == "starttls",
    authenticator=authenticate,
    auth_required=bool(user),
    auth_require_tls=kind == "starttls",
)
controller.start()
print("ready", flush=True)
while True:
    time.sleep(3600)
