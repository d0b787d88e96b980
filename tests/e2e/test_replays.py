"""Real data through the whole of Rivermeet: every figure is the file's before, between and after publications."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import zip_longest
from pathlib import Path

import pytest

from infra.messages import Message
from infra.replay.rees46 import rees46_messages
from infra.replay.retail import retail_messages
from infra.send import Sender
from tests.e2e.real import check_rees46, check_retail
from tests.e2e.stack import SECONDS, Live, live
from tests.infra.replay.facts import REES46_FILE, RETAIL_FILE, Rees46Facts, RetailFacts

pytestmark = [pytest.mark.servers, pytest.mark.real_data, pytest.mark.timeout(600)]

STORE_DAY = date(2019, 10, 1)
CHUNK = 500
PACE_SECONDS = 0.15


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Iterator[Live]:
    """A stack whose days stay hot for sixteen years, so that what happened long ago is answered by the speed layer."""
    with live(tmp_path_factory.mktemp("wide") / "home", HORIZON_DAYS="6000") as stack:
        yield stack


def test_every_figure_in_three_states(wide: Live, real_data: Path, retail: RetailFacts, rees46: Rees46Facts) -> None:
    torn = list(rees46_messages(real_data / REES46_FILE, "torn"))
    days = sorted(retail.days)
    published, open_days = days[: len(days) // 2], days[len(days) // 2 :]

    wide.send(retail_messages(real_data / RETAIL_FILE, "retail"))
    wide.send(rees46_messages(real_data / REES46_FILE, "store"))
    wide.send(torn[: len(torn) // 2])
    assert check_retail(wide, "retail", retail) == {"speed": len(days)}
    assert check_rees46(wide, "store", rees46) == "speed"

    publish(wide, published)
    wide.send(torn[len(torn) // 2 :])
    assert check_retail(wide, "retail", retail) == {"batch": len(published), "speed": len(open_days)}
    assert check_rees46(wide, "store", rees46) == "batch"
    assert check_rees46(wide, "torn", rees46) == "merged"

    publish(wide, days)
    assert check_retail(wide, "retail", retail) == {"batch": len(days)}
    assert check_rees46(wide, "store", rees46) == "batch"
    assert check_rees46(wide, "torn", rees46) == "batch"


def publish(live: Live, retail_days: Sequence[date]) -> None:
    """Make days of Online Retail the answer, all of them from one recompute, and the day of the store log."""
    orders = ("--dataset", "orders")
    live.batch("land", "--topic", "orders")
    live.batch("recompute", *orders, "--day", str(retail_days[0]), "--to", str(retail_days[-1]))
    live.batch("publish", *orders, "--day", str(retail_days[0]))
    live.batch("run", "--dataset", "events", "--day", str(STORE_DAY))


def send_paced(messages: list[Message], live: Live) -> None:
    """Send a little at a time, as a shop would."""
    sender = Sender(live.settings)
    for place, message in enumerate(messages):
        if place % CHUNK == 0:
            time.sleep(PACE_SECONDS)
        sender.send(message)
    sender.finish()


def test_a_worker_killed_twice_leaves_every_figure(
    wide: Live, real_data: Path, retail: RetailFacts, rees46: Rees46Facts
) -> None:
    logs = (retail_messages(real_data / RETAIL_FILE, "killed"), rees46_messages(real_data / REES46_FILE, "killed"))
    log = [message for pair in zip_longest(*logs) for message in pair if message is not None]
    end = wide.applied() + len(log)
    with ThreadPoolExecutor(1) as background:
        for part in (log[: len(log) // 2], log[len(log) // 2 :]):
            begin = wide.committed()
            sending = background.submit(send_paced, part, wide)
            # What was committed is not read again: its state has to come from the store.
            wide.wait(lambda begin=begin: wide.committed() > begin + CHUNK, "some progress")  # type: ignore[misc]
            wide.kill_worker()
            assert wide.applied() < end
            assert not sending.done()
            wide.start_worker()
            sending.result(SECONDS)
    wide.wait_applied()
    assert wide.applied() == end
    check_retail(wide, "killed", retail)
    check_rees46(wide, "killed", rees46)
