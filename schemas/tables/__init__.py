"""Tables of the stores, each with the one writer that its first line names. The SQL files are the only definition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

_FOLDER = Path(__file__).parent / "clickhouse"


@dataclass(frozen=True)
class Migration:
    """One numbered change of the ClickHouse database; once applied anywhere its text never changes."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """A hash of the text, by which a changed migration is found out."""
        return sha256(self.sql.encode()).hexdigest()


@cache
def clickhouse_migrations() -> tuple[Migration, ...]:
    """All migrations, in the order in which they are applied."""
    paths = sorted(_FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return tuple(Migration(int(path.stem[:4]), path.stem[5:], path.read_text()) for path in paths)
