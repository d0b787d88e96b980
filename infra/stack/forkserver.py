"""The process that our own programs are forked from: ``python -m infra.stack.forkserver MODULE...``.

What they share takes seconds to import, and is imported here once. It lives as long as the `up` that started it; the
programs then are orphans, as every service is. It speaks with `up` over the socket that is its standard input: a line
of JSON asks for a program, and a line with the number of its process is the answer.

Threads do not survive a fork: nothing is run here, only imported.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
from typing import Any

from infra.stack.imports import load


def main() -> None:
    """Import, then fork what is asked for until nobody can ask any more."""
    load(sys.argv[1:])
    # Who ends must not stay as a zombie, which looks alive.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    request = _serve()
    if request is not None:
        _become(request)


def _serve() -> dict[str, Any] | None:
    """Answers None when `up` has ended, and in a new process what that one shall be."""
    with socket.socket(fileno=os.dup(0)) as connection, connection.makefile("r", encoding="utf-8") as requests:
        for line in requests:
            pid = os.fork()
            if not pid:
                return dict(json.loads(line))
            connection.sendall(f"{pid}\n".encode())
    return None


def _become(request: dict[str, Any]) -> None:
    """Leave everything of the parent behind but its modules, and run the program as its own command would."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.environ.update(request["environment"])
    module, function = request["entry"].split(":")
    sys.argv = [module, *request["arguments"]]
    sys.exit(getattr(importlib.import_module(module), function)())


if __name__ == "__main__":
    main()
