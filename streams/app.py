"""The worker: Faust's app with our transport, an agent for each input topic, and the ticker."""

import asyncio
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import faust
from faust.serializers.schemas import Schema
from yarl import URL

from infra.allocation import give_back
from infra.settings import Kafka
from streams.health import HealthFiles, status
from streams.hold import Log, TransportOptions
from streams.identity import verify
from streams.ledger import Committable, Ledger, TopicPartition
from streams.pending import Pending, PendingLimits
from streams.ticking import Engine, Ticker, TickPolicy
from streams.transport import SliceTransport

log = logging.getLogger(__name__)

STOP_SECONDS = 25.0
HEALTH_SECONDS = 1.0
GIVE_BACK_SECONDS = 10.0
"""Memory that is taken anew costs a few ms for each 100 MB; so much passes through some ticks."""


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """How soon a dead worker is noticed; seconds, as the consumer group protocol names them."""

    session: float = 10.0
    heartbeat: float = 2.0
    rebalance: float = 15.0
    request: float = 20.0
    commit: float = 1.0


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker needs to know.

    `group` is the consumer group, `folder` takes the health files; `waits` are the engine's errors that time mends;
    `stages` is what the engine has spent, by stage, in CPU seconds; `applied` asks the store how far it
    is whole (see `streams.progress.applied`).
    """

    kafka: Kafka
    group: str
    folder: Path
    fetch_records: int = 20_000
    group_times: GroupTimes = field(default_factory=GroupTimes)
    transport: TransportOptions = field(default_factory=TransportOptions)
    pending: PendingLimits = field(default_factory=PendingLimits)
    ticks: TickPolicy = field(default_factory=TickPolicy)
    waits: tuple[type[Exception], ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict)
    applied: Callable[[], Mapping[tuple[str, int, int], tuple[int, int]]] | None = None


class Wiring:
    """One worker's parts, put together."""

    def __init__(self, options: WorkerOptions, logs: Mapping[str, Log], engine: Engine[Any]) -> None:
        self.options, self.logs = options, logs
        self.health = HealthFiles(options.folder)
        self.ledger = Ledger()
        self.pending = Pending(self.ledger, options.pending)
        self.app = _faust_app(options)
        self.ticker = Ticker(
            engine,
            self.ledger,
            self.pending,
            options.ticks,
            should_stop=lambda: bool(self.app.should_stop),
            sleep=self.app.sleep,
            clock=time.time,
            random=Random(),  # noqa: S311 - spreads retries, no secret
            waits=options.waits,
            pace=self._pace,
        )
        self.app.transport = SliceTransport(
            [URL(address) for address in _addresses(options.kafka)],
            self.app,
            ledger=self.ledger,
            listener=self,
            logs=logs,
            options=options.transport,
        )
        for topic in logs:
            self._collect(topic)
        self.app.task(self._tick)
        self.app.timer(HEALTH_SECONDS)(self._report)
        self.app.timer(GIVE_BACK_SECONDS)(self._give_back)

    async def verify(self) -> None:
        """See `streams.hold.Listener`."""
        await asyncio.to_thread(verify, self.options.kafka.client_config(), self.logs)

    async def applied(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Committable] | None:
        """See `streams.hold.Listener`. The engine waits for a store that does not answer; reading does not."""
        if self.options.applied is None:
            return None
        try:
            found = await asyncio.to_thread(self.options.applied)
        except self.options.waits as error:
            log.warning("beginning where was committed, since the store does not say how far it is: %s", error)
            return None
        known = {(topic, p): at for (topic, epoch, p), at in found.items() if self.logs[topic].epoch == epoch}
        return {(topic, p): Committable(*known[topic, p]) for topic, p in partitions if (topic, p) in known}

    async def settle(self, timeout: float) -> None:
        """See `streams.hold.Listener`."""
        await self.ticker.settle(timeout)

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """See `streams.hold.Listener`."""
        self.health.gone()
        self.ticker.lost(partitions)

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """See `streams.hold.Listener`."""
        log.info("reading %d partitions", len(partitions))
        self.health.ready()

    def _collect(self, topic: str) -> None:
        """An agent that moves the slices of one topic into the buffer, and waits there while it is full."""

        async def collect(stream: Any) -> None:
            async for deliveries in stream:
                await self.pending.put(deliveries)

        channel = self.app.topic(topic, schema=AsDelivered(), acks=True)
        self.app.agent(channel, name=f"collect-{topic}", concurrency=1)(collect)

    def _pace(self, seconds: float) -> None:
        self.app.consumer.hold_fetches(seconds)

    async def _tick(self) -> None:
        try:
            await self.ticker.run()
        except Exception as error:
            log.critical("%s", error)
            raise

    async def _report(self) -> None:
        self.health.write(
            status(
                time.time(),
                self.app.consumer.positions(),
                self.logs,
                self.pending,
                self.ticker.stats,
                self.ticker.waiting_for,
                self.options.stages,
            )
        )

    async def _give_back(self) -> None:
        await asyncio.to_thread(give_back)


