"""What a power cut does to a service of the local stack."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from infra.stack.processes import find


def kill(home: Path, service: str) -> None:
    """End all processes of a service, what it has started too, without a word to them."""
    processes = find(home)[service].members
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert not psutil.wait_procs(processes, 10)[1]
