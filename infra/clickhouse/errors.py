"""ClickHouse's errors: their codes, their text, and the HTTP status that each is sent with."""

from __future__ import annotations

import re
from enum import IntEnum

VERSION = "26.9.2.1"
_MESSAGE = re.compile(r"Code:\s*(\d+)\.")
_UNCLASSIFIED = 1002


class Code(IntEnum):
    """Codes that the owner raises itself; the engine knows some two thousand more."""

    BAD_ARGUMENTS = 36
    NOT_IMPLEMENTED = 48
    SYNTAX_ERROR = 62
    UNKNOWN_COMPRESSION_METHOD = 89
    INCORRECT_DATA = 117
    READONLY = 164
    TOO_DEEP_AST = 167
    TOO_MANY_SIMULTANEOUS_QUERIES = 202
    SOCKET_TIMEOUT = 209
    ABORTED = 236
    SESSION_NOT_FOUND = 372
    SESSION_IS_LOCKED = 373
    ACCESS_DENIED = 497
    AUTHENTICATION_FAILED = 516


class QueryError(Exception):
    """A request that failed, as ClickHouse tells its clients: `code` is ClickHouse's, `message` says what to do."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = int(code)
        self.message = message

    @classmethod
    def of(cls, code: Code, message: str) -> QueryError:
        """An error of the owner's own, worded the way the engine words its errors."""
        return cls(code, f"Code: {code.value}. DB::Exception: {message}. ({code.name}) (version {VERSION})")

    @classmethod
    def from_engine(cls, text: str) -> QueryError:
        """The engine's error, whatever the binding has put in front of it."""
        found = _MESSAGE.search(text)
        if not found:
            return cls(_UNCLASSIFIED, f"Code: {_UNCLASSIFIED}. DB::Exception: {text} (UNKNOWN_EXCEPTION)")
        return cls(int(found.group(1)), text[found.start() :].strip())

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse sends with this code."""
        return _STATUS.get(self.code, 500)


def _statuses() -> dict[int, int]:
    by_status = {
        400: (
            6,
            8,
            15,
            25,
            26,
            27,
            36,
            37,
            38,
            41,
            44,
            53,
            62,
            72,
            117,
            123,
            167,
            168,
            223,
            321,
            376,
            427,
            441,
            675,
            676,
        ),
        401: (194,),
        403: (192, 193, 497, 512, 516),
        404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
        408: (159,),
        411: (381,),
        413: (229,),
        415: (779,),
        501: (48,),
        503: (76, 209, 439),
    }
    return {code: status for status, codes in by_status.items() for code in codes}


_STATUS = _statuses()
