"""Whatever is asked, the answer is one that the OpenAPI document promises, and never a mistake of the server."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving.api.conftest import STACK_KEY, Server
from tests.serving.api.feed import Feed, at

pytestmark = pytest.mark.servers
DAY = date(2026, 3, 8)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def asked(feed: Feed, whole: Server) -> Server:
    feed.event(at(DAY))
    feed.order(at(DAY))
    feed.apply()
    feed.publish("events", DAY)
    return whole


@pytest.mark.parametrize("mode", GenerationMode)
def test_any_question_is_answered_as_documented(asked: Server, mode: GenerationMode) -> None:
    # A stream does not end; without the feature server the answer is a 503. Both have tests of their own.
    schema = schemathesis.openapi.from_asgi("/openapi.json", asked.app)
    apart = ["/v1/stream", "/v1/users/{user_id}/features"]
    for found in schema.exclude(path=apart).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if mode is GenerationMode.POSITIVE or [*operation.query, *operation.path_parameters]:
            _ask(operation, mode)


def _ask(operation: schemathesis.APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
    @settings(max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers={"X-API-Key": STACK_KEY}, checks=CHECKS)

    ask()
