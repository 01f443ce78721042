"""A mail server for tests: writes each mail that it takes into a folder.

Arguments: the folder, the port that begins in the clear (STARTTLS), the port of TLS, the
certificate's file, its key's file, user, password.

Recipients say how they want to be refused: `450.anything@…` is answered 450, `once.450.anything@…`
so the first time only, `data.554.anything@…` when the mail itself was sent, `hang.anything@…` not
at all.
"""

import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, clear_port, tls_port, certificate, key, user, password = sys.argv[1:]


class Handler:
    def __init__(self):
        self.taken = len(os.listdir(folder))
        self.seen = set()

    def answer(self, recipient, prefix):
        words = recipient.split("@")[0].split(".")
        if prefix:
            if words[0] != prefix:
                return None
            words = words[1:]
        code = words[0]
        if len(code) == 3 and code.isdigit():
            return f"{code} {recipient} wants this answer"
        return None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("hang."):
            await asyncio.Event().wait()
        refusal = self.answer(address, None)
        if refusal is None and address not in self.seen:
            self.seen.add(address)
            refusal = self.answer(address, "once")
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            refusal = self.answer(recipient, "data")
            if refusal is not None:
                return refusal
        self.taken += 1
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        lines = [f"from {envelope.mail_from}\n"]
        lines += [f"to {recipient}\n" for recipient in envelope.rcpt_tos]
        lines.append(f"tls {encrypted}\nuser {session.auth_data}\n\n")
        path = os.path.join(folder, f"{self.taken:06}")
        with open(path + ".part", "wb") as file:
            file.write("".join(lines).encode() + envelope.content)
        os.rename(path + ".part", path + ".mail")
        return f"250 taken as {self.taken}"


def authenticate(server, session, envelope, mechanism, data):
    name, secret = data.login.decode(), data.password.decode()
    right = name == user and secret == password
    return AuthResult(success=right, handled=False, auth_data=name if right else None)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = Handler()
    options = dict(
        hostname="localhost",
        authenticator=authenticate,
        auth_required=True,
        enable_SMTPUTF8=True,
    )
    loop = asyncio.get_running_loop()
    begins_clear = lambda: SMTP(handler, tls_context=context, require_starttls=True, **options)
    in_tls = lambda: SMTP(handler, auth_require_tls=False, **options)
    first = await loop.create_server(in_tls, "127.0.0.1", int(tls_port), ssl=context)
    second = await loop.create_server(begins_clear, "127.0.0.1", int(clear_port))
    await asyncio.gather(first.serve_forever(), second.serve_forever())


asyncio.run(main())
