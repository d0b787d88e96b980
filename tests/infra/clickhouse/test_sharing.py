"""Equal questions at one moment: who shares a run with whom, and that no answer is older than its question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.results import Send
from infra.clickhouse.sharing import Sharing
from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.timeout(30)


class Runs:
    """Runs of one question, each of which answers with its number once it may go on."""

    def __init__(self, *, cores: int = 1, pieces: int = 1, error: QueryError | None = None) -> None:
        self.sharing = Sharing(is_busy=lambda: self.begun - self.ended >= cores)
        self.begun = self.ended = 0
        self._leave = asyncio.Semaphore(0)
        self._pieces = pieces
        self._error = error

    def go(self, count: int) -> None:
        """So many runs may go on."""
        for _ in range(count):
            self._leave.release()

    async def until(self, begun: int) -> None:
        """Returns when so many runs have begun."""
        while self.begun < begun:
            await asyncio.sleep(0)

    async def _run(self, send: Send) -> None:
        self.begun += 1
        number = self.begun
        await self._leave.acquire()
        self.ended += 1
        if self._error:
            raise self._error
        for _ in range(self._pieces):
            await send({"body": b"%d" % number * (1 << 10)})

    async def _ask(self) -> Sequence[Mapping[str, Any]]:
        got: list[Mapping[str, Any]] = []

        async def send(message: Mapping[str, Any]) -> None:
            got.append(message)

        await self.sharing.answer("question", self._run, send)
        return got

    async def askers(self, count: int) -> list[asyncio.Task[Sequence[Mapping[str, Any]]]]:
        """So many tasks that ask, and have got as far as they can."""
        tasks = [asyncio.create_task(self._ask()) for _ in range(count)]
        await asyncio.sleep(0)
        return tasks


def numbers(answers: Sequence[Any]) -> list[bytes]:
    """The numbers of the runs that answered."""
    return [answer[0]["body"][:1] for answer in answers]


async def test_who_waits_shares_the_next_run_and_no_run_that_has_begun() -> None:
    runs = Runs()
    first, waiting = await runs.askers(1), await runs.askers(4)
    assert runs.begun == 1
    runs.go(1)
    await runs.until(begun=2)
    later = await runs.askers(2)
    runs.go(2)
    assert numbers(await asyncio.gather(*first, *waiting, *later)) == [b"1", *[b"2"] * 4, *[b"3"] * 2]


async def test_equal_ones_run_while_a_core_is_free_and_who_waits_goes_on_when_the_first_is_over() -> None:
    runs = Runs(cores=2)
    first, waiting = await runs.askers(2), await runs.askers(3)
    assert runs.begun == 2
    runs.go(1)
    await runs.until(begun=3)
    runs.go(2)
    assert numbers(await asyncio.gather(*first, *waiting)) == [b"1", b"2", *[b"3"] * 3]


async def test_a_long_answer_is_not_shared() -> None:
    runs = Runs(pieces=1100)
    tasks = [*await runs.askers(1), *await runs.askers(3)]
    runs.go(4)
    answers = await asyncio.gather(*tasks)
    assert {len(answer) for answer in answers} == {1100}
    assert sorted(numbers(answers)) == [b"1", b"2", b"3", b"4"]


async def test_an_error_is_everybodys() -> None:
    runs = Runs(error=QueryError.of(Code.ABORTED, "no"))
    tasks = [*await runs.askers(1), *await runs.askers(2)]
    runs.go(2)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in found] == [QueryError] * 3
    assert runs.begun == 2


@pytest.mark.parametrize("is_running", [False, True])
async def test_who_goes_away_takes_no_answer_along(is_running: bool) -> None:
    runs = Runs()
    (first,), (leader, *others) = await runs.askers(1), await runs.askers(3)
    if is_running:
        first.cancel()
        await runs.until(begun=2)
    leader.cancel()
    runs.go(4)
    answers = await asyncio.gather(*others)
    assert all(number > b"1" for number in numbers(answers))


async def test_no_answer_is_older_than_its_question(owner: Endpoint, table: str) -> None:
    """Counting while rows come: whoever asks after an insert was acknowledged counts it."""
    writer = owner.client()
    writer.command(f"CREATE OR REPLACE VIEW alerts AS SELECT count() AS rows FROM {table}")
    clients = [owner.client("analyst") for _ in range(6)]

    def count(client: Any) -> int:
        return int(client.query("SELECT rows + sleep(0.02) FROM alerts").first_row[0])

    try:
        for number in range(1, 9):
            early = [asyncio.to_thread(count, client) for client in clients[:3]]
            running = [asyncio.create_task(one) for one in early]
            await asyncio.sleep(0.01)
            await asyncio.to_thread(writer.command, f"INSERT INTO {table} VALUES ({number}, '')")
            late = await asyncio.gather(*(asyncio.to_thread(count, client) for client in clients[3:]))
            assert late == [number] * 3
            await asyncio.gather(*running)
    finally:
        writer.command("DROP VIEW alerts")
        for client in (writer, *clients):
            client.close()
