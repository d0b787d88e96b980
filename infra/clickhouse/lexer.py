"""The tokens of a statement, as far as cutting one needs them; what it means is left to the engine's parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/)
    |(?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    |(?P<quoted>"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
    |(?P<string>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<number>\d[\w.]*)
    |(?P<sign>/\*|.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENING = (b"'", b'"', b"`", b"$", b"/*")
_DEPTH = {b"(": 1, b"[": 1, b"{": 1, b")": -1, b"]": -1, b"}": -1}


@dataclass(frozen=True, slots=True)
class Token:
    """A token's kind (word, quoted, string, number, sign), its bytes' place, and how many brackets are open there."""

    kind: str
    start: int
    end: int
    text: bytes
    depth: int

    @property
    def name(self) -> str:
        """What the token names, without quotes."""
        return self.text.decode("utf-8", "replace").strip('`"')

    @property
    def opens(self) -> bool:
        """Whether the token is the beginning of a string, name or comment that the text does not end."""
        return self.kind == "sign" and self.text in _OPENING

    def is_word(self, *words: bytes) -> bool:
        """Whether the token is one of these bare words (given in upper case), in any case."""
        return self.kind == "word" and self.text.upper() in words


def tokens(sql: bytes) -> Iterator[Token]:
    """All tokens but white space and comments."""
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind is None or kind == "space":
            continue
        text = match.group()
        depth += _DEPTH.get(text, 0)
        yield Token(kind, match.start(), match.end(), text, depth)
