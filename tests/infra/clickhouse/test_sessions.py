"""Sessions: temporary tables, settings and the current database, kept between requests."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any

import httpx
import pytest

from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers


@pytest.fixture
def session() -> dict[str, str]:
    return {"session_id": secrets.token_hex(8), "session_timeout": "30"}


def test_a_session_keeps_its_temporary_tables(endpoint: Endpoint) -> None:
    client = endpoint.client(session_id=secrets.token_hex(8))
    client.command("CREATE TEMPORARY TABLE scratch (n Int64)")
    client.insert("scratch", [[1], [2]], column_names=["n"])

    assert client.query("SELECT sum(n) FROM scratch").first_row == (3,)
    with endpoint.client() as other, pytest.raises(Exception, match="code: 60"):
        other.query("SELECT * FROM scratch")
    client.close()


def test_a_session_keeps_what_was_set_in_it(http: httpx.Client, session: dict[str, str]) -> None:
    http.post("/", params=session, content="SET max_threads = 3")
    http.post("/", params=session, content="USE system")
    read = "SELECT getSetting('max_threads'), currentDatabase()"
    headers = {"X-ClickHouse-Database": ""}

    assert http.post("/", params=session, content=read, headers=headers).text == "3\tsystem\n"


def test_what_the_url_sets_is_over_with_its_request(http: httpx.Client, session: dict[str, str]) -> None:
    http.post("/", params=session, content="SET max_threads = 3")
    read = "SELECT getSetting('max_threads'), getSetting('max_block_size'), currentDatabase()"
    before = http.post("/", params=session, content=read).text

    visit = session | {"max_threads": "5", "max_block_size": "77", "database": "system"}
    assert http.post("/", params=visit, content=read).text == "5\t77\tsystem\n"
    failed = http.post("/", params=visit, content="SELECT no_such_column")

    assert failed.status_code == 404
    assert http.post("/", params=session, content=read).text == before


def test_a_busy_session_is_locked(endpoint: Endpoint, http: httpx.Client, session: dict[str, str]) -> None:
    def post(sql: str) -> httpx.Response:
        return httpx.post(
            endpoint.url, params=session, content=sql, auth=("writer", endpoint.users["writer"]), timeout=30
        )

    def sleep() -> None:
        while post("SELECT sleep(2)").status_code != 200:
            pass

    slow = threading.Thread(target=sleep)
    slow.start()
    code = None
    while code != "373" and slow.is_alive():
        code = http.post("/", params=session, content="SELECT 1").headers.get("X-ClickHouse-Exception-Code")
    slow.join()

    assert code == "373"
    assert http.post("/", params=session, content="SELECT 1").text == "1\n"


def test_a_session_can_be_asked_to_exist(http: httpx.Client, session: dict[str, str]) -> None:
    missing = http.post("/", params=session | {"session_check": "1"}, content="SELECT 1")
    http.post("/", params=session, content="SELECT 1")
    there = http.post("/", params=session | {"session_check": "1"}, content="SELECT 1")

    assert missing.headers["X-ClickHouse-Exception-Code"] == "372"
    assert there.text == "1\n"


def test_an_idle_session_ends(owner: Endpoint, http: httpx.Client, session: dict[str, str]) -> None:
    http.post("/", params=session | {"session_timeout": "1"}, content="SET max_threads = 3")
    time.sleep(1.5)
    answer = http.post("/", params=session | {"session_check": "1"}, content="SELECT 1")

    assert answer.headers["X-ClickHouse-Exception-Code"] == "372"


def test_a_session_can_be_closed(http: httpx.Client, session: dict[str, str]) -> None:
    http.post("/", params=session, content="CREATE TEMPORARY TABLE scratch (n Int64)")
    http.post("/", params=session | {"close_session": "1"}, content="SELECT 1")

    assert http.post("/", params=session, content="SELECT * FROM scratch").status_code == 404


def test_sessions_of_one_name_but_two_users_are_two(endpoint: Endpoint) -> None:
    name = secrets.token_hex(8)
    writer, admin = endpoint.client(session_id=name), endpoint.client("admin", session_id=name)
    writer.command("CREATE TEMPORARY TABLE mine (n Int64)")

    with pytest.raises(Exception, match="code: 60"):
        admin.query("SELECT * FROM mine")
    writer.close()
    admin.close()


def test_without_a_session_nothing_is_kept(http: httpx.Client) -> None:
    http.post("/", content="SET max_threads = 3")
    http.post("/", content="CREATE TEMPORARY TABLE scratch (n Int64)")

    assert http.post("/", content="SELECT getSetting('max_threads')").text != "3\n"
    assert http.post("/", content="SELECT * FROM scratch").status_code == 404


def test_a_bad_timeout_is_refused(http: httpx.Client, session: dict[str, Any]) -> None:
    assert http.post("/", params=session | {"session_timeout": "99999"}, content="SELECT 1").status_code == 400
