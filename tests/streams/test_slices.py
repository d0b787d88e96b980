from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.slices import MS_PER_DAY, Slice, SliceLimits, cut_at_day_change


def fetch(
    times: list[int], *, offsets: list[int] | None = None, first: int = 0, sizes: list[int] | None = None
) -> Slice:
    offsets = offsets or list(range(first, first + len(times)))
    values: list[bytes | None] = [b"x" * size for size in sizes] if sizes else [None] * len(times)
    return Slice("events", 1, 3, first, offsets[-1] + 1, offsets, times, [None] * len(times), values)


def cut(fetched: Slice, floor: int = 0, records: int = 1000, size: int = 10_000) -> list[Slice]:
    return cut_at_day_change(fetched, floor, SliceLimits(records, size))


def ranges(slices: list[Slice]) -> list[tuple[int, int]]:
    return [(s.first_offset, s.next_offset) for s in slices]


def test_a_fetch_within_a_day_is_one_slice() -> None:
    assert cut(fetch([5, 6, 7])) == [fetch([5, 6, 7])]


def test_midnight_cuts() -> None:
    assert ranges(cut(fetch([MS_PER_DAY - 1, MS_PER_DAY, MS_PER_DAY + 1]))) == [(0, 1), (1, 3)]


def test_a_clock_set_back_over_midnight_does_not_cut() -> None:
    (only,) = cut(fetch([MS_PER_DAY, MS_PER_DAY - 1, MS_PER_DAY + 2]))
    assert only.append_times == [MS_PER_DAY, MS_PER_DAY, MS_PER_DAY + 2]


def test_times_go_on_from_before_the_fetch() -> None:
    (only,) = cut(fetch([5, 9]), floor=7)
    assert only.append_times == [7, 9]


def test_slices_are_bounded_in_records_and_bytes() -> None:
    assert ranges(cut(fetch([1] * 5), records=2)) == [(0, 2), (2, 4), (4, 5)]
    assert ranges(cut(fetch([1] * 4, sizes=[3, 3, 50, 1]), size=6)) == [(0, 2), (2, 3), (3, 4)]


def test_compacted_offsets_belong_to_the_slice_before() -> None:
    slices = cut(fetch([1, 1, MS_PER_DAY], offsets=[4, 7, 9], first=2))
    assert ranges(slices) == [(2, 9), (9, 10)]


@st.composite
def fetches(draw: st.DrawFn) -> Slice:
    offsets = sorted(draw(st.sets(st.integers(10, 60), min_size=1)))
    count = len(offsets)
    times = draw(st.lists(st.integers(0, 3 * MS_PER_DAY), min_size=count, max_size=count))
    values = draw(st.lists(st.none() | st.binary(max_size=20), min_size=count, max_size=count))
    first = draw(st.integers(5, offsets[0]))
    return Slice("events", 1, 0, first, offsets[-1] + 1, offsets, times, [None] * count, values)


@given(fetches(), st.integers(0, 3 * MS_PER_DAY), st.integers(1, 8), st.integers(1, 40))
def test_slices_tile_the_fetch(fetched: Slice, floor: int, records: int, size: int) -> None:
    slices = cut(fetched, floor, records, size)
    assert slices[0].first_offset == fetched.first_offset
    assert slices[-1].next_offset == fetched.next_offset
    assert all(a.next_offset == b.first_offset for a, b in pairwise(slices))
    assert [o for s in slices for o in s.offsets] == fetched.offsets
    assert [v for s in slices for v in s.values] == fetched.values
    greatest = [max(floor, *fetched.append_times[: i + 1]) for i in range(len(fetched.offsets))]
    assert [t for s in slices for t in s.append_times] == greatest
    for s in slices:
        assert len({t // MS_PER_DAY for t in s.append_times}) == 1
        assert len(s.offsets) <= records
        assert s.size <= size or len(s.offsets) == 1


def test_a_slice_is_named_by_topic_partition_and_range() -> None:
    assert str(fetch([1, 2], first=4)) == "events/3[4..6)"


def test_a_slice_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        fetch([1]).epoch = 2  # type: ignore[misc]  # what the test is about
