from __future__ import annotations

from serving.api.limits import BURST_S, Limiter


def test_a_key_has_its_rate_and_a_burst() -> None:
    now = 0.0
    limiter = Limiter(10, lambda: now)
    burst = int(10 * BURST_S)
    assert [limiter.take("a") for _ in range(burst)] == [0.0] * burst
    assert limiter.take("a") == 0.1
    assert limiter.take("b") == 0.0
    now = 0.1
    assert limiter.take("a") == 0.0
    assert limiter.take("a") > 0


def test_a_batch_larger_than_the_bucket_is_taken_from_a_full_one_and_paid_for_later() -> None:
    now = 0.0
    limiter = Limiter(10, lambda: now)
    assert limiter.take("a", 100) == 0.0
    assert limiter.take("a", 1) == 8.1
    now = 8.1
    assert limiter.take("a", 1) == 0.0
