"""Browser, system, device and country of events."""

from __future__ import annotations

import pyarrow as pa
import pytest

from infra.simulator.catalogue import PLATFORMS
from schemas.agents import DEVICE_CLASSES, Agent, agent_of, enrich_agents
from schemas.countries import countries, country_of
from tests.oracle.records import COUNTRIES, device_class_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/114.0.0.0 Safari/537.36 Edg/114.0": Agent(
        "desktop", "Edge", "Windows"
    ),
    f"Mozilla/5.0 (Linux; Android 13; Pixel 7) {WEBKIT} Chrome/114.0.0.0 Mobile Safari/537.36": Agent(
        "mobile", "Chrome Mobile", "Android"
    ),
    f"Mozilla/5.0 (Linux; Android 13; SM-X700) {WEBKIT} Chrome/114.0.0.0 Safari/537.36": Agent(
        "tablet", "Chrome", "Android"
    ),
    "Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) AppleWebKit/605.1 Version/16.5 Mobile/15E148 Safari/604.1": Agent(
        "tablet", "Mobile Safari", "iOS"
    ),
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": Agent("bot", "Googlebot", "other"),
    "curl/8.1": Agent("other", "curl", "other"),
    "": Agent("other", "other", "other"),
}


@pytest.mark.parametrize("text", AGENTS)
def test_an_agent_is_what_it_says(text: str) -> None:
    assert agent_of(text) == AGENTS[text]
    assert agent_of(text).device_class in DEVICE_CLASSES


def test_columns_follow_the_rows() -> None:
    texts = [*AGENTS, *reversed(AGENTS)]
    columns = enrich_agents(pa.array(texts))
    assert list(zip(*(columns[name].to_pylist() for name in Agent._fields), strict=True)) == [
        AGENTS[text] for text in texts
    ]
    assert all(len(column) == 0 for column in enrich_agents(pa.array([], pa.string())).values())


def test_only_the_beginning_of_a_long_agent_counts() -> None:
    assert agent_of("curl/8.1 " + "x" * 1_000_000) == AGENTS["curl/8.1"]
    assert agent_of("x" * 600 + " Googlebot/2.1").device_class == "other"


def test_the_oracle_reads_the_simulators_agents_alike() -> None:
    for text in [*PLATFORMS.values(), "Crawler/2.1", "agent", ""]:
        assert device_class_of(text) == agent_of(text).device_class


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("8.8.8.8", "US"),
        ("::ffff:8.8.8.8", "US"),
        ("2a02:6b8::1", "RU"),
        ("10.0.0.1", None),
        ("203.0.113.7", None),
        ("8.8.8.8 ", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_a_country_is_the_whole_addresses(address: str, code: str | None) -> None:
    assert country_of(address) == code
    assert countries(pa.array([address, address])).to_pylist() == [code, code]


def test_the_oracles_blocks_belong_to_one_country() -> None:
    for first, code in COUNTRIES.items():
        assert {country_of(f"{first}.{second}.2.3") for second in (1, 100, 255)} == {code}
