from streams.reading import Reading, Verdict


def reading(position: int, sought: bool = False) -> Reading:
    return Reading(0, position, 0, sought)


def test_a_fetch_from_the_position_is_taken() -> None:
    assert reading(5).judge(5, 6) is Verdict.TAKE


def test_a_fetch_that_reaches_back_is_taken() -> None:
    assert reading(5).judge(3, 6) is Verdict.TAKE


def test_a_fetch_of_nothing_new_is_stale() -> None:
    assert reading(5).judge(3, 4) is Verdict.STALE


def test_a_gap_is_believed_only_of_the_first_fetch_after_a_seek() -> None:
    at = reading(5, sought=True)
    assert at.judge(8, 9) is Verdict.TAKE
    assert at.judge(8, 9) is Verdict.SEEK_BACK


def test_a_slice_covers_what_compaction_removed_but_not_what_the_log_lost() -> None:
    assert reading(5).first_offset(first=8, log_start=0) == 5
    assert reading(5).first_offset(first=8, log_start=7) == 7
    assert reading(5).first_offset(first=8, log_start=8) == 8
