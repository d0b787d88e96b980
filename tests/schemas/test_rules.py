"""Rules are judged as plain Python would judge them, on any frame."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.settings import ROOT
from schemas import rules
from schemas.frames import EVENT_COLUMNS, TIMESTAMP
from schemas.reasons import MEANING, Reason
from schemas.rules import Between, Check, InSet, MaxLength, NotAfter, NotBlank, Rule, Severity
from schemas.topics import TOPICS
from schemas.verdicts import READERS

NOW = 1_763_700_000_000
TEXTS = st.none() | st.text(alphabet=" \t\n\x0b\x0caé\u3000", max_size=4) | st.sampled_from(["completed", "s" * 257])
TIMES = st.integers(-(2**63), 2**63 - 1) | st.integers(NOW - 10, NOW + 3_600_010) | st.just(946_684_800_000)
FRAMES = {str(TOPICS[name].subject): reader.columns for name, reader in READERS.items()}


def _obvious(check: Check, value: Any, row: dict[str, Any]) -> bool:
    if value is None:
        return True
    match check:
        case NotBlank():
            return bool(value.strip(" \t\n\r\x0b\x0c"))
        case MaxLength(characters):
            return len(value) <= characters
        case Between(low, high):
            return (low is None or value >= low) and (high is None or value <= high)
        case InSet(values):
            return value in values
        case NotAfter(other, tolerance_ms):
            return bool(value <= row[other] + tolerance_ms)


def _holds(rule: Rule, row: dict[str, Any]) -> bool:
    column, _, field = rule.column.partition(".")
    values = [item[field] for item in row[column]] if field else [row[column]]
    return all(_obvious(rule.check, value, row) for value in values)


def _frame(rows: list[dict[str, Any]], columns: dict[str, pl.DataType]) -> pl.DataFrame:
    plain = {name: pl.Int64() if kind == TIMESTAMP else kind for name, kind in columns.items()}
    frame = pl.DataFrame(rows, schema=plain, orient="row")
    return frame.with_columns(pl.col(name).cast(TIMESTAMP) for name, kind in columns.items() if kind == TIMESTAMP)


def _values(name: str, kind: pl.DataType) -> st.SearchStrategy[Any]:
    if name == "append_time":
        return st.just(NOW)
    if kind == TIMESTAMP:
        return TIMES
    if kind == pl.String:
        return TEXTS
    if name == "items":
        numbers = {
            "quantity": st.integers(-(2**31), 2**31 - 1) | st.just(1),
            "price_minor": st.integers(-(2**62), 2**62),
        }
        item = {"product_id": st.just("p"), "category": st.just("c"), **numbers}
        return st.lists(st.fixed_dictionaries(item), max_size=2)
    if isinstance(kind, pl.List):
        return st.just([])
    return st.integers(-(10**15), 10**15) if name == "amount_minor" else st.just(0)


@pytest.mark.parametrize("name", FRAMES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_verdicts_are_the_obvious_ones(name: str, data: st.DataObject) -> None:
    fields = {column: _values(column, kind) for column, kind in FRAMES[name].items()}
    rows = data.draw(st.lists(st.fixed_dictionaries(fields), max_size=5))
    frame = _frame(rows, FRAMES[name]).with_row_index("row")
    failing = [rule for rule in rules.rules_for(name) if rule.severity is Severity.FAIL]

    good, refused = rules.apply(rules.rules_for(name), frame)

    broken = [next((rule for rule in failing if not _holds(rule, row)), None) for row in rows]
    assert good["row"].to_list() == [index for index, rule in enumerate(broken) if rule is None]
    found = refused.select("row", "rule", "reason", "message").rows()
    assert found == [(i, rule.name, rule.reason.value, rule.meaning) for i, rule in enumerate(broken) if rule]
    assert good.columns == frame.columns


def _event(**changed: Any) -> pl.DataFrame:
    names = {name: "a" for name, kind in EVENT_COLUMNS.items() if kind == pl.String}
    times = {"event_time": NOW, "append_time": NOW}
    zeros = {name: 0 for name, kind in EVENT_COLUMNS.items() if kind.is_integer()}
    return _frame([{**names, **times, **zeros, "properties": [], "experiments": [], **changed}], EVENT_COLUMNS)


def test_a_warning_refuses_nothing_and_is_counted() -> None:
    frame = pl.concat([_event(platform="fridge"), _event(platform="web")])

    good, refused = rules.apply(rules.rules_for("user-event"), frame)

    assert (len(good), len(refused)) == (2, 0)
    assert rules.count_warnings(rules.rules_for("user-event"), frame) == {"platform_in_set": 1}


def test_a_frame_without_rows_and_a_list_without_rules() -> None:
    empty = _event().clear()
    assert rules.apply(rules.rules_for("user-event"), empty)[0].equals(empty)
    frame = _event(session_id="")
    assert rules.apply([], frame)[0].equals(frame)


def test_an_hour_ahead_is_the_last_that_is_taken() -> None:
    for ahead, taken in ((3_600_000, 1), (3_600_001, 0)):
        assert len(rules.apply(rules.rules_for("user-event"), _event(event_time=NOW + ahead))[0]) == taken


def test_the_year_2000_is_the_first_that_is_taken() -> None:
    first = round(datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1000)
    for time, taken in ((first, 1), (first - 1, 0)):
        assert len(rules.apply(rules.rules_for("user-event"), _event(event_time=time))[0]) == taken


def test_names_are_unique_within_a_subject() -> None:
    names = [(rule.subject, rule.name) for rule in rules.RULES]
    assert len(set(names)) == len(names)


def test_every_rule_is_about_a_column() -> None:
    for rule in rules.RULES:
        column = rule.column.partition(".")[0]
        assert rule.subject not in FRAMES or column in FRAMES[rule.subject]
        assert rule.meaning


def test_the_version_changes_with_any_rule() -> None:
    assert len(rules.RULES_VERSION) == 16
    changed = [*rules.RULES[:-1], replace(rules.RULES[-1], check=NotAfter("append_time", 1))]
    assert rules.version_of(rules.RULES) == rules.RULES_VERSION != rules.version_of(changed)
    assert rules.version_of(rules.RULES[:-1]) != rules.RULES_VERSION


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANING) == set(Reason)
    assert all(meaning.endswith(".") for meaning in MEANING.values())


def test_the_pages_for_operators_list_every_reason() -> None:
    listed = (ROOT / "streams" / "README.md").read_text().partition("## Dead letters")[2].partition("\n## ")[0]
    assert [reason for reason in Reason if f"`{reason}`" not in listed] == []
    told = (ROOT / "streams" / "OUTPUTS.md").read_text()
    assert [reason for reason, meaning in MEANING.items() if f"| `{reason}` | {meaning} |" not in told] == []
