"""A stack for one test run: in a temporary folder, on free ports, each server started when first asked for."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from infra.settings import Ports, Settings, load_settings
from infra.stack.processes import find
from infra.stack.run import down, up


class RunStack:
    """Servers of one test run; `server` starts them lazily, `stop` ends all."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def server(self, *names: str) -> Settings:
        """Start these services or steps and what they need, unless they run; answers the settings that lead there."""
        up(self.home, names, lambda _line: None)
        return load_settings(self.home)

    def stop(self) -> None:
        """End all processes and remove the folder."""
        down(self.home, wipe=True)


def listening_addresses(home: Path) -> set[str]:
    """The addresses on which the processes of a stack accept connections."""
    ours = {process.pid for running in find(home).values() for process in running.members}
    found = [(c.pid, c.laddr) for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return {address.ip.removeprefix("::ffff:") for pid, address in found if pid in ours and address}


def free_port_environment() -> dict[str, str]:
    """Variables under which a stack picks every port itself."""
    return {f"RIVERMEET_PORTS__{name.upper()}": "0" for name in Ports.model_fields}


def clear_settings() -> None:
    """Forget the settings of the caller's shell: a test run must never reach a stack that somebody works with."""
    for name in [name for name in os.environ if name.startswith("RIVERMEET_")]:
        if name != "RIVERMEET_CACHE" and not name.startswith("RIVERMEET_TEST_"):
            del os.environ[name]
