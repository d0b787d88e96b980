"""Who asks, what the key opens, and which tenant's rows they may see."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer

from serving.api.context import Context, InContext
from serving.api.problems import FORBIDDEN, TOO_MANY, UNAUTHENTICATED, Problem
from serving.keys import ALL_TENANTS, Key, Scope

_BEARER = HTTPBearer(auto_error=False, description="An API key as bearer token")
_HEADER = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="The same key, for clients without bearer tokens"
)
_ADDRESS = APIKeyQuery(
    name="key",
    auto_error=False,
    description="Only keys that write and do nothing else: for pages, which send no header",
)
_MAX_TENANT = 200
DEFAULT_TENANT = "default"

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
_Header = Annotated[str | None, Security(_HEADER)]


def _reader(request: Request, context: InContext, bearer: _Bearer, header: _Header) -> Key:
    key = _known(request, context, bearer.credentials if bearer else header)
    return _allowed(context, key, "read")


def _writer(
    request: Request,
    context: InContext,
    bearer: _Bearer,
    header: _Header,
    address: Annotated[str | None, Security(_ADDRESS)],
) -> Key:
    sent = bearer.credentials if bearer else header
    key = _known(request, context, sent or address)
    if not sent and key.scopes != ("write",):
        raise Problem(FORBIDDEN, "addresses are written down in many places: send this key in a header")
    return _allowed(context, key, "write")


def _known(request: Request, context: Context, text: str | None) -> Key:
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


def _allowed(context: Context, key: Key, scope: Scope) -> Key:
    if scope not in key.scopes:
        raise Problem(FORBIDDEN, f"the key may not {scope}: use one made with `--scope {scope}`")
    wait = context.limits.requests.take(key.key_id)
    if wait:
        raise too_many("requests", wait)
    return key


def too_many(what: str, wait: float) -> Problem:
    """The problem of a key that asks for more than its share."""
    return Problem(TOO_MANY, f"the key's share of {what} is used up; wait", {"Retry-After": str(math.ceil(wait))})


Caller = Annotated[Key, Depends(_reader)]
"""The key of a request that reads."""

Writer = Annotated[Key, Depends(_writer)]
"""The key of a request that brings records."""

TenantName = Annotated[
    str | None,
    Query(
        alias="tenant",
        min_length=1,
        max_length=_MAX_TENANT,
        description="Only for keys of all tenants: rows of this tenant; without it, of every tenant",
    ),
]


def _tenant(caller: Caller, tenant: TenantName = None) -> str | None:
    _check_tenant(caller, tenant)
    return tenant if caller.tenant == ALL_TENANTS else caller.tenant


def _tenant_written(
    writer: Writer,
    tenant: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=_MAX_TENANT,
            description=f"Only for keys of all tenants: whose records these are; `{DEFAULT_TENANT}` without it",
        ),
    ] = None,
) -> str:
    _check_tenant(writer, tenant)
    return tenant or DEFAULT_TENANT if writer.tenant == ALL_TENANTS else writer.tenant


def _check_tenant(key: Key, tenant: str | None) -> None:
    if tenant is not None and not key.may_read(tenant):
        raise Problem(FORBIDDEN, f"the key opens tenant {key.tenant} only; leave out the parameter `tenant`")


Tenant = Annotated[str | None, Depends(_tenant)]
"""The tenant whose rows are answered; None: every tenant's, which only a key of all tenants can bring about."""

WrittenTenant = Annotated[str, Depends(_tenant_written)]
"""The tenant that records belong to."""


def _operator(caller: Caller) -> Key:
    if caller.tenant != ALL_TENANTS:
        raise Problem(FORBIDDEN, "this shows the traffic of all tenants: use a key made with `--tenant '*'`")
    return caller


Operator = Annotated[Key, Depends(_operator)]
"""The key of the request, which must be one of all tenants."""
