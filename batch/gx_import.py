"""What this project takes of Great Expectations. Import it from here and nowhere else.

It imports statistics and charts for expectations that no rule of ours becomes: a third of its 4 CPU seconds.
"""

from __future__ import annotations

from batch.later import import_later

for _unused in ("scipy.stats", "altair"):
    import_later(_unused)

from great_expectations import ExpectationSuite, ValidationDefinition, expectations, get_context  # noqa: E402

__all__ = ["ExpectationSuite", "ValidationDefinition", "expectations", "get_context"]
