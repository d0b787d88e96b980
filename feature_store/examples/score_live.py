"""Score users with a saved model and the features of this moment.

    python -m feature_store.examples.score_live --tenant loyal-shop --model churn.joblib r00001 r00002

Reads `churn_v1` from the online store. A user whom nobody knows has defaults, and says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pandas as pd

from feature_store.answers import answer
from feature_store.catalogue import TENANT, USER, defaults
from feature_store.config import open_store
from infra.settings import load_settings

if TYPE_CHECKING:
    from feature_store.feast_import import FeatureStore

SERVICE = "churn_v1"


@dataclass(frozen=True)
class Score:
    """The probability that a user does not come back within 30 days."""

    user_id: str
    churn: float
    is_new_user: bool


def score(store: FeatureStore, model: Any, tenant: str, users: Sequence[str]) -> list[Score]:
    """A score per user, in their order."""
    rows = [{TENANT: tenant, USER: user} for user in users]
    columns = store.get_online_features(store.get_feature_service(SERVICE), rows).to_dict()
    names = list(defaults(SERVICE))
    answers = [answer(SERVICE, {name: columns[name][place] for name in names}) for place in range(len(users))]
    frame = pd.DataFrame([dict(given.features) for given in answers], columns=names)
    chances = [float(chance) for chance in model.predict_proba(frame)[:, 1]]
    return [Score(user, chance, given.is_new_user) for user, chance, given in zip(users, chances, answers, strict=True)]


def main(arguments: list[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m feature_store.examples.score_live")
    parser.add_argument("--tenant", default="default")
    parser.add_argument("--model", type=Path, default=Path("churn.joblib"), help="what train_churn saved")
    parser.add_argument("users", nargs="+")
    options = parser.parse_args(arguments)
    scores = score(open_store(load_settings()), joblib.load(options.model), options.tenant, options.users)
    sys.stdout.write(json.dumps([asdict(one) for one in scores], indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
