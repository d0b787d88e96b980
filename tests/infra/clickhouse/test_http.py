"""The HTTP interface as curl, Grafana and other clients of it know it."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import httpx
import lz4.frame
import pytest
import zstandard

from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_liveness_needs_no_login(endpoint: Endpoint, path: str) -> None:
    answer = httpx.get(endpoint.url.rstrip("/") + path)

    assert (answer.status_code, answer.text) == (200, "Ok.\n")


def test_other_paths_are_not_found(endpoint: Endpoint) -> None:
    assert httpx.get(endpoint.url + "nowhere").status_code == 404


def test_a_query_may_be_in_the_url_in_the_body_or_in_both(http: httpx.Client) -> None:
    assert http.get("/", params={"query": "SELECT 1"}).text == "1\n"
    assert http.post("/", content="SELECT 2;").text == "2\n"
    assert http.post("/", params={"query": "SELECT"}, content="3").text == "3\n"


def test_the_format_comes_from_the_statement_the_url_or_a_header(http: httpx.Client) -> None:
    stated = http.post("/", content="SELECT 1 AS a FORMAT JSONEachRow -- so", params={"default_format": "CSV"})
    asked = http.post("/", content="SELECT 1 AS a", params={"default_format": "CSVWithNames"})
    by_header = http.post("/", content="SELECT 1 AS a", headers={"X-ClickHouse-Format": "JSONCompactEachRow"})

    assert stated.text == '{"a":1}\n'
    assert stated.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert stated.headers["Content-Type"].startswith("application/x-ndjson")
    assert asked.text == '"a"\n1\n'
    assert by_header.text == "[1]\n"


@pytest.mark.parametrize("sql", ["SELECT 1 AS x FORMAT JSON", "SELECT 1 AS x WHERE 0 FORMAT JSON"])
def test_json_is_one_whole_document(http: httpx.Client, sql: str) -> None:
    answer = http.post("/", content=sql)

    assert [column["name"] for column in answer.json()["meta"]] == ["x"]
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'FORMAT CSV' AS format FORMAT TSV",
        "SELECT 'FORMAT CSV' AS format FORMAT TSV SETTINGS max_threads = 1",
        "/* FORMAT CSV */ SELECT 'FORMAT CSV' AS format FORMAT TSV; -- FORMAT CSV",
        "(SELECT 'FORMAT CSV' AS format) FORMAT TSV",
        "WITH 'FORMAT CSV' AS format SELECT format",
        "SELECT format FROM (SELECT 'FORMAT CSV' AS format) SETTINGS max_threads = 1",
        "SELECT format('{} {}', 'FORMAT', 'CSV') # format CSV",
    ],
)
def test_the_format_clause_is_found_wherever_it_is(http: httpx.Client, sql: str) -> None:
    answer = http.post("/", content=sql)

    assert answer.text == "FORMAT CSV\n"


def test_headers_tell_about_the_query(http: httpx.Client) -> None:
    answer = http.post("/", content="SELECT number FROM numbers(10)", params={"query_id": "mine"})

    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert int(json.loads(answer.headers["X-ClickHouse-Summary"])["result_rows"]) == 10


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "deflate", "br"])
def test_answers_are_compressed_when_asked_for(http: httpx.Client, encoding: str) -> None:
    with http.stream(
        "POST",
        "/",
        content="SELECT number FROM numbers(100000) FORMAT TSV",
        params={"enable_http_compression": "1"},
        headers={"Accept-Encoding": encoding},
    ) as answer:
        raw = b"".join(answer.iter_raw())

    assert answer.headers["Content-Encoding"] == encoding
    assert len(raw) < 400_000
    if encoding == "zstd":
        assert zstandard.ZstdDecompressor().stream_reader(raw).read().startswith(b"0\n1\n")
    if encoding == "lz4":
        assert lz4.frame.decompress(raw).endswith(b"99999\n")


def test_nothing_is_compressed_unasked(http: httpx.Client) -> None:
    answer = http.post("/", content="SELECT 1", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("encoding", "pressed"),
    [
        ("gzip", gzip.compress(b"1\ta\n2\tb\n")),
        ("deflate", zlib.compress(b"1\ta\n2\tb\n")),
        ("zstd", zstandard.compress(b"1\ta\n2\tb\n")),
        ("lz4", lz4.frame.compress(b"1\ta\n2\tb\n")),
        ("", b"1\ta\n2\tb\n"),
    ],
    ids=["gzip", "deflate", "zstd", "lz4", "plain"],
)
def test_bodies_may_be_compressed(http: httpx.Client, table: str, encoding: str, pressed: bytes) -> None:
    answer = http.post(
        "/",
        params={"query": f"INSERT INTO {table} FORMAT TabSeparated"},
        content=pressed,
        headers={"Content-Encoding": encoding} if encoding else {},
    )

    assert answer.status_code == 200, answer.text
    assert http.post("/", content=f"SELECT sum(n) FROM {table}").text == "3\n"


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("INSERT INTO {t} FORMAT CSV", b"1,a\n2,b\n"),
        ("INSERT INTO {t} FORMAT CSV\n", b"1,a\n2,b\n"),
        ("", b"INSERT INTO {t} FORMAT CSV\n1,a\n2,b\n"),
        ("", b"insert into {t} (n, word) format CSV 1,a\n2,b\n"),
        ("INSERT INTO {t}", b"VALUES (1, 'a'), (2, 'b')"),
        ("INSERT INTO {t} (n, word)", b"FORMAT CSV\r\n1,a\r\n2,b\r\n"),
        ("INSERT INTO {t} VALUES", b"(1, 'a'), (1 + 1, 'b')"),
        ("", b"/* INSERT INTO other */ INSERT INTO TABLE rivermeet.{t} VALUES (1, 'VALUES'), (2, 'FORMAT CSV');"),
        ("", b"-- first\nINSERT INTO {t} SETTINGS max_insert_threads = 1 FORMAT CSV 1,a\n2,b\n"),
        ("", b"INSERT INTO {t} SELECT number + 1, 'x' FROM numbers(2)"),
        ("", b"INSERT INTO {t} (n) (SELECT 1 UNION ALL SELECT 2)"),
        ("", b"INSERT INTO {t} (n) WITH [1, 2] AS a SELECT arrayJoin(a)"),
    ],
)
def test_an_insert_may_be_cut_anywhere(http: httpx.Client, table: str, url: str, body: bytes) -> None:
    parameters = {"query": url.replace("{t}", table)} if url else {}

    answer = http.post("/", params=parameters, content=body.replace(b"{t}", table.encode()))

    assert (answer.status_code, answer.text) == (200, "")
    assert http.post("/", content=f"SELECT count(), sum(n) FROM {table}").text == "2\t3\n"


def test_an_insert_may_take_parameters(http: httpx.Client, table: str) -> None:
    http.post("/", params={"param_w": "it's"}, content=f"INSERT INTO {table} VALUES (1, {{w:String}})")
    left = http.post("/", content=f"INSERT INTO {table} VALUES (1, {{w:String}})")

    assert http.post("/", content=f"SELECT word FROM {table}").text == "it\\'s\n"
    assert left.status_code != 200


def test_parameters_come_in_the_url(http: httpx.Client) -> None:
    answer = http.get(
        "/", params={"query": "SELECT {a:Array(Int32)}, {b:String}", "param_a": "[1,2]", "param_b": "x\\ty"}
    )

    assert answer.text == "[1,2]\tx\\ty\n"


def test_settings_come_in_the_url(http: httpx.Client) -> None:
    sql = "SELECT getSetting('max_threads')"

    assert http.post("/", params={"max_threads": "1"}, content=f"# c\n{sql}").text == "1\n"
    assert http.post("/", params={"max_threads": "7"}, content=f"/* c */{sql}").text == "7\n"
    unknown = http.post("/", params={"max_thread": "1"}, content=sql)
    assert (unknown.status_code, unknown.headers["X-ClickHouse-Exception-Code"]) == (404, "115")


def test_the_database_comes_in_the_url_or_a_header(http: httpx.Client) -> None:
    sql = "SELECT currentDatabase()"

    assert http.post("/", content=sql).text == "rivermeet\n"
    assert http.post("/", params={"database": "default"}, content=sql).text == "default\n"
    assert http.post("/", params={"database": "nowhere"}, content=sql).status_code == 404


def test_get_only_reads(http: httpx.Client, table: str) -> None:
    answer = http.get("/", params={"query": f"INSERT INTO {table} VALUES (1, 'a')"})

    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "0\n"


def test_a_chunked_body_is_inserted(http: httpx.Client, table: str) -> None:
    pieces = (b"%d\tword\n" % n for n in range(20_000))

    answer = http.post("/", params={"query": f"INSERT INTO {table} FORMAT TSV"}, content=pieces)

    assert answer.status_code == 200
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "20000"


def test_a_long_statement_is_taken_when_the_caller_allows_it(http: httpx.Client) -> None:
    sql = f"SELECT length('{'x' * 1_000_000}')"

    assert http.post("/", content=sql).headers["X-ClickHouse-Exception-Code"] == "62"
    assert http.post("/", params={"max_query_size": str(4 << 20)}, content=sql).text == "1000000\n"


def test_what_is_not_served_is_refused_with_a_reason(http: httpx.Client, owner: Endpoint) -> None:
    external = http.post("/", params={"query": "SELECT * FROM e"}, files={"e": b"1\n"})
    blocks = http.post("/", params={"query": "SELECT 1", "compress": "1"})

    assert external.status_code == blocks.status_code == 501
    assert "temporary table" in external.text


def test_nothing_is_left_in_the_spill_folder(http: httpx.Client, table: str, spill: Path) -> None:
    parquet = http.post("/", content="SELECT toInt64(number) AS n, '' AS word FROM numbers(10) FORMAT Parquet").content
    http.post("/", params={"query": f"INSERT INTO {table} FORMAT Parquet"}, content=parquet)
    http.post("/", params={"wait_end_of_query": "1"}, content="SELECT number FROM numbers(3000000)")

    assert http.post("/", content=f"SELECT sum(n) FROM {table}").text == "45\n"
    assert list(spill.iterdir()) == []
