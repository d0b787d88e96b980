"""A strict reader of Avro bytes that builds nothing: it finds where a record ends, or names what is wrong with it.

It judges exactly as the bulk decoder does and is the slow one: it runs on records that were refused, to give the
reason, and before a single record is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from schemas.avro_types import Array, Enumeration, Map, Nullable, Primitive, Record, Type
from schemas.reasons import Reason, Refused

_CONTINUES = 0x80
_WORD_BITS = 64
_WORD = 2**64 - 1
_MOST_NEGATIVE = -(2**63)
_FIXED_WIDTH = {"float": 4, "double": 8}
_INT_LIMIT = 2**31


def check(data: bytes, start: int, schema: Type) -> None:
    """Pass when a record of `schema` begins at `start` and ends where the data does; else raise Refused."""
    scanner = _Scanner(data, start)
    scanner.skip(schema)
    left = len(data) - scanner.position
    if left:
        raise Refused(Reason.TRAILING_BYTES, f"{left} bytes after the record, which ends at byte {scanner.position}")


@dataclass
class _Scanner:
    data: bytes
    position: int

    def skip(self, schema: Type) -> None:
        match schema:
            case Primitive(name):
                self._primitive(name)
            case Enumeration(name, symbols):
                index = self._varint()
                if not 0 <= index < len(symbols):
                    self._refuse(Reason.UNKNOWN_SYMBOL, f"{name} has no symbol {index}")
            case Nullable(inner, null_first):
                self._union(inner, null_first)
            case Array(items):
                self._blocks((items,))
            case Map(values):
                self._blocks((Primitive("string"), values))
            case Record(_, fields):
                for field in fields:
                    self.skip(field.type)

    def _refuse(self, reason: Reason, message: str) -> NoReturn:
        raise Refused(reason, f"{message}, at byte {self.position}")

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            self._refuse(Reason.TRUNCATED, f"{count} bytes wanted, {len(self.data) - self.position} left")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def _varint(self) -> int:
        """A zigzag number; bits past the 64th are dropped, as all readers do."""
        result, shift = 0, 0
        while (byte := self._take(1)[0]) >= _CONTINUES:
            result |= (byte - _CONTINUES) << shift
            shift += 7
            if shift >= _WORD_BITS:
                self._refuse(Reason.BAD_VARINT, "a number of more than 10 bytes")
        result = (result | byte << shift) & _WORD
        return (result >> 1) ^ -(result & 1)

    def _primitive(self, name: str) -> None:
        if name in _FIXED_WIDTH:
            self._take(_FIXED_WIDTH[name])
        elif name == "boolean":
            if self._take(1)[0] > 1:
                self._refuse(Reason.BAD_BOOLEAN, "a boolean that is neither 0 nor 1")
        elif name == "long":
            self._varint()
        elif name == "int":
            self._int()
        else:
            self._text(name)

    def _int(self) -> None:
        number = self._varint()
        if not -_INT_LIMIT <= number < _INT_LIMIT:
            self._refuse(Reason.INT_RANGE, f"{number} does not fit into an int")

    def _text(self, name: str) -> None:
        length = self._varint()
        if length < 0:
            self._refuse(Reason.BAD_LENGTH, f"a {name} of {length} bytes")
        taken = self._take(length)
        if name == "string":
            try:
                taken.decode("utf-8")
            except UnicodeDecodeError as error:
                raise Refused(Reason.INVALID_UTF8, f"{error.reason}, before byte {self.position}") from error

    def _union(self, inner: Type, null_first: bool) -> None:
        branch = self._varint()
        if branch not in (0, 1):
            self._refuse(Reason.BAD_BRANCH, f"a union has no branch {branch}")
        if branch == int(null_first):
            self.skip(inner)

    def _blocks(self, parts: tuple[Type, ...]) -> None:
        """Items in blocks until one of none. After a negative count comes the size of the block, not needed here."""
        while count := self._varint():
            if count < 0:
                self._varint()
                # The one count that has no positive in 64 bits reads as a block of nothing.
                count = 0 if count == _MOST_NEGATIVE else -count
            if count > len(self.data) - self.position:
                self._refuse(Reason.ITEM_COUNT, f"{count} items claimed, {len(self.data) - self.position} bytes left")
            for _ in range(count):
                for part in parts:
                    self.skip(part)
