"""Features of a user over the API: what it says while the feature server is away, and what it refuses."""

from __future__ import annotations

from tests.serving.api.conftest import Server


def test_without_the_feature_server_the_answer_is_a_problem_that_says_what_to_do(down: Server) -> None:
    answer = down.operator.get("/v1/users/u-1/features", tenant="shop")
    assert answer.status_code == 503
    assert "feature server" in answer.json()["detail"]
    assert "Retry-After" in answer.headers


def test_a_service_is_a_name(down: Server) -> None:
    assert down.operator.get("/v1/users/u-1/features", service="../x").status_code == 422
