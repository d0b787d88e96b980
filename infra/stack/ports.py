"""Whether the ports that services want are free, and who has them if not."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import psutil

from infra.settings import LOOPBACK, Settings
from infra.stack.errors import PortTakenError
from infra.stack.plan import Service


def check_ports(settings: Settings, services: Iterable[Service]) -> None:
    """Raise `PortTakenError` for the first port on which a service that does not run yet could not listen."""
    for service in services:
        for name in service.ports:
            port = getattr(settings.ports, name)
            if not is_free(port):
                raise PortTakenError(name, port, holder_of(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address."""
    with socket.socket() as probe:
        # As servers do, so that connections of an earlier one that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Name and number of the process that listens on a port, where this user may know it."""
    for connection in psutil.net_connections("tcp"):
        address = connection.laddr
        if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program"
