"""The tracker in a real browser, on a page of another origin, with a key that only writes."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from serving.keys import dump, issue
from tests.browser.conftest import Shop

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]


@pytest.fixture
def key(shop: Shop) -> str:
    made, text = issue("acme", datetime.now(UTC), None, token_bytes, ("write",))
    shop.settings.api_keys_file.write_text(dump([made]))
    return text


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address of a web server that serves it."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def write(folder: Path, shop: Shop, key: str, more: str = "") -> None:
    script = f'<script src="{shop.url}/tracker.js" data-key="{key}" {more}></script>'
    (folder / "index.html").write_text(f"<!doctype html><link rel=icon href='data:,'><title>Shop</title>{script}")


# What the browser sends as a beacon is not shown to tests, so the page itself keeps a copy.
_LISTEN = """
const send = navigator.sendBeacon.bind(navigator);
window.sent = [];
navigator.sendBeacon = (url, body) => {
  body.text().then((text) => window.sent.push(...JSON.parse(text).events));
  return send(url, body);
};
"""


def sent(page: Page, count: int) -> list[dict[str, Any]]:
    """The events that the page has sent since it was loaded, once they are so many."""
    found: list[dict[str, Any]] = []
    for _ in range(100):
        found = page.evaluate("window.sent")
        if len(found) >= count:
            break
        page.wait_for_timeout(100)
    return found


def test_what_a_visitor_does_arrives_under_the_keys_tenant(
    page: Page, shop: Shop, key: str, site: tuple[Path, str]
) -> None:
    folder, address = site
    write(folder, shop, key)
    page.add_init_script(_LISTEN)
    page.goto(address)
    page.evaluate("rivermeet.track('add_to_cart', {productId: 'sku-7'})")
    events = sent(page, 2)
    assert [event["eventType"] for event in events] == ["page_view", "add_to_cart"]
    (session,) = {event["sessionId"] for event in events}
    found: list[Any] = []
    for _ in range(100):
        found = [one for one in _sessions(shop, session) if one["events"] == 2]
        if found:
            break
        page.wait_for_timeout(500)
    assert [(one["tenant_id"], one["add_to_carts"]) for one in found] == [("acme", 1)]
    page.reload()
    assert [event["sessionId"] for event in sent(page, 1)] == [session], "the session goes on over pages"


def _sessions(shop: Shop, session: str) -> list[Any]:
    answer = httpx.get(f"{shop.url}/v1/sessions/{session}", headers={"X-API-Key": shop.key}, timeout=60)
    return list(answer.json()["data"]) if answer.status_code == 200 else []


def test_nothing_is_stored_or_sent_before_consent(page: Page, shop: Shop, key: str, site: tuple[Path, str]) -> None:
    folder, address = site
    write(folder, shop, key, 'data-consent="required"')
    page.add_init_script(_LISTEN)
    page.goto(address)
    page.wait_for_timeout(2500)
    assert (page.evaluate("[window.sent.length, localStorage.length]")) == [0, 0]
    page.evaluate("rivermeet.consent(true)")
    assert [event["eventType"] for event in sent(page, 1)] == ["page_view"]
    page.evaluate("rivermeet.consent(false)")
    assert page.evaluate("localStorage.length") == 0
