"""A process that takes rows as `streams.sender` does, and notes in a file what it is told instead of sending it."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from socket import socket

from streams.framing import receive
from streams.outputs import OutputUnavailable
from streams.sender import end_with
from streams.sending import serve
from streams.writes import Write


class Noting:
    """Notes table and values of the rows; what the first value names is raised instead."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def send(self, write: Write, schema_id: int) -> None:
        values = write.rows["value"].to_list()
        match values[0]:
            case "unavailable":
                raise OutputUnavailable(3, "no answer")
            case "broken":
                raise KeyError("no such column")
        self.note([write.table, schema_id, values])

    def confirm(self) -> None:
        self.note(["confirm"])

    def note(self, what: list[object]) -> None:
        with self._file.open("a") as notes:
            notes.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    worker = socket(fileno=int(sys.argv[2]))
    end_with(worker)
    notes = Noting(Path(sys.argv[1]))
    notes.note(["started", pickle.loads(receive(worker))])
    serve(worker, notes)
