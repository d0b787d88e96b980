"""What each user may do: the views for analysts, the database for the writer, nothing that would break the store."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.clickhouse.access import ANALYST_VIEWS, server_sql
from serving.hot import VIEWS
from serving.merged import ANALYST
from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers

DENIED = r"code: (497|164|452|36|48|62|60)"


@pytest.fixture(scope="module")
def hidden(client: Any) -> Iterator[str]:
    """A table that analysts cannot see, which no statement of these tests changes."""
    name = f"t_{secrets.token_hex(4)}"
    client.command(f"CREATE TABLE {name} (n Int64, word String) ENGINE = MergeTree ORDER BY n")
    client.command(f"INSERT INTO {name} SELECT number, 'w' FROM numbers(100)")
    yield name
    client.command(f"DROP TABLE {name} SYNC")


@pytest.fixture(scope="module")
def view(client: Any, hidden: str) -> Iterator[str]:
    """The analysts' view `events`, over the hidden table."""
    client.command(f"CREATE OR REPLACE VIEW events AS SELECT n, word FROM {hidden}")
    yield "events"
    client.command("DROP VIEW IF EXISTS events")


def test_an_analyst_reads_the_views_and_what_lies_below_them(analyst: Any, client: Any, view: str) -> None:
    client.command(f"CREATE OR REPLACE VIEW sessions AS SELECT count() AS c FROM {view}")

    assert analyst.query(f"SELECT count() FROM {view}").first_row == (100,)
    assert analyst.query("SELECT c FROM rivermeet.sessions").first_row == (100,)
    client.command("DROP VIEW sessions")


def test_a_view_may_take_parameters(analyst: Any, client: Any, table: str) -> None:
    client.command(f"CREATE OR REPLACE VIEW orders AS SELECT count() AS c FROM {table} WHERE n >= {{low:Int64}}")

    assert analyst.query("SELECT c FROM orders(low = 5)").first_row == (0,)
    client.command("DROP VIEW orders")


def test_an_analyst_sees_no_other_object(analyst: Any, view: str, hidden: str) -> None:
    assert view in analyst.command("SHOW TABLES FROM rivermeet")
    assert hidden not in str(analyst.query("SELECT name FROM system.tables").result_rows)
    assert hidden not in str(analyst.query("SELECT table FROM system.columns").result_rows)
    assert hidden not in str(analyst.query("SELECT table_name FROM information_schema.tables").result_rows)


