"""Train a churn model as an ML engineer would: features as they were known then, judged on later days and other users.

    python -m feature_store.examples.train_churn --tenant loyal-shop --model churn.joblib

Of every user who was active in the 30 days before a moment it takes the features of `churn_v1` as they were known then.
The label is whether 30 days later there has been no further active day. The model learns from the earlier moments and
is judged on moments 30 or more days after them, and only on users that it never saw.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pandas as pd
import polars as pl
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from feature_store.answers import filled
from feature_store.catalogue import defaults
from feature_store.config import open_store
from infra.clients.clickhouse import Client, connect, select
from infra.settings import load_settings

if TYPE_CHECKING:
    from feature_store.feast_import import FeatureStore

SERVICE = "churn_v1"
HORIZON = timedelta(days=30)
ASKED_AT = timedelta(hours=6)
"""Time of the day at which the model would have been asked: the night's load is known by then."""
HELD_OUT = 4
"""Every fourth user, by hash, is never learnt from."""
KEYS = ["tenant_id", "user_id", "event_timestamp"]
_PUBLISHED = "(day, version) IN (SELECT day, version FROM batch_feature_loads)"
_DAYS = (
    f"SELECT DISTINCT day FROM batch_user_features WHERE tenant_id = {{tenant:String}} AND {_PUBLISHED} ORDER BY day"
)
_USERS = (
    "SELECT DISTINCT user_id FROM batch_user_features WHERE tenant_id = {tenant:String} AND day = {day:Date}"
    f" AND last_activity_days_ago < {HORIZON.days} AND {_PUBLISHED} ORDER BY user_id"
)


class TooLittleHistory(Exception):
    """There are not enough days with features to learn from some and be judged on others."""

    def __init__(self, tenant: str, days: int) -> None:
        super().__init__(
            f"tenant {tenant} has {days} days with features whose outcome is known; it takes some that lie 30 days"
            " apart: wait, or simulate them with `python -m feature_store.examples.simulate`"
        )
        self.tenant, self.days = tenant, days


@dataclass(frozen=True)
class Trained:
    """How a model did on users that it never saw, at moments after those that it learnt from."""

    rows: int
    churned: float
    tested: int
    auc: float
    learnt_until: datetime
    tested_from: datetime


def train(store: FeatureStore, client: Client, tenant: str) -> tuple[Any, Trained]:
    """Learn and judge: a scikit-learn pipeline, and its report. Raises `TooLittleHistory`, `StoreUnavailable`."""
    moments = _moments(client, tenant)
    if not moments or moments[-1] - moments[0] < HORIZON:
        raise TooLittleHistory(tenant, len(moments))
    table = labelled(store, entity_frame(client, tenant, moments))
    until = moments[0] + (moments[-1] - moments[0] - HORIZON) / 2
    seen = pd.util.hash_array(table["user_id"].to_numpy(dtype=object)) % HELD_OUT != 0
    learning = table[seen & (table["event_timestamp"] <= until)]
    testing = table[~seen & (table["event_timestamp"] >= until + HORIZON)]
    names = list(defaults(SERVICE))
    model = pipeline().fit(learning[names], learning["churned"])
    auc = roc_auc_score(testing["churned"], model.predict_proba(testing[names])[:, 1])
    share = float(learning["churned"].mean())
    return model, Trained(len(learning), share, len(testing), float(auc), until, until + HORIZON)


def pipeline() -> Any:
    """Texts become columns of 0 and 1; trees take numbers as they are."""
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (texts, make_column_selector(dtype_include=["object", "string"])), remainder="passthrough"
    )
    return make_pipeline(columns, HistGradientBoostingClassifier(max_depth=4, learning_rate=0.05, random_state=0))


def entity_frame(client: Client, tenant: str, moments: list[datetime]) -> pd.DataFrame:
    """Who was active in the 30 days before each moment: tenant_id, user_id, event_timestamp."""
    frames = []
    for moment in moments:
        day = (moment - timedelta(days=1)).date()
        users = select(client, _USERS, {"user_id": pl.String()}, {"tenant": tenant, "day": day})["user_id"].to_list()
        frames.append(pd.DataFrame({"tenant_id": tenant, "user_id": users, "event_timestamp": pd.Timestamp(moment)}))
    return pd.concat(frames, ignore_index=True)


def labelled(store: FeatureStore, entities: pd.DataFrame) -> pd.DataFrame:
    """The features of the service as they were known then, and `churned`: 1 if 30 days later nothing more was seen."""
    features = _as_known(store, entities, store.get_feature_service(SERVICE))
    later = entities.assign(event_timestamp=entities["event_timestamp"] + HORIZON)
    outcome = _as_known(store, later, ["user_behaviour:last_activity_days_ago"])
    outcome["event_timestamp"] -= HORIZON
    since = outcome.rename(columns={"last_activity_days_ago": "since"})[[*KEYS, "since"]]
    table = features.merge(since, on=KEYS, validate="one_to_one")
    churned = (table["since"].fillna(HORIZON.days) >= HORIZON.days).astype(int)
    return filled(SERVICE, table).assign(churned=churned)


def _as_known(store: FeatureStore, entities: pd.DataFrame, features: Any) -> pd.DataFrame:
    job = store.get_historical_features(entities, features, filter_by_created_timestamp=True)
    found: pd.DataFrame = job.to_df()
    return found


def _moments(client: Client, tenant: str) -> list[datetime]:
    """The mornings after days with features, whose outcome is known too."""
    days = select(client, _DAYS, {"day": pl.Date()}, {"tenant": tenant})["day"].to_list()
    return [
        datetime.combine(day + timedelta(days=1), time(), UTC) + ASKED_AT for day in days if day + HORIZON in set(days)
    ]


def main(arguments: list[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m feature_store.examples.train_churn")
    parser.add_argument("--tenant", default="default")
    parser.add_argument("--model", type=Path, default=Path("churn.joblib"), help="where the model is saved")
    options = parser.parse_args(arguments)
    settings = load_settings()
    with closing(connect(settings.clickhouse)) as client:
        model, trained = train(open_store(settings), client, options.tenant)
    joblib.dump(model, options.model)
    sys.stdout.write(json.dumps(asdict(trained), indent=2, default=str) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
