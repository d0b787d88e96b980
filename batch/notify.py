"""Telling others of a day: its report goes to a webhook."""

from __future__ import annotations

import time

import httpx

from batch.report import QualityReport

ATTEMPTS = 3
TIMEOUT_SECONDS = 10.0


class WebhookUnavailable(Exception):
    """The webhook did not take the report. The report is kept; send it again."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} did not take the report ({reason}); run `python -m batch notify` again")
        self.url, self.reason = url, reason


def post(webhook: str, report: QualityReport) -> None:
    """Posts the report as JSON with its Markdown as `text`, if there is a webhook. Raises `WebhookUnavailable`."""
    if not webhook:
        return
    body = {"day": report.day.isoformat(), "complete": report.complete, "text": report.to_markdown()}
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(2**attempt - 1)
        try:
            httpx.post(webhook, json=body, timeout=TIMEOUT_SECONDS).raise_for_status()
        except httpx.HTTPError as error:
            reason = str(error)
        else:
            return
    raise WebhookUnavailable(webhook, reason)
