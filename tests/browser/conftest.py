"""A headless Chromium, and the whole of the stack that the page and the tracker need."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, sync_playwright

from infra.settings import ROOT, Settings
from infra.stack.state import free_port
from tests.support.stack import RunStack

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_S, PAGE_MS = 120.0, 120_000


def _launched(playwright: Playwright) -> Browser:
    """The system's Chromium, else the one that playwright fetched; skips, saying so, where there is neither."""
    installed = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
    try:
        return playwright.chromium.launch(executable_path=installed, args=FLAGS)
    except Error as error:
        pytest.skip(f"browser tests are skipped: no Chromium can be started (`make browser` installs one): {error}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ended with these tests: while it is open a loop runs in this thread, and no other test could run one."""
    with sync_playwright() as playwright:
        started = _launched(playwright)
        yield started
        started.close()


@dataclass
class Shop:
    """The API as a process of its own on the stack of the run; it can be ended and started again on its port."""

    settings: Settings
    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return self.settings.api.key.get_secret_value()

    def start(self) -> None:
        environment = os.environ | {"RIVERMEET_HOME": str(self.home), "RIVERMEET_API__PORT": str(self.port)}
        self.process = subprocess.Popen([sys.executable, "-m", "serving.api"], cwd=ROOT, env=environment)
        deadline = time.monotonic() + START_S
        while True:
            try:
                httpx.get(f"{self.url}/healthz", timeout=5).raise_for_status()
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the API did not start"
                time.sleep(0.2)
            else:
                return

    def end(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)
            self.process = None

    def get(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(f"{self.url}{path}", params=parameters, headers={"X-API-Key": self.key}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, *events: dict[str, Any]) -> None:
        now = round(time.time() * 1000)
        numbered = [{"timestamp": now, "eventId": f"{now}-{n}", **event} for n, event in enumerate(events)]
        answer = httpx.post(
            f"{self.url}/v1/events", json={"events": numbered}, headers={"X-API-Key": self.key}, timeout=60
        )
        assert answer.json()["accepted"] == len(events), answer.text


@pytest.fixture(scope="session")
def shop(run_stack: RunStack) -> Iterator[Shop]:
    settings = run_stack.server("worker", "keyspace")
    made = Shop(settings, run_stack.home, free_port())
    made.start()
    yield made
    made.end()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page; whatever its console calls an error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(PAGE_MS)
    errors: list[str] = []
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.errors = errors  # type: ignore[attr-defined]
    yield opened
    context.close()
    assert errors == []
