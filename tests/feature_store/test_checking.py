"""What it means that served values agree with the history."""

from __future__ import annotations

from typing import Any

from feature_store.checking import Sample, verdict


def sample(served: dict[str, Any] | None, *allowed: dict[str, Any] | None) -> Sample:
    return Sample("v", ("shop", "u"), served, allowed)


def counts(*samples: Sample) -> tuple[int, int, int, int]:
    found = verdict("v", "f", samples)
    return found.compared, found.mismatched, found.missing, found.extra


def test_equal_values_differ_in_nothing() -> None:
    found = verdict("v", "f", [sample({"f": 1.5}, {"f": 1.5}), sample(None, None), sample({"f": None}, {"f": None})])
    assert found.passed
    assert found.smape == 0.0


def test_each_way_to_differ_is_counted() -> None:
    assert counts(sample({"f": 1}, {"f": 3})) == (1, 1, 0, 0)
    assert counts(sample(None, {"f": 3})) == (1, 0, 1, 0)
    assert counts(sample({"f": 1}, None)) == (1, 0, 0, 1)
    assert verdict("v", "f", [sample({"f": 1}, {"f": 3}), sample({"f": 3}, {"f": 3})]).smape == 0.5


def test_a_value_that_was_being_put_online_may_be_served_or_not() -> None:
    before, after = {"f": 1, "g": 1}, {"f": 2, "g": 2}
    for served in (before, after):
        assert counts(sample(served, before, after, after)) == (1, 0, 0, 0)
    assert counts(sample({"f": 1, "g": 2}, before, after, after))[0:2] == (1, 0)
    mixed = verdict("v", "g", [sample({"f": 1, "g": 2}, before, after, after)])
    assert mixed.mismatched == 1, "a row mixed of two values is neither of them"


def test_lists_and_texts_are_compared_but_not_subtracted() -> None:
    found = verdict("v", "f", [sample({"f": ["a", "b"]}, {"f": ["b", "a"]}), sample({"f": "x"}, {"f": "x"})])
    assert (found.mismatched, found.smape) == (1, None)
