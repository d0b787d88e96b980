"""Telling others: the report of a day, or a line about a failure, goes to a webhook, by mail, to both or to nobody."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from infra.settings import Notify, Smtp

if TYPE_CHECKING:
    from batch.report import QualityReport

ATTEMPTS = 3
TIMEOUT_SECONDS = 10.0


class NotTold(Exception):
    """A receiver did not take the message. The report is kept; send it again."""

    def __init__(self, receiver: str, reason: str) -> None:
        super().__init__(f"{receiver} did not take the message ({reason}); run `python -m batch notify` again")
        self.receiver, self.reason = receiver, reason


def send_report(settings: Notify, report: QualityReport) -> tuple[str, ...]:
    """Sends the report to everybody whom the settings name; answers to whom. Raises `NotTold`."""
    word = "whole" if report.complete else "NOT WHOLE"
    more = {"day": report.day.isoformat(), "complete": report.complete}
    return _send(settings, f"Rivermeet {report.day}: {word}", report.to_markdown(), more)


def send_alert(settings: Notify, text: str) -> tuple[str, ...]:
    """Sends a line about something that went wrong. Raises `NotTold`."""
    return _send(settings, "Rivermeet: something failed", text, {})


def _send(settings: Notify, subject: str, text: str, more: Mapping[str, Any]) -> tuple[str, ...]:
    ways: dict[str, Callable[[], None]] = {}
    if settings.webhook:
        ways[settings.webhook] = partial(_post, settings.webhook, {"text": text, **more})
    if settings.smtp.host and settings.smtp.recipients:
        ways[f"{settings.smtp.host}:{settings.smtp.port}"] = partial(_mail, settings.smtp, subject, text)
    for receiver, way in ways.items():
        _retried(receiver, way)
    return tuple(ways)


def _retried(receiver: str, way: Callable[[], None]) -> None:
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(2**attempt - 1)
        try:
            way()
        except (httpx.HTTPError, smtplib.SMTPException, OSError) as error:
            reason = str(error)
        else:
            return
    raise NotTold(receiver, reason)


def _post(webhook: str, body: Mapping[str, Any]) -> None:
    """The form of Slack's incoming webhooks, which read `text` and leave the rest to others."""
    httpx.post(webhook, json=body, timeout=TIMEOUT_SECONDS).raise_for_status()


def _mail(smtp: Smtp, subject: str, text: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, smtp.sender, ", ".join(smtp.recipients)
    message.set_content(text)
    with smtplib.SMTP(smtp.host, smtp.port, timeout=TIMEOUT_SECONDS) as server:
        if smtp.starttls:
            server.starttls()
        if smtp.user:
            server.login(smtp.user, smtp.password.get_secret_value())
        server.send_message(message)
