"""Real data through the whole of Rivermeet: every figure is the file's before, between and after publications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import zip_longest
from pathlib import Path
from threading import Event

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
PROGRESS = 500
"""Records that are committed before a kill: what a worker does not read again has to come from the store."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Iterator[Live]:
    """A stack whose days stay hot for sixteen years, so that what happened long ago is answered by the speed layer."""
    with live(tmp_path_factory.mktemp("wide") / "home", HORIZON_DAYS="6000") as stack:
        yield stack


def test_every_figure_in_three_states_after_two_kills(
    wide: Live, real_data: Path, retail: RetailFacts, rees46: Rees46Facts
) -> None:
    torn = list(rees46_messages(real_data / REES46_FILE, "torn"))
    days = sorted(retail.days)
    published, open_days = days[: len(days) // 2], days[len(days) // 2 :]

    logs = (retail_messages(real_data / RETAIL_FILE, "retail"), rees46_messages(real_data / REES46_FILE, "store"))
    log = [message for pair in zip_longest(*logs) for message in pair if message is not None]
    for part in (log[: len(log) // 2], log[len(log) // 2 :]):
        send_and_kill(wide, part)
    assert wide.applied() == len(log)
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


def send_and_kill(live: Live, messages: Sequence[Message]) -> None:
    """Send, end the worker in the middle of it as a power cut would, start another, and wait until all is applied.

    The last records are held back until the worker is gone.
    """
    killed = Event()
    begin, end = live.committed(), live.ends() + len(messages)
    with ThreadPoolExecutor(1) as background:
        sending = background.submit(send_around, live, messages, killed)
        try:
            live.wait(lambda: live.committed() > begin + PROGRESS, "some progress")
            live.kill_worker()
            assert live.applied() < end
        finally:
            killed.set()
        live.start_worker()
        sending.result(SECONDS)
    live.wait_applied()


def send_around(live: Live, messages: Sequence[Message], event: Event) -> None:
    """Send nine tenths of the messages, and the rest after an event."""
    first, sender = len(messages) * 9 // 10, Sender(live.settings)
    for message in messages[:first]:
        sender.send(message)
    event.wait(SECONDS)
    for message in messages[first:]:
        sender.send(message)
    sender.finish()


def publish(live: Live, retail_days: Sequence[date]) -> None:
    """Make days of Online Retail the answer, all of them from one recompute, and the day of the store log."""
    orders = ("--dataset", "orders")
    live.batch("land", "--topic", "orders")
    live.batch("recompute", *orders, "--day", str(retail_days[0]), "--to", str(retail_days[-1]))
    live.batch("publish", *orders, "--day", str(retail_days[0]))
    live.batch("run", "--dataset", "events", "--day", str(STORE_DAY))
