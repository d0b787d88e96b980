"""The owner process: ``python -m infra.clickhouse --path DIR --host 127.0.0.1 --port N --users FILE``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import cast

import uvicorn

from infra.clickhouse.engine import AlreadyOwned, Engine, OpenFailed
from infra.clickhouse.server import Server
from infra.clickhouse.users import BadUsersFile, load_users

_GRACE_S = 3
_BACKLOG = 1024
_SWITCH_S = 0.0005
"""A thread that comes back from the engine asks for the interpreter at once: Python's 5 ms are two point queries."""
_KEEP_ALIVE_S = 60


def main() -> int:
    """Serves until SIGTERM or SIGINT; 1 when it cannot start, with the reason in one line on stderr.

    A query that cannot be stopped would keep the engine from closing: then the process ends as if it were killed, which
    loses nothing that was acknowledged.
    """
    options = _parser().parse_args()
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.setswitchinterval(_SWITCH_S)
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        users = load_users(options.users)
        listener = _listen(options.host, options.port)
        engine = Engine(options.path, options.memory_bytes)
    except (BadUsersFile, AlreadyOwned, OpenFailed, OSError) as error:
        sys.stderr.write(f"clickhouse: {error}\n")
        return 1
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        closed = runner.run(_serve(Server(engine, users, options.slots), listener))
    if not closed:
        os._exit(1)
    engine.close()
    return 0


async def _serve(server: Server, listener: socket.socket) -> bool:
    """Serves until a signal; whether every query has ended."""
    listener.listen(_BACKLOG)
    config = uvicorn.Config(
        server,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
        proxy_headers=False,
    )
    sweeping = asyncio.ensure_future(server.sweep())
    host, port = cast("tuple[str, int]", listener.getsockname()[:2])
    sys.stdout.write(f"clickhouse: ready on {host}:{port}\n")
    sys.stdout.flush()
    web = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # When it has served, uvicorn raises the signal anew for whoever handled it before: that would end the process
        # before the engine is closed.
        signal.signal(number, web.handle_exit)
    try:
        await web.serve(sockets=[listener])
    finally:
        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping
    return await server.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="folder of the store; made if it is not there")
    parser.add_argument("--users", type=Path, required=True, help="JSON file of the users, mode 0600")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8123, help="port to listen on; 0 takes a free one")
    parser.add_argument("--memory-bytes", type=int, default=4 << 30, help="most memory the engine may take")
    parser.add_argument("--slots", type=int, default=12, help="queries that run at once")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
