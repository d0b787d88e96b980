"""An ML engineer's journey: learn from features as they were known, score with those of this moment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import pytest

from feature_store.drift import Limits
from feature_store.examples.score_live import score
from feature_store.examples.simulate import DAYS, simulate
from feature_store.examples.train_churn import TooLittleHistory, train
from feature_store.materialize import materialize, utc_now
from feature_store.writing import OnlineWriter
from infra.clients.clickhouse import Client
from tests.feature_store.seeding import clear

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

TENANT = "loyal-test"
AUC = 0.80
"""What README states for held-out users on simulated data."""


def test_churn_is_foretold_for_users_the_model_never_saw_and_scored_live(
    history: Client, online: OnlineWriter, feature_store: Any, tmp_path: Path
) -> None:
    clear(history)
    with pytest.raises(TooLittleHistory):
        train(feature_store, history, TENANT)
    today = datetime.now(UTC).date()
    shoppers = simulate(history, today, shoppers=500, tenant=TENANT)
    model, trained = train(feature_store, history, TENANT)
    assert trained.auc >= AUC
    assert 0.02 < trained.churned < 0.5
    assert trained.tested >= 300

    joblib.dump(model, tmp_path / "churn.joblib")
    days = materialize(history, online, Limits(), utc_now, accept=True)
    assert days[-1].rows > 100
    fading = [one.user_id for one in shoppers if one.leaves is not None and DAYS - 21 <= one.leaves < DAYS - 7]
    loyal = [one.user_id for one in shoppers if one.leaves is None and one.pace > 0.5][:30]
    saved = joblib.load(tmp_path / "churn.joblib")
    scores = {one.user_id: one for one in score(feature_store, saved, TENANT, [*fading, *loyal, "nobody"])}
    assert _mean([scores[user].churn for user in fading]) > 2 * _mean([scores[user].churn for user in loyal])
    assert scores["nobody"].is_new_user
    assert not scores[loyal[0]].is_new_user


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
