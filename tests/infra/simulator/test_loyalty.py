"""Shoppers who fade before they leave."""

from __future__ import annotations

from random import Random

from infra.simulator.loyalty import FADE_DAYS, FAINTEST, Regular, regulars, visits


def test_the_same_seed_makes_the_same_visits() -> None:
    runs = [list(visits(rng, regulars(rng, 20, 60), 60, 0)) for rng in (Random(4), Random(4))]
    assert runs[0] == runs[1]
    assert len(runs[0]) > 100


def test_who_leaves_fades_and_then_is_gone() -> None:
    shopper = Regular("r", "mobile", 1.5, 50)
    assert [shopper.energy(day) for day in (0, 50 - FADE_DAYS, 50, 90)] == [1.0, 1.0, 0.0, 0.0]
    assert FAINTEST < shopper.energy(49) < 0.2
    seen = list(visits(Random(1), [shopper], 100, 0))
    assert max(visit.day for visit in seen) < 50
    assert not any(visit.add_to_carts for visit in seen if visit.day > 50 - FADE_DAYS)


def test_a_visit_lies_within_its_day() -> None:
    for visit in visits(Random(2), regulars(Random(3), 30, 30), 30, 0):
        assert visit.start_ms // 86_400_000 == visit.day
        assert (visit.amount_minor > 0) == (visit.purchases > 0)