BYPASSES = [
    "SELECT * FROM {t}",
    "SELECT * FROM rivermeet.{t}",
    "SELECT * FROM `rivermeet` . `{t}`",
    'SELECT/**/*/**/FROM/**/"{t}"',
    "SeLeCt\n*\tFrOm -- comment\n {t} # comment",
    "WITH x AS (SELECT * FROM {t}) SELECT * FROM x",
    "SELECT (SELECT count() FROM {t})",
    "SELECT 1 WHERE 1 IN {t}",
    "SELECT 1 WHERE (1, 'w') IN rivermeet.{t}",
    "SELECT * FROM events WHERE n IN (SELECT n FROM {t})",
    "SELECT * FROM events JOIN {t} USING n",
    "SELECT 1 UNION ALL SELECT n FROM {t}",
    "SELECT 1 EXCEPT SELECT n FROM {t}",
    "SELECT * FROM view(SELECT * FROM {t})",
    "SELECT * FROM merge('rivermeet', '.*')",
    "SELECT * FROM merge(REGEXP('.*'), '{t}')",
    "SELECT * FROM loop({t})",
    "SELECT * FROM remote('127.0.0.1', 'rivermeet', '{t}')",
    "SELECT * FROM clusterAllReplicas('default', rivermeet.{t})",
    "SELECT * FROM mergeTreeIndex('rivermeet', '{t}')",
    "SELECT * FROM dictionary('{t}')",
    "DESCRIBE TABLE {t}",
    "DESCRIBE (SELECT * FROM {t})",
    "SHOW CREATE TABLE {t}",
    "EXPLAIN SELECT * FROM {t}",
    "EXPLAIN ESTIMATE SELECT * FROM {t}",
    "EXPLAIN TABLE OVERRIDE mysql('a', 'b', 'c', 'd', 'e') PARTITION BY 1",
    "SELECT * FROM {{name:Identifier}}",
    "SELECT * FROM system.processes",
    "SELECT * FROM system . processes",
    "SELECT * FROM `system`.`processes`",
    "SELECT * FROM `SYSTEM`.`processes`",
    "SELECT 'x' IN system.processes",
    "SELECT count() FROM (SELECT 1) WHERE 'x' NOT IN `system`.`processes`",
    "SELECT * FROM system.parts",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.server_settings",
    "SHOW PROCESSLIST",
    "SELECT file('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT FILE('/etc/passwd')",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "DESCRIBE (SELECT toInt8(file('/etc/passwd')))",
    "EXPLAIN SELECT toInt8(file('/etc/passwd'))",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM `default`.`/etc/passwd`",
    "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1/x', 'CSV')",
    "SELECT * FROM executable('id', 'TSV', 'a String')",
    "SELECT * FROM sqlite('/tmp/x', 'y')",
    "SELECT * FROM Python(users)",
    "SELECT * FROM `pYtHoN`(users)",
    "SELECT aiGenerate('x')",
    "SELECT catboostEvaluate('/etc/passwd', 1)",
    "SELECT 1 INTO OUTFILE '/tmp/rivermeet-out'",
    "SHOW TABLES INTO OUTFILE '/tmp/rivermeet-out'",
    "DESCRIBE events INTO OUTFILE '/tmp/rivermeet-out'",
    "INSERT INTO {t} VALUES (1, 'a')",
    "INSERT INTO FUNCTION file('/tmp/rivermeet-out') SELECT 1",
    "INSERT INTO {t} SELECT 1, 'a'",
    "CREATE TABLE mine (n Int64) ENGINE = Memory",
    "CREATE TEMPORARY TABLE mine (n Int64)",
    "CREATE TEMPORARY TABLE mine AS SELECT * FROM {t}",
    "CREATE VIEW mine AS SELECT * FROM {t}",
    "CREATE VIEW mine DEFINER = default SQL SECURITY DEFINER AS SELECT * FROM {t}",
    "CREATE FUNCTION mine AS x -> file(x)",
    "DROP TABLE {t}",
    "ALTER TABLE {t} DELETE WHERE 1",
    "DELETE FROM {t} WHERE 1",
    "UPDATE {t} SET word = '' WHERE 1",
    "TRUNCATE TABLE {t}",
    "RENAME TABLE {t} TO mine",
    "OPTIMIZE TABLE {t}",
    "KILL QUERY WHERE 1",
    "SYSTEM SHUTDOWN",
    "SYSTEM FLUSH LOGS",
    "BACKUP TABLE {t} TO File('x')",
    "SET ROLE rivermeet_admin",
    "SET ROLE DEFAULT",
    "SET ROLE ALL",
    "/* x */ set /**/ role all",
    "SET DEFAULT ROLE ALL TO default",
    "EXECUTE AS default SELECT 1",
    "GRANT ALL ON *.* TO default",
    "CREATE USER eve",
    "SELECT 1; SET ROLE ALL",
    "SELECT 1;SELECT * FROM {t}",
    "SELECT 1 SETTINGS readonly = 0",
    "SET readonly = 0",
    "SET readonly = 1, readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_result_rows = 0",
    "SET dialect = 'kusto'",
    "SET allow_experimental_prql_dialect = 1",
    "SELECT 1 SETTINGS dialect = 'prql'",
    "SET additional_table_filters = {'rivermeet.events': 'length(file(\\'/etc/passwd\\')) > 0'}",
    "SELECT * FROM events SETTINGS additional_result_filter = 'length(file(\\'/etc/passwd\\')) > 0'",
    "SELECT * SETTINGS implicit_table_at_top_level = 'system.processes'",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
    "SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '/etc/x:y'",
    "SELECT 1 AS a FORMAT Protobuf SETTINGS output_format_schema = '/tmp/rivermeet-out'",
    "DROP TABLE events PARALLEL WITH DROP TABLE {t}",
    "BEGIN TRANSACTION",
    "ATTACH TABLE mine (n Int64) ENGINE = File(CSV, '/etc/passwd')",
]