class AsDelivered(Schema):  # type: ignore[misc]  # faust is untyped
    """Hands the value of a message on as it is; records are decoded by the engine, a tick's at a time."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002
        """No key: slices have many."""
        return None

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002
        """The slices with their generation."""
        return message.value


class Worker(faust.Worker):  # type: ignore[misc]  # faust is untyped
    """Ends within `STOP_SECONDS` of a signal or a crash, whatever hangs: what is not committed is read again."""

    def __init__(self, app: Any) -> None:
        super().__init__(app, override_logging=False, redirect_stdouts=False, quiet=True)
        self.spinner = None

    def _schedule_shutdown(self, signal: Any) -> None:
        end_within(STOP_SECONDS)
        super()._schedule_shutdown(signal)

    def _crash(self, reason: BaseException) -> None:
        # A rebalance may come while all is being stopped, and wait for what has stopped already.
        end_within(STOP_SECONDS)
        super()._crash(reason)


def run(options: WorkerOptions, logs: Mapping[str, Log], engine: Engine[Any]) -> NoReturn:
    """Work until SIGTERM or SIGINT (exit code 0), or until something cannot be mended by waiting (1)."""
    wiring = Wiring(options, logs, engine)
    try:
        Worker(wiring.app).execute_from_commandline()
    finally:
        wiring.health.gone()
    raise SystemExit(1)  # not reached: Faust's worker always exits, which its types do not say


def end_within(seconds: float) -> None:
    """Make sure that this process ends, by force if it has not by then."""

    def end() -> None:
        log.error("still not ended after %.0f s: ending by force", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _faust_app(options: WorkerOptions) -> Any:
    times = options.group_times
    return faust.App(
        options.group,
        broker=";".join(_addresses(options.kafka)),
        broker_credentials=_credentials(options.kafka),
        datadir=options.folder / "faust",
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        stream_buffer_maxsize=2,  # fetches; more would wait outside of the bounds of `Pending`
        broker_max_poll_records=options.fetch_records,
        # A long outage of a sink stops the fetching; that must not cost the worker its membership.
        broker_max_poll_interval=7 * 86_400.0,
        broker_commit_interval=times.commit,
        broker_session_timeout=times.session,
        broker_heartbeat_interval=times.heartbeat,
        broker_rebalance_timeout=times.rebalance,
        broker_request_timeout=times.request,
    )


def _addresses(kafka: Kafka) -> list[str]:
    return [f"kafka://{address.strip()}" for address in kafka.bootstrap.split(",")]


def _credentials(kafka: Kafka) -> Any:
    """The login in Faust's terms; None for plaintext."""
    context = ssl.create_default_context() if kafka.security_protocol.endswith("SSL") else None
    if kafka.security_protocol.startswith("SASL"):
        password = kafka.password.get_secret_value()
        return faust.SASLCredentials(
            username=kafka.user, password=password, mechanism=kafka.sasl_mechanism, ssl_context=context
        )
    return faust.SSLCredentials(context) if context else None
