"""The thread in which the Kafka client lives, and how it commits."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.ledger import Committable

log = logging.getLogger(__name__)


class RawRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka is untyped
    """Hands records on as the client parsed them: copying each into another object costs more than the parsing."""

    def _consumer_record(self, _tp: TopicPartition, record: Any) -> Any:
        return record


class SliceThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # faust is untyped
    """The thread that the Kafka client lives in."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        fetcher.PartitionRecords = RawRecords  # the client has no other way to be told
        consumer._fetch_max_wait_ms = int(transport.options.fetch_wait * 1000)  # Faust fixes it at 1,500
        return consumer

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
