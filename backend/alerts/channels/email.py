"""Sends mail through a server with STARTTLS, TLS from the start, or neither; certificates are verified."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import closing, suppress
from email.message import EmailMessage
from typing import Any

from backend.alerts.channels.letter import Letter, NotDelivered

TIMEOUT_S = 20.0


def send(letter: Letter, config: dict[str, Any], secret: dict[str, Any]) -> str:
    """`config` is that of Email without its password, which `secret` has. Which recipients the server refused, "" where
    it took all. Raises NotDelivered where it took none."""
    context = ssl.create_default_context()
    try:
        with closing(_connected(config, context)) as server:
            if config["security"] == "starttls":
                server.starttls(context=context)
            if config["username"]:
                server.login(config["username"], secret["password"])
            refused = server.send_message(_mail(letter, config))
            _leave(server)
    except smtplib.SMTPResponseException as fault:
        raise NotDelivered(f"the mail server answered {fault.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as fault:
        raise NotDelivered(f"the mail server cannot be used: {type(fault).__name__}") from None
    return f"refused for: {', '.join(sorted(refused))}" if refused else ""


def _connected(config: dict[str, Any], context: ssl.SSLContext) -> smtplib.SMTP:
    if config["security"] == "tls":
        return smtplib.SMTP_SSL(config["host"], config["port"], timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(config["host"], config["port"], timeout=TIMEOUT_S)


def _leave(server: smtplib.SMTP) -> None:
    """What was taken is taken: whatever becomes of the farewell, it is no reason to send the mail again."""
    with suppress(OSError):  # smtplib's own errors are of this kind
        server.quit()


def _mail(letter: Letter, config: dict[str, Any]) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = config["sender"]
    mail["To"] = ", ".join(config["recipients"])
    mail["Subject"] = " ".join(f"[Tunedeck] {letter.subject}".split())[:200]
    # The same at every try: mail programs show what comes twice once.
    mail["Message-ID"] = f"<{letter.id}@tunedeck>"
    mail["Tunedeck-Delivery"] = letter.id
    job = letter.message["job"]
    state = f"{job['name']}, {job['state']}, step {job['step']:,} of {job['train_iters']:,}" if job["id"] else ""
    mail.set_content("\n\n".join(filter(None, (letter.subject, state, letter.url))) + "\n")
    return mail
