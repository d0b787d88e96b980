"""Reports and alerts reach a local webhook and a local mail server, and say so when nobody takes them."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from email import message_from_string
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from batch.docs import docs_server
from batch.gate import GateReport
from batch.notify import NotTold, send_alert, send_report
from batch.publication import Publication
from batch.reconcile import LIMIT, Reconciliation
from batch.report import QualityReport, keep, newest_gates
from infra.settings import LOOPBACK, Notify, Smtp
from schemas.checks import Severity
from schemas.gates import Check

DAY = date(2026, 3, 2)


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Hook(BaseHTTPRequestHandler):
    """Takes what is posted, after refusing as often as it is told."""

    taken: list[dict[str, Any]]
    refusals = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = type(self)
        kind.refusals -= 1
        self.send_response(503 if kind.refusals >= 0 else 200)
        self.end_headers()
        if kind.refusals < 0:
            kind.taken.append(json.loads(body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Quiet."""


class Mail(socketserver.StreamRequestHandler):
    """The few words of SMTP that a client needs (RFC 5321)."""

    taken: list[str]

    def handle(self) -> None:
        self.say("220 ready")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self.say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                type(self).taken.append("".join(lines))
                self.say("250 taken")
            elif line.upper() == "QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")
        return None

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.taken, Hook.refusals = [], 0
    server = ThreadingHTTPServer((LOOPBACK, 0), Hook)
    with serving(server):
        yield f"http://{LOOPBACK}:{server.server_port}/hook"


@pytest.fixture
def mail() -> Iterator[Smtp]:
    Mail.taken = []
    server = socketserver.ThreadingTCPServer((LOOPBACK, 0), Mail)
    with serving(server):
        yield Smtp(host=LOOPBACK, port=server.server_address[1], starttls=False, recipients=("on-call@example.org",))


@pytest.fixture
def report(tmp_path: Path) -> QualityReport:
    """A day that passed its gate with a warning, is published, and of which the speed layer lost a group."""
    late = Check("fresh", Severity.WARN, "the last record is near midnight", False, 0, "9 hours before")
    folder = tmp_path / "gate" / "events" / str(DAY) / "11"
    gate = GateReport.of("events", DAY, 11, 3, [late], str(folder / "docs"))
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "index.html").write_text("<h1>docs</h1>")
    (folder / "report.json").write_text(gate.to_json())
    published = Publication("events", DAY, 4, "p", 77, 1, {0: 5}, 11, False, "x")
    check = LIMIT.judge(1, 100)
    compared = Reconciliation(
        "events", DAY, 77, {}, 0, 100, 99, 0, 1, 0, 0.02, ("sessions of t s: speed 0, batch 1",), check
    )
    return keep(
        QualityReport(
            DAY,
            newest_gates(tmp_path, DAY, ["events"]),
            {"events": published},
            tmp_path / "reports" / str(DAY),
            {"daily_metrics": [{"tenant_id": "t", "sessions": 3, "conversion_rate": 1 / 3}]},
            {"events": compared},
            "http://docs.example.org",
        )
    )


def test_the_report_goes_to_a_webhook_with_numbers_gates_reconciliation_and_links(
    hook: str, report: QualityReport
) -> None:
    assert report.complete
    assert send_report(Notify(webhook=hook), report) == (hook,)
    (taken,) = Hook.taken
    assert (taken["day"], taken["complete"]) == ("2026-03-02", True)
    for line in (
        "| t | 3 | 0.3333 |",
        "warn: the last record is near midnight (9 hours before)",
        "of 100 groups 0 differ, 1 missing, 0 extra; SMAPE 0.0200",
        "sessions of t s: speed 0, batch 1",
        "publication 4: version 77",
        "http://docs.example.org/gate/events/2026-03-02/11/docs/index.html",
        "http://docs.example.org/reports/2026-03-02/report.md",
    ):
        assert line in taken["text"]


def test_the_report_goes_by_mail(mail: Smtp, report: QualityReport) -> None:
    assert send_report(Notify(smtp=mail), report) == (f"{mail.host}:{mail.port}",)
    (taken,) = Mail.taken
    message = message_from_string(taken, policy=default)
    assert (message["Subject"], message["To"]) == ("Rivermeet 2026-03-02: whole", "on-call@example.org")
    assert message.get_content().replace("\r\n", "\n") == report.to_markdown()


def test_an_alert_goes_both_ways_and_is_tried_again(hook: str, mail: Smtp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.notify.time.sleep", lambda _seconds: None)
    Hook.refusals = 2
    assert len(send_alert(Notify(webhook=hook, smtp=mail), "load_to_warehouse failed")) == 2
    assert [taken["text"] for taken in Hook.taken] == ["load_to_warehouse failed"]
    assert "load_to_warehouse failed" in Mail.taken[0]
    Hook.refusals = 3
    with pytest.raises(NotTold):
        send_alert(Notify(webhook=hook), "again")


def test_nobody_is_told_where_nobody_is_named(report: QualityReport) -> None:
    assert send_report(Notify(), report) == ()


def test_reports_and_data_docs_are_served_and_nothing_else(report: QualityReport) -> None:
    state = report.folder.parents[1]
    (state / "secret.txt").write_text("no")
    server = docs_server(state, 0)
    with serving(server), httpx.Client(base_url=f"http://{LOOPBACK}:{server.server_port}") as client:
        assert client.get("/gate/events/2026-03-02/11/docs/index.html").text == "<h1>docs</h1>"
        assert client.get("/reports/2026-03-02/report.md").text == report.to_markdown()
        for path in ("/secret.txt", "/reports/../secret.txt", "/"):
            assert client.get(path).text != "no"
            assert "secret" not in client.get(path).text
