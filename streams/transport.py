"""Faust's transport, made to hand over slices and to commit what the ledger says.

Everything untyped of Faust and aiokafka that the worker touches is in this module, `streams.client` and `streams.app`.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.client import SliceThread
from streams.errors import AnotherLog, LogRefused, NotAppendTime
from streams.fetched import LOG_APPEND_TIME, Fetched
from streams.hold import Listener, Log, Position, TransportOptions
from streams.ledger import Committable, Ledger
from streams.pending import Delivery
from streams.reading import Reading, Verdict
from streams.slices import Slice, cut_at_day_change


class SliceConsumer(driver.Consumer):  # type: ignore[misc]  # faust is untyped
    """Delivers each fetch of a partition as slices; commits the ledger's written prefixes and nothing else.

    Faust's own book-keeping of acknowledged messages goes on unused: it counts messages that failed or were cancelled.
    """

    def __init__(self, transport: "SliceTransport", *args: Any, **kwargs: Any) -> None:
        super().__init__(transport, *args, **kwargs)
        self._ledger, self._listener, self._logs = transport.ledger, transport.listener, transport.logs
        self._options = transport.options
        self._generation = 0
        self._fetching = False
        self._reading: dict[TP, Reading] = {}
        self._passed: set[TP] = set()
        """Partitions of which the client was past records that were not handed on."""

    def _new_consumer_thread(self) -> SliceThread:
        return SliceThread(self, loop=self.loop, beacon=self.beacon)

    def hold_fetches(self, seconds: float) -> None:
        """How far away the next tick is: for so long fetches wait for records, from the next one on."""
        self._thread.hold_fetches(self._options.wait_ms(seconds))

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the running tick end and commit it while the partitions are still ours, then drop them."""
        try:
            if revoked:
                self.stop_flow()
                await self._listener.settle(self._options.settle)
                await self.commit()
        finally:
            self._drop(revoked)
            await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Drop all that is known of any partition; `perform_seek` then begins anew."""
        self._drop(assigned | set(self._reading))
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            await self._have_nothing()

    async def _have_nothing(self) -> None:
        """More workers than partitions, or a topic that is gone."""
        try:
            await self._listener.verify()
        except LogRefused as error:
            await self.crash(error)  # raised here, it would only be logged by the client
        else:
            self._listener.assigned(())

    def _drop(self, partitions: set[TP]) -> None:
        self._ledger.dropped(partitions, self._generation)
        self._generation += 1
        self._buffered_partitions.difference_update(partitions)
        for tp in partitions:
            self._reading.pop(tp, None)
        if partitions:
            self._listener.lost(partitions)

    async def perform_seek(self) -> None:
        """Go to the committed offsets, or to the start of the log where there is none.

        A store that holds less than was committed, since it was wiped or comes from a copy, is made whole from where it
        ends.

        Raises LogRefused if a log is not the one known, or ends before its committed offset.
        """
        generation, partitions = self._generation, self.assignment()
        await self._listener.verify()
        committed = await self._thread.committed(partitions)
        starts, ends = await self.earliest_offsets(*partitions), await self.highwaters(*partitions)
        applied = await self._listener.applied(partitions)
        targets = {tp: committed.get(tp, Committable(starts[tp], 0)) for tp in partitions}
        for tp, at in targets.items():
            if at.offset > ends[tp]:
                raise AnotherLog(tp.topic, f"partition {tp.partition} ends at {ends[tp]}, below its commit {at.offset}")
            if applied is not None:
                targets[tp] = min(at, max(applied.get(tp, Committable(0, 0)), Committable(starts[tp], 0)))
        sought = not self._fetching
        await self.seek_wait({tp: at.offset for tp, at in targets.items()})
        if generation != self._generation:
            return
        self._committed_offset.update({tp: at.offset for tp, at in committed.items()})
        self._reading = {tp: Reading(at.offset, at.offset, at.append_time, sought) for tp, at in targets.items()}
        self._listener.assigned(partitions)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """One message for each topic of the next fetch: to Faust, each has a price of its own, whatever it holds."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        await self._go_back()
        generation, self._fetching = self._generation, True
        try:
            fetched, _ = await self._wait_next_records(timeout)
        finally:
            self._fetching = False
        self._passed.update(TP(*tp) for tp in fetched or ())
        # All are judged before the first is handed on: the client has moved on for all of them, whatever comes between.
        judged = [(TP(*tp), records, self._judge(TP(*tp), records)) for tp, records in (fetched or {}).items()]
        if generation != self._generation:
            return
        for topic in {tp.topic: None for tp, _, _ in judged}:
            own = [part for part in judged if part[0].topic == topic]
            slices = [item for part in own for item in await self._slices(*part)]
            deliveries = self._deliver(slices, generation)
            if deliveries:
                yield self._message(deliveries)
            if len(deliveries) < len(slices):
                return
            self._passed.difference_update(tp for tp, _, verdict in own if verdict is not None)

    async def _go_back(self) -> None:
        """Sends the client to where we are in the partitions of a fetch that was not handed on whole.

        The next fetch would show it too, but on a partition that gets no more records there is none.
        """
        passed = {tp: self._reading[tp].position for tp in self._passed if tp in self._reading}
        self._passed.clear()
        if passed:
            await self.seek_wait(passed)

    def _judge(self, tp: TP, fetched: Fetched) -> Verdict | None:
        reading = self._reading.get(tp)
        return reading.judge(fetched.offsets[0], fetched.offsets[-1]) if reading else None

    async def _slices(self, tp: TP, fetched: Fetched, verdict: Verdict | None) -> list[Slice]:
        reading = self._reading.get(tp)
        if reading is None:
            return []
        if verdict is Verdict.TAKE:
            return await self._take(tp, reading, fetched)
        if verdict is Verdict.STALE:
            await self._refuse_another_log(tp, reading)
        elif verdict is Verdict.SEEK_BACK:
            await self.seek_wait({tp: reading.position})
            reading.sought = True
        return []

    async def _take(self, tp: TP, reading: Reading, fetched: Fetched) -> list[Slice]:
        records = fetched.from_offset(reading.position)
        if records.by_producer is not None:
            raise NotAppendTime(tp.topic, tp.partition, records.by_producer)
        first = records.offsets[0]
        if first > reading.position:
            starts = await self.earliest_offsets(tp)
            first = reading.first_offset(first, starts[tp])
        raw = Slice(
            topic=tp.topic,
            epoch=self._logs[tp.topic].epoch,
            partition=tp.partition,
            first_offset=first,
            next_offset=records.offsets[-1] + 1,
            offsets=records.offsets,
            append_times=records.append_times,
            keys=records.keys,
            values=records.values,
        )
        return cut_at_day_change(raw, reading.append_floor, self._options.limits)

    async def _refuse_another_log(self, tp: TP, reading: Reading) -> None:
        ends = await self.highwaters(tp)
        if ends[tp] < reading.position:
            raise AnotherLog(tp.topic, f"partition {tp.partition} ends at {ends[tp]}, below {reading.position}")

    def _deliver(self, slices: Sequence[Slice], generation: int) -> list[Delivery]:
        """Those that are handed on, from the first on.

        What is not is read again: nothing but a delivery moves the ledger or the reading on.
        """
        delivered: list[Delivery] = []
        for item in slices:
            if self.should_stop or not self.flow_active or not self._ledger.delivered(item, generation):
                break
            self._reading[TP(item.topic, item.partition)].took(item.next_offset, item.append_times[-1])
            delivered.append(Delivery(item, generation))
        return delivered

    def _message(self, deliveries: list[Delivery]) -> tuple[TP, ConsumerMessage]:
        """A message that stands, to Faust, where its first slice does."""
        item = deliveries[0].item
        tp = TP(item.topic, item.partition)
        return tp, ConsumerMessage(
            topic=item.topic,
            partition=item.partition,
            offset=item.offsets[-1],
            timestamp=item.append_times[-1] / 1000,
            timestamp_type=LOG_APPEND_TIME,
            headers=(),
            key=None,
            value=deliveries,
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A message has many records, so to Faust their offsets look like records that do not exist."""

    def _filter_tps_with_pending_acks(self, topics: Collection[Any] | None = None) -> list[TP]:
        partitions = [TP(*key) for key in self._ledger.partitions()]
        return [tp for tp in partitions if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        self._acked.pop(tp, None)
        self._acked_index.pop(tp, None)
        at = self._ledger.committable(tp)
        return at.offset if at else None

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        held = self.assignment() & offsets.keys()
        positions = {tp: at for tp in held if (at := self._ledger.committable(tp)) is not None}
        if not positions or not await self._thread.commit_positions(positions, self._options.commit_timeout):
            return False
        self._committed_offset.update({tp: at.offset for tp, at in positions.items()})
        return True

    async def on_stop(self) -> None:
        """Let the running tick end, so that it is committed."""
        await self._listener.settle(self._options.settle)
        await super().on_stop()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust would warn of a slow stream by its own book-keeping; the health file says what is true."""

    def positions(self) -> list[Position]:
        """Where each partition stands."""
        return [self._position(tp, reading) for tp, reading in sorted(self._reading.items())]

    def _position(self, tp: TP, reading: Reading) -> Position:
        written = self._ledger.committable(tp)
        try:
            end = self.highwater(tp)
        except IllegalStateError:
            end = None
        return Position(
            tp.topic, tp.partition, reading.begin, reading.position, written.offset if written else reading.begin, end
        )


class SliceTransport(driver.Transport):  # type: ignore[misc]  # faust is untyped
    """Faust's aiokafka transport with the consumer above."""

    Consumer = SliceConsumer

    def __init__(
        self,
        url: list[Any],
        app: Any,
        *,
        ledger: Ledger,
        listener: Listener,
        logs: Mapping[str, Log],
        options: TransportOptions,
    ) -> None:
        super().__init__(url, app)
        self.ledger, self.listener, self.logs, self.options = ledger, listener, logs, options
