"""Small programs for a fork server to fork."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

IMPORTED_BY = os.getpid()


def tell() -> None:
    """Say what it is, then wait to be ended."""
    facts = {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "imported_by": IMPORTED_BY,
        "arguments": sys.argv[1:],
        "service": os.environ["RIVERMEET_SERVICE"],
        "home": os.environ["RIVERMEET_HOME"],
        "child_signal": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        "threads": threading.active_count(),
        "stdin": str(Path("/proc/self/fd/0").readlink()),
    }
    sys.stdout.write(json.dumps(facts))
    sys.stdout.flush()
    signal.pause()


def fail() -> str:
    """End as a program does that cannot go on."""
    return "no such disk"
