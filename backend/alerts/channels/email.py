"""Sends mail through a server with STARTTLS, TLS from the start, or neither; certificates are verified."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from backend.alerts.channels.letter import Letter, NotDelivered

TIMEOUT_S = 20.0


def send(letter: Letter, config: dict[str, Any], secret: dict[str, Any], context: ssl.SSLContext | None = None) -> None:
    """`config` is that of Email without its password, which `secret` has. Raises NotDelivered."""
    try:
        with _connected(config, context or ssl.create_default_context()) as server:
            if config["username"]:
                server.login(config["username"], secret["password"])
            server.send_message(_mail(letter, config))
    except smtplib.SMTPResponseException as fault:
        raise NotDelivered(f"the mail server answered {fault.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as fault:
        raise NotDelivered(f"the mail server cannot be used: {type(fault).__name__}") from None


@contextmanager
def _connected(config: dict[str, Any], context: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    host, port, security = config["host"], config["port"], config["security"]
    if security == "tls":
        with smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context) as server:
            yield server
        return
    with smtplib.SMTP(host, port, timeout=TIMEOUT_S) as server:
        if security == "starttls":
            server.starttls(context=context)
        yield server


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
