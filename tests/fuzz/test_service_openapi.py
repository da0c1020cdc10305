"""The service is asked what its own OpenAPI makes up: no 500, and only what it says it answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.services import TOKEN, Service, write_service

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.filterwarnings("default"),
]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a service with a conversation or two."""
    folder = tmp_path_factory.mktemp("fuzzed")
    write_service(folder, KeywordTrigger(default_rules()), 0.4)
    service = Service.start(folder)
    yield service
    assert service.end() == 0
    assert not [event for event in service.events() if event["event"] == "bug"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/conversations/{conversation_id}/turns/{number}"),
        ("PUT", "/v1/conversations/{conversation_id}/close"),
        ("PUT", "/v1/conversations/{conversation_id}/review"),
        ("GET", "/v1/conversations/{conversation_id}"),
        ("GET", "/ready"),
        ("GET", "/metrics"),
        ("GET", "/health"),
    ],
)
def test_no_request_breaks_the_service(service: Service, method: str, path: str) -> None:
    """Whatever is sent, well formed or not, gets a documented answer and never a 500."""
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operation = schema[path][method]
    modes = [schemathesis.GenerationMode.POSITIVE]
    if "{" in path:
        modes.append(schemathesis.GenerationMode.NEGATIVE)
    for mode in modes:
        fuzz(operation.as_strategy(generation_mode=mode))


def fuzz(cases: SearchStrategy[schemathesis.Case]) -> None:
    """Send what the strategy makes up and check each answer."""

    @settings(
        max_examples=150,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=cases)
    def asked(case: schemathesis.Case) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"})
        case.validate_response(answer, checks=CHECKS)

    asked()
