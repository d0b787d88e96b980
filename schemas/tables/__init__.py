"""Tables of the stores, each with the one writer that its first line names. The SQL files are the only definition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Migration:
    """One numbered change of a store; once applied anywhere its text never changes."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """A hash of the text, by which a changed migration is found out."""
        return sha256(self.sql.encode()).hexdigest()


@cache
def clickhouse_migrations() -> tuple[Migration, ...]:
    """All migrations of the ClickHouse database, in the order in which they are applied."""
    return _migrations("clickhouse", "sql")


@cache
def cassandra_migrations() -> tuple[Migration, ...]:
    """All migrations of the Cassandra keyspace, in the order in which they are applied."""
    return _migrations("cassandra", "cql")


def _migrations(store: str, suffix: str) -> tuple[Migration, ...]:
    paths = sorted((_FOLDER / store).glob(f"[0-9][0-9][0-9][0-9]_*.{suffix}"))
    return tuple(Migration(int(path.stem[:4]), path.stem[5:], path.read_text()) for path in paths)
