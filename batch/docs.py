"""Reports and Data Docs over HTTP, for a browser on this machine."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from infra.settings import LOOPBACK


def docs_server(state: Path, port: int) -> ThreadingHTTPServer:
    """A server on loopback of the folders `gate` and `reports` below the state folder; port 0 picks a free one."""
    return ThreadingHTTPServer((LOOPBACK, port), partial(_Docs, directory=str(state)))


class _Docs(SimpleHTTPRequestHandler):
    """Shows reports and Data Docs, and nothing else of the folder."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".md": "text/plain; charset=utf-8"}  # noqa: RUF012

    def translate_path(self, path: str) -> str:
        """The file of a path; what lies outside the two folders is not there."""
        file = Path(super().translate_path(path))
        shown = [Path(self.directory, name) for name in ("gate", "reports")]
        inside = any(file.is_relative_to(folder) for folder in shown)
        return str(file if inside else Path(self.directory, "gate"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Requests are not worth a line."""
