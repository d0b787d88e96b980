"""A stack of its own for a measurement, the processes measured, and what they spend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psutil

from infra.settings import ROOT, Ports, Settings, load_settings
from infra.stack.processes import leader
from infra.stack.run import down, up

SERVERS = ("kafka", "registry", "clickhouse", "topics", "schemas", "tables")
_STOP_SECONDS = 40
Report = Callable[[str], None]


class MeasurementFailed(Exception):
    """A part of a benchmark did not do its work; the message says which, and ends with what it said last."""


@contextmanager
def stack(home: Path, report: Report) -> Iterator[Settings]:
    """An empty stack of broker, registry and ClickHouse in a folder of its own, on free ports; gone afterwards.

    Also when this process is told to end by SIGTERM, which leaves by an exception from here on.
    """
    before, handler = dict(os.environ), signal.signal(signal.SIGTERM, _leave)
    os.environ |= {f"RIVERMEET_PORTS__{name.upper()}": "0" for name in Ports.model_fields}
    os.environ["RIVERMEET_HOME"] = str(home)
    try:
        down(home, wipe=True)
        up(home, SERVERS, report)
        yield load_settings(home)
    finally:
        down(home, wipe=True)
        signal.signal(signal.SIGTERM, handler)
        os.environ.clear()
        os.environ.update(before)


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[list[psutil.Process]]:
    """So many workers of the speed layer, ready and with partitions, ended afterwards."""
    log = (settings.home / "workers.log").open("wb")
    started = [
        subprocess.Popen([sys.executable, "-m", "streams"], cwd=ROOT, stdout=log, stderr=log) for _ in range(count)
    ]
    try:
        _wait(lambda: (settings.home / "run" / "worker.ready").exists(), started, settings)
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        log.close()


def _wait(ready: Callable[[], bool], started: list[subprocess.Popen[bytes]], settings: Settings) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        if any(process.poll() is not None for process in started) or time.monotonic() > deadline:
            raise MeasurementFailed(f"no worker came up: {(settings.home / 'workers.log').read_text()[-800:]}")
        time.sleep(0.1)


@contextmanager
def program(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A program of this project that prints one JSON line at its end; killed if it is left behind."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def answer(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """What the program printed. Raises MeasurementFailed when it does not end well in time."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"{process.args!r} did not end within {seconds:.0f} s") from error
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise MeasurementFailed(f"{process.args!r} ended with {process.returncode}: {err[-800:]}")
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


def whole(process: psutil.Process) -> list[psutil.Process]:
    """A process with those that it has started, of which a worker has one that sends its rows to topics."""
    return [process, *process.children(recursive=True)]


def resident(process: psutil.Process) -> int:
    """Bytes of memory that a process takes, with those that it has started."""
    return sum(int(part.memory_info().rss) for part in whole(process))


def resident_mib(workers: list[psutil.Process]) -> int:
    """What the worker that takes most memory takes."""
    return max(map(resident, workers)) >> 20


class Spent:
    """CPU seconds of processes, and of those that they have started, since this was made."""

    def __init__(self, processes: Mapping[str, list[psutil.Process]]) -> None:
        self._processes = {name: [part for one in each for part in whole(one)] for name, each in processes.items()}
        self._before = {name: sum(map(_cpu, each)) for name, each in self._processes.items()}

    def seconds(self) -> dict[str, float]:
        """Name -> CPU seconds."""
        return {name: sum(map(_cpu, each)) - self._before[name] for name, each in self._processes.items()}


def servers(settings: Settings) -> dict[str, list[psutil.Process]]:
    """The broker and the store."""
    found = {name: leader(settings.home, name) for name in ("kafka", "clickhouse")}
    return {name: [process] for name, process in found.items() if process}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
