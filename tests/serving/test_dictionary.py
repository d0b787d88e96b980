"""Every column that analysts see says what it is, in the database and on the page, from one source."""

from __future__ import annotations

from serving.dictionary import ANALYSES, described
from serving.hot import VIEWS
from serving.merged import ANALYST
from tests.merge.store import Store
from tests.serving.write_dictionary import PAGE, dictionary


def test_every_column_of_every_merged_view_has_a_comment(store: Store) -> None:
    listed = ", ".join(f"'{view}'" for view in (*ANALYST, *VIEWS))
    bare = store.rows(
        f"SELECT table, name FROM system.columns WHERE database = 'rivermeet' AND table IN ({listed}) AND comment = ''"
    )
    assert bare == []
    assert {*ANALYST, *VIEWS} == described()


def test_metrics_say_their_unit(store: Store) -> None:
    [row] = store.rows("SELECT comment FROM system.columns WHERE table = 'daily_metrics' AND name = 'bounce_rate'")
    assert row["comment"] == "Share of sessions that are not engaged [ratio 0..1]"


def test_an_analysis_tells_of_its_parameters_and_columns(store: Store) -> None:
    comments = {row["name"]: row["comment"] for row in store.rows("SELECT name, comment FROM system.tables")}
    for one in ANALYSES:
        assert all(f"{name}: " in comments[one.name] for name in (*one.parameters, *one.columns))


def test_the_page_is_what_the_database_says(store: Store) -> None:
    assert PAGE.read_text() == dictionary(store), "python -m tests.serving.write_dictionary"
