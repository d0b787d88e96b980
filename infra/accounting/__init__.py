"""The accounting law, held for both layers: of each partition, records = used + duplicates + dead letters + cold."""

from infra.accounting.lake import Lake
from infra.accounting.law import VERDICTS, Account, Entry, Layer, Log, Span, entries, total
from infra.accounting.speed import Speed

__all__ = ["VERDICTS", "Account", "Entry", "Lake", "Layer", "Log", "Span", "Speed", "entries", "total"]
