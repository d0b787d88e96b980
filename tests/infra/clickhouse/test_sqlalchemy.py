"""SQLAlchemy's dialect of clickhouse-connect, as Superset uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
import sqlalchemy as sa

from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers


@pytest.fixture
def engine(endpoint: Endpoint) -> Iterator[sa.Engine]:
    url = f"clickhousedb://writer:{endpoint.users['writer']}@{endpoint.host}:{endpoint.port}/rivermeet"
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


def test_statements_run_with_their_parameters(engine: sa.Engine, table: str) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')"))
        rows = connection.execute(sa.text(f"SELECT word FROM {table} WHERE n = :n"), {"n": 2}).all()

    assert rows == [("b",)]


def test_the_schema_can_be_inspected(engine: sa.Engine, table: str) -> None:
    inspector = sa.inspect(engine)

    assert "rivermeet" in inspector.get_schema_names()
    assert table in inspector.get_table_names("rivermeet")
    assert [column["name"] for column in inspector.get_columns(table, "rivermeet")] == ["n", "word"]


def test_expressions_are_compiled(engine: sa.Engine, table: str) -> None:
    reflected = sa.Table(table, sa.MetaData(schema="rivermeet"), autoload_with=engine)
    with engine.connect() as connection:
        connection.execute(reflected.insert().values(n=7, word="seven"))
        query = sa.select(reflected.c.word, sa.func.count()).group_by(reflected.c.word).limit(10)

        assert connection.execute(query).all() == [("seven", 1)]


def test_pandas_reads_through_it(engine: sa.Engine) -> None:
    frame = pd.read_sql("SELECT number AS n FROM numbers(3)", engine)

    assert frame["n"].tolist() == [0, 1, 2]
