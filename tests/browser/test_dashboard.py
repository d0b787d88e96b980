"""The dashboard in a real browser: it says what the API says, moves, comes back, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PAGE_MS, Shop

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
expect.set_options(timeout=PAGE_MS)


@pytest.fixture
def board(page: Page, shop: Shop) -> Page:
    shop.send(
        {"sessionId": "browser-1", "eventType": "page_view", "properties": {"page": "/", "productId": "sku-1"}},
        {"sessionId": "browser-1", "eventType": "add_to_cart", "properties": {"productId": "sku-1"}},
        {"sessionId": "browser-2", "eventType": "page_view", "properties": {"page": "/"}},
    )
    page.goto(f"{shop.url}/#key={shop.key}")
    expect(page.locator("#kpi-visitors .value")).to_have_attribute("data-value", re.compile(r"[1-9]"))
    return page


def value(page: Page, name: str) -> float:
    return float(page.locator(f"#kpi-{name} .value").get_attribute("data-value") or "nan")


def test_what_it_says_is_what_the_api_says(board: Page, shop: Shop) -> None:
    expect(board.locator("#funnel li")).to_have_count(3)
    # The page follows within a second or two of the events; what it shows must come to be what the API says.
    for _ in range(30):
        said = shop.get("/v1/overview")
        expected = {name: said["kpis"][name]["now"] for name in ("visitors", "conversion_rate", "avg_session_seconds")}
        shown = {name: value(board, name) for name in expected}
        if shown == expected:
            break
        board.wait_for_timeout(500)
    assert shown == expected
    today = said["until"][:10]
    (daily,) = shop.get("/v1/metrics/daily", **{"from": today, "to": today})["data"]
    assert (value(board, "visitors"), value(board, "conversion_rate")) == (daily["visitors"], daily["conversion_rate"])
    expect(board.locator("#products .name").first).to_have_text(said["products"][0]["product_id"])
    assert "key=" not in board.url


def test_a_new_event_moves_it(board: Page, shop: Shop) -> None:
    before = value(board, "visitors")
    shop.send({"sessionId": f"browser-new-{before}", "eventType": "page_view", "properties": {"page": "/"}})
    expect(board.locator("#kpi-visitors .value")).to_have_attribute("data-value", f"{before + 1:g}")


def test_charts_are_drawn_and_said_in_words(board: Page) -> None:
    chart = board.locator("#traffic .main-svg").first
    expect(chart).to_be_visible()
    box = chart.bounding_box()
    assert box is not None
    assert box["width"] > 300
    expect(board.locator("#traffic-said")).to_contain_text("Busiest minute")


def test_nothing_serious_stands_in_anybodys_way(board: Page) -> None:
    for theme in ("light", "dark"):
        if theme == "dark":
            board.get_by_role("button", name="Dark colours").click()
        for width in (1280, 390):
            board.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(board).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], (theme, width)
            assert board.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways at {width}, {theme}"


def test_keys_alone_are_enough(board: Page) -> None:
    board.get_by_role("radio", name="Today").focus()
    board.keyboard.press("ArrowRight")
    expect(board.get_by_role("heading", name="Last 7 days")).to_be_visible()


def test_it_comes_back_when_the_server_does(page: Page, shop: Shop, board: Page) -> None:
    shop.end()
    expect(page.locator("#notice")).to_contain_text("Connection lost")
    shop.start()
    expect(page.locator("#notice")).to_be_hidden()
    # That nobody listened is what the browser itself reports.
    lost: Callable[[str], bool] = lambda text: "ERR_" in text  # noqa: E731
    page.errors[:] = [text for text in page.errors if not lost(text)]  # type: ignore[attr-defined]


def test_a_wrong_key_is_told(page: Page, shop: Shop) -> None:
    page.goto(shop.url)
    page.get_by_label("API key").fill("rm_wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#door-error")).to_contain_text("unknown, expired or revoked")
    page.errors.clear()  # type: ignore[attr-defined]


def test_the_page_asks_no_other_host(page: Page, shop: Shop) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{shop.url}/#key={shop.key}")
    expect(page.locator("#kpi-visitors .value")).to_have_attribute("data-value", re.compile(r"\d"))
    assert {url for url in asked if not url.startswith((shop.url, "data:"))} == set()
