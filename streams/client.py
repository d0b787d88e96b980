"""The thread in which the Kafka client lives, and how it commits."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CommitFailedError, CorruptRecordException, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.fetched import Fetched, columns_of
from streams.ledger import Committable

log = logging.getLogger(__name__)


class RawRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka is untyped
    """Hands records on as the client parsed them, by whole batches.

    Copying each into another object, one step of a generator at a time, costs more than the parsing. Transactions are
    read uncommitted, as Faust's consumer is told to.
    """

    next_fetch_offset: int

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # An iterator over records that nobody uses would keep this, with all that was fetched, until cycles are found.
        self._records_iterator = None
        self._left = Fetched()
        self._end = self.next_fetch_offset

    def take(self, most: int | None) -> Fetched:
        """The next records, at most so many; none where there are no more. Raises CorruptRecordException."""
        taken, self._left = self._left, Fetched()
        while self._records.has_next() and (most is None or len(taken) < most):
            taken.add(self._batch(self._records.next_batch()))
        if most is not None and len(taken) > most:
            taken, self._left = taken.part(0, most), taken.part(most)
        self.next_fetch_offset = self._left.offsets[0] if self._left else self._end
        return taken

    @property
    def done(self) -> bool:
        """Whether all have been taken."""
        return not (self._left or self._records.has_next())

    def _batch(self, batch: Any) -> Fetched:
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        # A compressed batch comes whole, also where the fetch begins within it.
        begin, self._end = self._end, batch.next_offset
        return Fetched() if batch.is_control_batch else columns_of(list(batch)).from_offset(begin)


class RawResult(fetcher.FetchResult):  # type: ignore[misc]  # aiokafka is untyped
    """What a fetch brought of one partition."""

    _partition_records: RawRecords | None

    def getall(self, max_records: int | None = None) -> Fetched:
        """The next records, at most so many."""
        if not self.check_assignment(self._topic_partition) or self._partition_records is None:
            return Fetched()
        records = self._partition_records.take(max_records)
        self._update_position()
        if self._partition_records.done:
            self._partition_records = None
        return records


class SliceThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # faust is untyped
    """The thread that the Kafka client lives in."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        fetcher.PartitionRecords, fetcher.FetchResult = RawRecords, RawResult  # the client has no other way to be told
        options = transport.options  # Faust fixes them at 1,500 ms and one byte
        consumer._fetch_max_wait_ms, consumer._fetch_min_bytes = options.wait_ms(0), options.fetch_bytes
        return consumer

    def hold_fetches(self, milliseconds: int) -> None:
        """For how long the broker holds the fetches that follow, at most."""
        if self._consumer is not None and self._consumer._fetcher is not None:
            self._consumer._fetcher._fetch_max_wait_ms = milliseconds

    async def committed(self, partitions: Collection[TP]) -> dict[TP, Committable]:
        """Committed offset and append time of those partitions that have one."""
        coordinator = self._ensure_consumer()._coordinator
        found = await self.call_thread(coordinator.fetch_committed_offsets, [TopicPartition(*tp) for tp in partitions])
        return {TP(*tp): Committable(at.offset, _append_time(at.metadata)) for tp, at in found.items()}

    async def commit_positions(self, positions: Mapping[TP, Committable], timeout: float) -> bool:
        """Commit, and say whether it is done. False if the partitions are lost or the brokers do not answer."""
        return bool(await self.call_thread(self._commit_positions, positions, timeout))

    async def _commit_positions(self, positions: Mapping[TP, Committable], timeout: float) -> bool:
        offsets = {
            TopicPartition(*tp): OffsetAndMetadata(at.offset, str(at.append_time)) for tp, at in positions.items()
        }
        if self._ensure_consumer()._coordinator.generation == driver.DEFAULT_GENERATION_ID:
            # Brokers take the commit of a stranger while a group is empty; it could take back a later owner's.
            return False
        try:
            # The client itself would try again without end while no broker answers.
            await asyncio.wait_for(self._ensure_consumer().commit(offsets), timeout)
        except (CommitFailedError, IllegalStateError) as lost:
            log.info("not committed, the partitions are no longer ours: %s", lost)
            return False
        except TimeoutError:
            log.warning("not committed: no answer within %.0f s", timeout)
            return False
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("not committed: %r", error)
            return False
        return True


def _append_time(metadata: str) -> int:
    return int(metadata) if metadata.isdecimal() else 0
