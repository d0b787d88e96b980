"""The real data sets for end-to-end tests; the facts about them are counted once a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.replay.data import find_data
from tests.infra.replay.facts import Rees46Facts, RetailFacts, rees46_facts, retail_facts


@pytest.fixture(scope="session")
def data_folder() -> Path:
    return find_data()


@pytest.fixture(scope="session")
def retail(data_folder: Path) -> RetailFacts:
    return retail_facts(data_folder)


@pytest.fixture(scope="session")
def rees46(data_folder: Path) -> Rees46Facts:
    return rees46_facts(data_folder)