@pytest.mark.parametrize("statement", BYPASSES)
def test_an_analyst_gets_no_further(analyst: Any, view: str, hidden: str, statement: str) -> None:
    sql = statement.replace("{t}", hidden).replace("{{", "{").replace("}}", "}")

    with pytest.raises(DatabaseError, match=DENIED):
        analyst.query(sql, parameters={"name": hidden})


@pytest.mark.parametrize("statement", ["SET ROLE ALL", "SET readonly = 0", "SET max_execution_time = 0", "USE system"])
def test_nothing_in_a_session_opens_it_further(owner: Endpoint, view: str, hidden: str, statement: str) -> None:
    client = owner.client("analyst", session_id=secrets.token_hex(8))
    for sql in (statement, "SET profile = 'default'", "SET profile = 'rivermeet_writer'"):
        try:
            client.command(sql)
        except DatabaseError as error:
            assert "497" in str(error) or "164" in str(error) or "452" in str(error)

    for sql in (
        f"SELECT * FROM rivermeet.{hidden}",
        "SELECT * FROM processes",
        "SELECT 1 SETTINGS max_result_rows = 0",
    ):
        with pytest.raises(DatabaseError):
            client.query(sql, use_none=True)
    assert client.query("SELECT getSetting('readonly'), getSetting('max_execution_time')").first_row == (2, 30)
    client.close()


@pytest.mark.parametrize("user", ["analyst", "writer"])
def test_the_url_brings_in_no_code(owner: Endpoint, user: str) -> None:
    login = (user, owner.users[user])
    for setting in ("dialect", "additional_result_filter", "filter", "format_schema", "url_base", "implicit_select"):
        answer = httpx.post(owner.url, params={setting: "1"}, content="SELECT 1", auth=login)

        assert answer.headers["X-ClickHouse-Exception-Code"] == "497"


@pytest.mark.parametrize(
    "setting", ["readonly", "max_execution_time", "max_result_rows", "profile", "max_memory_usage"]
)
def test_the_url_raises_no_limit(owner: Endpoint, setting: str) -> None:
    value = "default" if setting == "profile" else "0"
    login = ("analyst", owner.users["analyst"])
    read = "SELECT getSetting('readonly'), getSetting('max_execution_time'), getSetting('max_result_rows')"
    answer = httpx.post(owner.url, params={setting: value}, content=read, auth=login)

    assert answer.status_code != 200 or answer.text == "2\t30\t1000000\n"


def test_what_analysts_do_every_day_is_allowed(analyst: Any, view: str) -> None:
    for sql in (
        "SELECT word, count() FROM events WHERE n IN (1, 2, 3) GROUP BY word ORDER BY 2 DESC LIMIT 10",
        "SELECT * FROM events AS e JOIN (SELECT number AS n FROM numbers(3)) AS s USING n",
        "SELECT toStartOfHour(now()), quantile(0.9)(n), uniq(word) OVER () FROM events GROUP BY n, word",
        "WITH 5 AS low SELECT n FROM events WHERE n > low",
        "SELECT * FROM generateRandom('a Int8') LIMIT 1",
        "SELECT * FROM values('a Int8', 1, 2)",
        "DESCRIBE TABLE events",
        "SHOW CREATE TABLE events",
        "EXPLAIN SELECT * FROM events",
        "SHOW DATABASES",
        "SHOW COLUMNS FROM events",
        "EXISTS TABLE events",
        "SELECT name, comment FROM system.columns WHERE database = 'rivermeet'",
        "SELECT name, value FROM system.settings LIMIT 5",
        "SELECT 1 SETTINGS max_threads = 1",
    ):
        analyst.query(sql)


