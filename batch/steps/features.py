"""Features of users and products: made from finished recomputes, written to the lake, loaded into ClickHouse."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any

from batch.datasets import DATASETS
from batch.feature_loads import FeatureLoad, load_features
from batch.features import FeatureReport, Inputs, Wiring, newest_trace
from batch.lake import create_tables, load_table
from batch.publication import ATTEMPT_BITS
from batch.recommendations import generate
from batch.results import Manifest, NoSuchRun
from batch.segments import calculate
from batch.steps.resources import Resources
from schemas.segments import LOOKBACK
from schemas.tables.features import DAY_TABLES, FEATURE_TABLES, PRODUCT_PAIRS, USER_FEATURES
from schemas.tables.lake import LakeTable

log = logging.getLogger(__name__)


class FeatureSteps(Resources):
    """What is done to features of days."""

    def segments(self, day: date, runs: Mapping[str, str | None]) -> FeatureReport:
        """Makes the features of users of the days of finished recomputes, by default the newest that have the day."""
        create_tables(self.catalog, [*DAY_TABLES, *FEATURE_TABLES])
        inputs = self._inputs(day, runs)
        return self._newer(inputs, USER_FEATURES) or calculate(self._wiring(inputs), inputs)

    def recommendations(self, day: date, runs: Mapping[str, str | None]) -> FeatureReport:
        """Makes the features of products and their neighbours, from the same recomputes."""
        create_tables(self.catalog, [*DAY_TABLES, *FEATURE_TABLES])
        inputs = self._inputs(day, runs)
        return self._newer(inputs, PRODUCT_PAIRS) or generate(self._wiring(inputs), inputs)

    def load_features(self, day: date) -> FeatureLoad:
        """Loads the features of a day, and of those made with it, into ClickHouse."""
        create_tables(self.catalog, FEATURE_TABLES)
        return load_features(self.client, self.catalog, day, self.clock(), secrets.randbelow(1 << ATTEMPT_BITS))

    def backfill_features(self, days: Collection[date]) -> list[FeatureLoad]:
        """Makes and loads the features of days, oldest first, with those that were computed with them."""
        left, done = sorted(days), []
        while left:
            log.info("making features of %s and of what was computed with it", left[0])
            self.segments(left[0], {})
            self.recommendations(left[0], {})
            done.append(self.load_features(left[0]))
            left = [day for day in left if day not in done[-1].days]
        return done

    def _newer(self, inputs: Inputs, written_last: LakeTable) -> FeatureReport | None:
        """Says so where features of one of the days were made from newer recomputes, which older ones must not replace:
        else those of users and of products would be of different ones when two runs do days together."""
        written = load_table(self.catalog, written_last)
        for day in inputs.days:
            trace = newest_trace(written, day)
            if trace is not None and trace.is_newer(inputs.trace):
                log.info("features of %s are of newer recomputes already, and stay", day)
                return FeatureReport(trace.runs, inputs.days, {})
        return None

    def _wiring(self, inputs: Inputs) -> Wiring[Any]:
        first = inputs.days[0] - timedelta(days=LOOKBACK)
        window = [first + timedelta(days=ahead) for ahead in range((inputs.days[-1] - first).days + 1)]
        rows = sum(self.pinned(DATASETS[one.dataset]).landed_rows(window) for one in inputs.manifests)
        return Wiring(self.engine(rows), self.results)

    def _inputs(self, day: date, runs: Mapping[str, str | None]) -> Inputs:
        """The recomputes that are named; of a dataset that is not, the newest with the day, if any."""
        found = [self._recomputed(name, day, runs.get(name)) for name in DATASETS]
        manifests = tuple(manifest for manifest in found if manifest)
        if not manifests:
            raise NoSuchRun("any dataset", f"of {day}")
        return Inputs(manifests)

    def _recomputed(self, dataset: str, day: date, run: str | None) -> Manifest | None:
        if run:
            return self.results.manifest(dataset, run)
        try:
            return self.results.newest(dataset, day)
        except NoSuchRun:
            return None
