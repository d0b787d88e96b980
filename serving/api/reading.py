"""One page of a view, as every listing of the API is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.clients.clickhouse import Client
from serving.api.caching import Caching
from serving.api.context import Context
from serving.api.days import WITHIN, Days
from serving.api.models import View
from serving.api.paging import Keyset, Page
from serving.api.problems import (
    FORBIDDEN,
    INCOMPLETE,
    INVALID,
    PAGE_EXPIRED,
    TOO_MANY,
    UNAUTHENTICATED,
    UNAVAILABLE,
    documented,
)
from serving.api.provenance import Dataset, consistent
from serving.api.store import rows

PROBLEMS = documented(INVALID, UNAUTHENTICATED, FORBIDDEN, INCOMPLETE, PAGE_EXPIRED, TOO_MANY, UNAVAILABLE)
"""`responses` of every route that reads a page."""


@dataclass(frozen=True)
class Listing:
    """Rows of a view within days, of one tenant or (None) of all, that meet all `conditions` (SQL -> parameters).

    `caching`: the request, where its answer has an ETag.
    """

    view: View
    dataset: Dataset
    keyset: Keyset
    days: Days
    tenant: str | None
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    caching: Caching | None = None

    def read(self, context: Context, size: int, cursor: str | None) -> dict[str, Any]:
        """A page with its provenance. Raises `Problem`, and `NotModified` where the caller has the answer already."""
        page = Page(self.keyset, repr((self.view.name, str(self.days), self.tenant, self.conditions)), size, cursor)
        after, publication = page.start()
        sql, parameters = self._query(after, size)

        def fetch(client: Client) -> list[dict[str, Any]]:
            return rows(client, sql, self.view.columns, parameters)

        found, observed, origin = consistent(
            context.store, context.clock, self.dataset, self.days, fetch, publication, context.log.of(self.dataset)
        )
        answer = page.cut(found, observed.publication) | {"provenance": origin}
        return answer if self.caching is None else self.caching.of(answer, self.days, context.clock())

    def _query(self, after: Mapping[str, Any], size: int) -> tuple[str, dict[str, Any]]:
        parts: dict[str, Mapping[str, Any]] = {WITHIN: self.days.parameters, **self.conditions}
        if self.tenant is not None:
            parts["tenant_id = {tenant:String}"] = {"tenant": self.tenant}
        if after:
            parts[self.keyset.after] = after
        parameters = {name: value for values in parts.values() for name, value in values.items()}
        sql = f"{self.view.select} WHERE {' AND '.join(parts)} {self.keyset.order} LIMIT {{row_limit:UInt32}}"
        return sql, parameters | {"row_limit": size + 1}