def test_an_analysts_query_is_limited(analyst: Any, client: Any, table: str) -> None:
    with pytest.raises(DatabaseError, match="code: 396"):
        analyst.query("SELECT number FROM numbers(1000001)")
    with pytest.raises(DatabaseError, match="code: 158"):
        analyst.query("SELECT * FROM (SELECT sum(number) FROM numbers(1000000001) SETTINGS max_rows_to_read = 0)")
    with pytest.raises(DatabaseError, match="code: 241"):
        analyst.query("SELECT groupArray(number) FROM numbers(900000000)")


BREAKERS = [
    "CREATE TABLE {t}_x (n Int64) ENGINE = Kafka('a', 'b', 'c', 'CSV')",
    "CREATE TABLE {t}_x (n Int64) ENGINE /**/ = /**/ `Kafka` SETTINGS kafka_broker_list = 'a'",
    "CREATE OR REPLACE TABLE {t}_x (n Int64) ENGINE = RabbitMQ",
    "CREATE TABLE {t}_x (n Int64) ENGINE = NATS",
    "CREATE TABLE {t}_x (n Int64) ENGINE = S3Queue('http://127.0.0.1/x', 'CSV')",
    "CREATE TABLE {t}_x (n Int64) ENGINE = URL('http://127.0.0.1/', CSV)",
    "CREATE TABLE {t}_x (n Int64) ENGINE = File(CSV)",
    "CREATE TABLE {t}_x (n Int64) ENGINE = FileLog('/tmp', 'CSV')",
    "CREATE TABLE {t}_x (n Int64) ENGINE = Distributed('c', 'd', 't')",
    "CREATE TABLE {t}_x (n Int64) ENGINE = ReplicatedMergeTree('/a', 'b') ORDER BY n",
    "CREATE TABLE {t}_x (n Int64) ENGINE = EmbeddedRocksDB PRIMARY KEY n",
    "CREATE TABLE {t}_x (n Int64) ENGINE = Executable('id', 'CSV')",
    "CREATE TEMPORARY TABLE {t}_x (n Int64) ENGINE = Kafka('a', 'b', 'c', 'CSV')",
    "CREATE MATERIALIZED VIEW {t}_x ENGINE = Kafka('a', 'b', 'c', 'CSV') AS SELECT n FROM {t}",
    "CREATE TABLE {t}_x AS file('/etc/passwd')",
    "CREATE TABLE {t}_x AS {t} ENGINE = Kafka('a', 'b', 'c', 'CSV')",
    "CREATE TABLE {t}_x (n Int64) ENGINE = MergeTree ORDER BY n SETTINGS disk = disk(type = local, path = '/tmp/x/')",
    "CREATE TABLE {t}_x (n Int64 DEFAULT length(file('/etc/passwd'))) ENGINE = Memory",
    "ALTER TABLE {t} ADD COLUMN x String DEFAULT file('/etc/passwd')",
    "CREATE VIEW {t}_x AS SELECT file('/etc/passwd')",
    "CREATE FUNCTION {t}_x AS x -> file(x)",
    "CREATE DICTIONARY {t}_x (n Int64) PRIMARY KEY n SOURCE(FILE(PATH '/x' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(1)",
    "CREATE DICTIONARY {t}_x (n Int64) PRIMARY KEY n SOURCE(CLICKHOUSE(HOST 'a' TABLE 't')) LAYOUT(FLAT()) LIFETIME(1)",
    "CREATE DATABASE feast_x ENGINE = MySQL('a', 'b', 'c', 'd')",
    "CREATE DATABASE feast_x ENGINE = Filesystem('/')",
    "ATTACH DATABASE rivermeet",
    "ATTACH TABLE {t}_x FROM '/tmp/x' (n Int64) ENGINE = MergeTree ORDER BY n",
    "DETACH DATABASE rivermeet",
    "DETACH TABLE {t}",
    "DETACH TABLE {t} PERMANENTLY",
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
    "SYSTEM SUSPEND FOR 10 SECOND",
    "BACKUP DATABASE rivermeet TO File('/tmp/rivermeet-backup')",
    "INSERT INTO {t} FROM INFILE '/etc/passwd' FORMAT CSV",
    "SELECT * FROM {t} INTO OUTFILE '/tmp/rivermeet-out'",
    "INSERT INTO FUNCTION file('/tmp/rivermeet-out', 'CSV') SELECT 1",
    "INSERT INTO FUNCTION url('http://127.0.0.1/', 'CSV', 'a Int8') VALUES (1)",
    "SELECT * FROM Python(users)",
    "SELECT * FROM file('/etc/passwd')",
    "SET ROLE ALL",
    "SELECT 1; DETACH DATABASE rivermeet",
    "INSERT INTO {t} SELECT 1, 'a'; DETACH DATABASE rivermeet",
    "DROP DATABASE system",
]


