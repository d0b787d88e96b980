"""``/v1/users/{id}/features``: what ML models are given about a user at this moment."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from serving.api.access import DEFAULT_TENANT, Tenant
from serving.api.context import InContext
from serving.api.problems import FORBIDDEN, INVALID, TOO_MANY, UNAUTHENTICATED, UNAVAILABLE, documented, invalid

router = APIRouter(
    prefix="/users", tags=["features"], responses=documented(INVALID, UNAUTHENTICATED, FORBIDDEN, TOO_MANY, UNAVAILABLE)
)


class UserFeatures(BaseModel):
    """The features of a user; every feature of the service has a value."""

    tenant_id: str = Field(description="Customer that the user belongs to")
    user_id: str = Field(description="User")
    service: str = Field(description="The feature service that was asked for")
    is_new_user: bool = Field(description="Nothing is known of the user: every value is a default")
    features: dict[str, Any] = Field(description="Feature to value; what they mean is in feature_store/FEATURES.md")
    defaulted: list[str] = Field(description="Features of which nothing is known, and which have their default")


@router.get("/{user_id:path}/features", response_model=UserFeatures, summary="Features of a user")
def features(
    context: InContext,
    tenant: Tenant,
    user_id: Annotated[str, Path(min_length=1, max_length=500, description="Signed-in user")],
    service: Annotated[
        str, Query(pattern="^[a-z0-9_]+$", max_length=100, description="A feature service of users alone")
    ] = "user_v1",
) -> Any:
    """The values that a model is served, live ones no older than two seconds. A user whom nobody knows has defaults."""
    answer = context.features.of_user(tenant or DEFAULT_TENANT, user_id, service)
    if answer is None:
        raise invalid("query.service", "no feature service of users has this name; user_v1 has all features of a user")
    return answer
