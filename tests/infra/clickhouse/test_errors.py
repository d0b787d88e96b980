"""Errors are ClickHouse's: their codes, their texts, the HTTP status, also when rows are already on their way."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import lz4.frame
import pytest
import zstandard
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from infra.clickhouse.errors import QueryError
from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("SELEKT 1", 62, 400),
        ("SELECT 1; SELECT 2", 62, 400),
        ("SELECT * FROM nowhere", 60, 404),
        ("SELECT no_such_column FROM numbers(1)", 47, 404),
        ("SELECT no_such_function(1)", 46, 404),
        ("SELECT 1 FORMAT Nothing", 73, 404),
        ("SELECT throwIf(1, 'on purpose')", 395, 500),
        ("SELECT toInt8('x')", 6, 400),
        ("SELECT 1 SETTINGS no_such_setting = 1", 115, 404),
        ("SELECT sleep(3) SETTINGS max_execution_time = 1", 159, 408),
        ("SELECT count() FROM numbers(10000000) GROUP BY number SETTINGS max_memory_usage = 1000000", 241, 500),
        ("SELECT number FROM numbers(100) SETTINGS max_result_rows = 10", 396, 500),
        ("SELECT {x:Int32}", 456, 500),
        ("CREATE TABLE x (a Int8) ENGINE = NoSuchEngine", 497, 403),
    ],
)
def test_errors_carry_code_and_status(http: httpx.Client, sql: str, code: int, status: int) -> None:
    answer = http.post("/", content=sql)

    assert answer.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert answer.status_code == status
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


@pytest.mark.parametrize(
    ("user", "password"), [("writer", "wrong"), ("nobody", ""), ("default", ""), ("writer", ""), ("", "")]
)
def test_a_wrong_login_is_refused(endpoint: Endpoint, user: str, password: str) -> None:
    answers = [
        httpx.post(endpoint.url, content="SELECT 1", auth=(user, password)),
        httpx.post(endpoint.url, content="SELECT 1", headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password}),
        httpx.post(endpoint.url, content="SELECT 1", params={"user": user, "password": password}),
    ]

    for answer in answers:
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        assert "Authentication failed" in answer.text


def test_a_login_may_be_given_in_three_ways(endpoint: Endpoint) -> None:
    password = endpoint.users["analyst"]
    answers = [
        httpx.post(endpoint.url, content="SELECT 1", auth=("analyst", password)),
        httpx.post(
            endpoint.url, content="SELECT 1", headers={"X-ClickHouse-User": "analyst", "X-ClickHouse-Key": password}
        ),
        httpx.post(endpoint.url, content="SELECT 1", params={"user": "analyst", "password": password}),
    ]

    assert [answer.text for answer in answers] == ["1\n"] * 3


def test_bad_data_is_an_error_and_inserts_nothing(http: httpx.Client, table: str) -> None:
    answer = http.post("/", params={"query": f"INSERT INTO {table} FORMAT CSV"}, content=b"1,a\nno number,b\n")

    assert answer.status_code == 400
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "0\n"


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
def test_a_broken_encoding_is_an_error(http: httpx.Client, table: str, encoding: str) -> None:
    answer = http.post(
        "/",
        params={"query": f"INSERT INTO {table} FORMAT CSV"},
        content=b"this is not compressed",
        headers={"Content-Encoding": encoding},
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, lz4.frame.compress])
def test_a_body_that_was_cut_short_inserts_nothing(http: httpx.Client, table: str, compress: Any) -> None:
    body = compress(b"".join(b"%d,word\n" % n for n in range(10_000)))
    encoding = {gzip.compress: "gzip", zstandard.compress: "zstd"}.get(compress, "lz4")

    answer = http.post(
        "/",
        params={"query": f"INSERT INTO {table} FORMAT CSV"},
        content=body[: len(body) // 2],
        headers={"Content-Encoding": encoding},
    )

    assert answer.status_code == 400
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "0\n"


LATE = (
    "SELECT throwIf(number = 20000000, 'late') AS bad, toString(number) FROM numbers(30000000) SETTINGS max_threads = 1"
)


@pytest.mark.parametrize("compress", [False, "lz4"])
def test_an_error_in_the_middle_of_a_result_is_not_taken_for_its_end(endpoint: Endpoint, compress: object) -> None:
    client = endpoint.client(compress=compress)
    with (
        pytest.raises((StreamFailureError, DatabaseError, Exception)) as caught,
        client.query_row_block_stream(LATE) as blocks,
    ):
        for _ in blocks:
            pass
    client.close()

    assert caught.value is not None
    if not compress:
        assert "late" in str(caught.value)


def test_a_held_back_result_fails_as_a_whole(http: httpx.Client) -> None:
    answer = http.post("/", params={"wait_end_of_query": "1"}, content=LATE)

    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "395")


def test_the_engines_text_is_found_in_what_the_binding_says() -> None:
    error = QueryError.from_engine("Streaming insert finish failed: Code: 27. DB::Exception: Cannot parse. (X)")

    assert (error.code, error.status) == (27, 400)
    assert error.message.startswith("Code: 27. ")
    assert QueryError.from_engine("something else").code == 1002
