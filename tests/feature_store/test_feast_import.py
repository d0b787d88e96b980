"""Feast is imported without what would make every start slow, and nobody else loses it."""

from __future__ import annotations

import pytest
import typeguard

from feature_store.feast_import import FeatureView


def test_feast_is_not_compiled_again() -> None:
    assert "typeguard" not in FeatureView.__init__.__code__.co_names


def test_typeguard_checks_for_others() -> None:
    @typeguard.typechecked
    def number(value: int) -> int:
        return value

    with pytest.raises(typeguard.TypeCheckError):
        number("one")  # type: ignore[arg-type]
