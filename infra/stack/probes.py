"""Asking a server whether it is there; "no" is an answer, not an error."""

from __future__ import annotations

import http.client
import socket

from infra.settings import LOOPBACK

SECONDS = 2.0


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback address."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=SECONDS):
            return True
    except OSError:
        return False


def get(port: int, path: str) -> bytes | None:
    """The body of a successful GET on loopback; None if the server is not there or answers otherwise."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if response.status == http.client.OK else None
