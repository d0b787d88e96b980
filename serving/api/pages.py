"""The dashboard's page and what it loads; all from this process, nothing from another host."""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import sha256
from pathlib import Path

import plotly
from fastapi import APIRouter, Request, Response

router = APIRouter(include_in_schema=False)

_PAGE = Path(__file__).parents[1] / "dashboard" / "page"
_FILES = {
    "dashboard.css": (_PAGE / "dashboard.css", "text/css"),
    "dashboard.js": (_PAGE / "dashboard.js", "text/javascript"),
    "plotly.min.js": (Path(plotly.__file__).parent / "package_data" / "plotly.min.js", "text/javascript"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_EFFORT = 5
_FOREVER = "public, max-age=31536000, immutable"


@router.get("/")
def page() -> Response:
    """The page, which names its files by their content."""
    text = (_PAGE / "index.html").read_text()
    for name in _FILES:
        text = text.replace(f"/assets/{name}", f"/assets/{name}?v={_version(name)}")
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return Response(text, media_type="text/html", headers=headers)


@router.get("/assets/{name}")
def asset(request: Request, name: str) -> Response:
    """A file of the page, compressed for those who read that."""
    if name not in _FILES:
        return Response(status_code=404)
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_packed(name), media_type=_FILES[name][1], headers={**headers, "Content-Encoding": "gzip"})
    return Response(_plain(name), media_type=_FILES[name][1], headers=headers)


@cache
def _plain(name: str) -> bytes:
    return _FILES[name][0].read_bytes()


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_plain(name), _EFFORT)


@cache
def _version(name: str) -> str:
    return sha256(_plain(name)).hexdigest()[:16]
