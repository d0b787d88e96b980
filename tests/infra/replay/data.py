"""Where the real data sets are."""

import os
from pathlib import Path

import pytest

from tests.infra.replay.facts import REES46_FILE, RETAIL_FILE

BESIDE_THE_REPOSITORY = Path(__file__).parents[3].parent / "shared" / "data"


def find_data() -> Path:
    """Return the folder with both files, or skip the test that asks."""
    folder = Path(os.environ.get("RIVERMEET_TEST_DATA", BESIDE_THE_REPOSITORY))
    missing = [name for name in (RETAIL_FILE, REES46_FILE) if not (folder / name).is_file()]
    if missing:
        pytest.skip(f"set RIVERMEET_TEST_DATA to the folder with {' and '.join(missing)}")
    return folder
