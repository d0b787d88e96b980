"""Writes serving/DICTIONARY.md anew, from the comments of a store that is made for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from serving.dictionary import page
from serving.hot import VIEWS
from serving.merged import ANALYST
from tests.merge.store import Store, opened

PAGE = Path(__file__).parents[2] / "serving" / "DICTIONARY.md"


def dictionary(store: Store) -> str:
    """The page, from what the database says of its views."""
    rows = store.rows(
        "SELECT table, name, type, comment FROM system.columns WHERE database = 'rivermeet' ORDER BY position"
    )
    columns: dict[str, dict[str, tuple[str, str]]] = {view: {} for view in (*ANALYST, *VIEWS)}
    for row in rows:
        if row["table"] in columns:
            columns[row["table"]][row["name"]] = (row["type"], row["comment"])
    views = store.rows("SELECT name, comment FROM system.tables WHERE database = 'rivermeet'")
    return page(columns, {row["name"]: row["comment"] for row in views})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "store") as made:
        PAGE.write_text(dictionary(made))
