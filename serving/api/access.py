"""Who asks, and which tenant's rows they may see."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from serving.api.context import InContext
from serving.api.problems import FORBIDDEN, UNAUTHENTICATED, Problem
from serving.keys import ALL_TENANTS, Key

_BEARER = HTTPBearer(auto_error=False, description="An API key as bearer token")
_HEADER = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="The same key, for clients without bearer tokens"
)
_MAX_TENANT = 200


def _caller(
    request: Request,
    context: InContext,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> Key:
    text = bearer.credentials if bearer else header
    key = context.keys.find(text, context.clock()) if text else None
    if key is None:
        sent = "the key is unknown, expired or revoked" if text else "no key was sent"
        raise Problem(
            UNAUTHENTICATED,
            f"{sent}: send one as `Authorization: Bearer <key>`; `rivermeet keys create` makes one",
            {"WWW-Authenticate": "Bearer"},
        )
    request.state.key_id = key.key_id
    return key


Caller = Annotated[Key, Depends(_caller)]
"""The key of the request."""


def _tenant(
    caller: Caller,
    tenant: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=_MAX_TENANT,
            description="Only for keys of all tenants: rows of this tenant; without it, of every tenant",
        ),
    ] = None,
) -> str | None:
    if tenant is not None and not caller.may_read(tenant):
        raise Problem(FORBIDDEN, f"the key opens tenant {caller.tenant} only; leave out the parameter `tenant`")
    return tenant if caller.tenant == ALL_TENANTS else caller.tenant


Tenant = Annotated[str | None, Depends(_tenant)]
"""The tenant whose rows are answered; None: every tenant's, which only a key of all tenants can bring about."""


def _operator(caller: Caller) -> Key:
    if caller.tenant != ALL_TENANTS:
        raise Problem(FORBIDDEN, "this shows the traffic of all tenants: use a key made with `--tenant '*'`")
    return caller


Operator = Annotated[Key, Depends(_operator)]
"""The key of the request, which must be one of all tenants."""
