"""The lake's tables of features: what each day reduces to, and what 30 such days make of a user or product.

A row of a day table has a `source`, the dataset that it comes from, which is overwritten alone.
"""

from __future__ import annotations

from schemas.affinity import USER_AFFINITY_COLUMNS, USER_INTEREST_COLUMNS
from schemas.pairs import CO_OCCURRENCE_COLUMNS, NEIGHBOUR_COLUMNS
from schemas.product_activity import PRODUCT_ACTIVITY_COLUMNS, PRODUCT_FEATURE_COLUMNS
from schemas.segments import USER_FEATURE_COLUMNS
from schemas.tables.lake import LakeTable
from schemas.user_activity import USER_ACTIVITY_COLUMNS

_SEGMENTS, _RECOMMENDATIONS = "batch.segments", "batch.recommendations"

USER_ACTIVITY = LakeTable("user_activity", USER_ACTIVITY_COLUMNS, "day", _SEGMENTS, "What each user did on a day.")
USER_INTEREST = LakeTable(
    "user_interest", USER_INTEREST_COLUMNS, "day", _SEGMENTS, "Which products each user dealt with on a day."
)
PRODUCT_ACTIVITY = LakeTable(
    "product_activity", PRODUCT_ACTIVITY_COLUMNS, "day", _RECOMMENDATIONS, "Counters and sales of a product on a day."
)
CO_OCCURRENCE = LakeTable(
    "product_co_occurrence", CO_OCCURRENCE_COLUMNS, "day", _RECOMMENDATIONS, "How many baskets of a day hold a pair."
)
USER_FEATURES = LakeTable(
    "user_features", USER_FEATURE_COLUMNS, "day", _SEGMENTS, "Behaviour, RFM, lifecycle and churn risk of users."
)
USER_AFFINITY = LakeTable(
    "user_affinity", USER_AFFINITY_COLUMNS, "day", _SEGMENTS, "Categories and products that a user cares about."
)
PRODUCT_FEATURES = LakeTable(
    "product_features", PRODUCT_FEATURE_COLUMNS, "day", _RECOMMENDATIONS, "Popularity, price and trend of products."
)
PRODUCT_PAIRS = LakeTable(
    "product_pairs", NEIGHBOUR_COLUMNS, "day", _RECOMMENDATIONS, "Products that go with a product, best first."
)
DAY_TABLES = (USER_ACTIVITY, USER_INTEREST, PRODUCT_ACTIVITY, CO_OCCURRENCE)
FEATURE_TABLES = (USER_FEATURES, USER_AFFINITY, PRODUCT_FEATURES, PRODUCT_PAIRS)