@pytest.fixture(scope="module", params=["writer", "admin"])
def powerful(request: pytest.FixtureRequest, owner: Endpoint) -> Iterator[Any]:
    """A client of one who may change tables."""
    client = owner.client(request.param)
    yield client
    client.close()


@pytest.mark.parametrize("statement", BREAKERS)
def test_nobody_can_break_the_store(powerful: Any, hidden: str, statement: str) -> None:
    with pytest.raises(DatabaseError, match=r"code: (497|62|48|344|56|36)"):
        powerful.command(statement.replace("{t}", hidden))
    assert powerful.command(f"SELECT count() FROM {hidden}") == 100


def test_data_of_an_insert_are_never_a_statement(client: Any, table: str) -> None:
    for sql in (
        f"INSERT INTO {table} VALUES (1, 'a'); DROP TABLE {table}",
        f"INSERT INTO {table} FORMAT CSV\n1,a\n; SET ROLE ALL; DROP TABLE {table}",
        f"INSERT INTO {table} VALUES (1, 'a') ; SET ROLE ALL",
    ):
        try:
            client.command(sql)
        except DatabaseError as error:
            assert "27" in str(error) or "62" in str(error)

    assert client.command(f"EXISTS TABLE {table}") == 1


def test_the_writer_has_its_databases_and_no_others(client: Any) -> None:
    name = f"feast_{secrets.token_hex(4)}"
    client.command(f"CREATE DATABASE {name}")
    client.command(f"CREATE TABLE {name}.f (n Int64) ENGINE = MergeTree ORDER BY n")
    client.command(f"INSERT INTO {name}.f VALUES (1)")

    assert client.command(f"SELECT n FROM {name}.f") == 1
    with pytest.raises(DatabaseError, match="code: 497"):
        client.command("CREATE DATABASE elsewhere")
    with pytest.raises(DatabaseError, match="code: 497"):
        client.command(f"DROP DATABASE {name}")


def test_the_admin_drops_databases(owner: Endpoint, client: Any) -> None:
    name = f"rivermeet_{secrets.token_hex(4)}"
    client.command(f"CREATE DATABASE {name}")
    admin = owner.client("admin")
    admin.command(f"DROP DATABASE {name} SYNC")

    assert admin.command(f"EXISTS DATABASE {name}") == 0
    admin.close()


def test_every_analysts_view_of_serving_is_granted() -> None:
    assert {*ANALYST, *VIEWS} <= set(ANALYST_VIEWS)


def test_the_same_grants_are_sql_for_a_server() -> None:
    sql = server_sql()

    for view in ANALYST_VIEWS:
        assert f"GRANT SELECT, SHOW ON rivermeet.{view} TO rivermeet_analyst;" in sql
    assert "max_execution_time = '30' CONST" in sql
