"""What a user agent tells: browser, operating system and class of device. A function of the text and of ua-parser."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import ua_parser

DEVICE_CLASSES = ("desktop", "mobile", "tablet", "bot", "other")
UNKNOWN = "other"

_LONGEST = 512
"""Of a longer user agent only the beginning is looked at."""
_CACHED = 32_768

_DESKTOP_SYSTEMS = frozenset(
    {"Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Debian", "Chrome OS", "FreeBSD", "OpenBSD"}
)
_MOBILE_SYSTEMS = frozenset({"iOS", "Android", "Windows Phone", "KaiOS", "HarmonyOS"})
_TABLET_NAMES = ("ipad", "tablet", "kindle", "galaxy tab", "nexus 7", "nexus 9", "nexus 10")


class Agent(NamedTuple):
    """`device_class` is one of `DEVICE_CLASSES`; `browser` and `os` are families without version, or `UNKNOWN`."""

    device_class: str
    browser: str
    os: str


def enrich_agents(user_agents: pa.Array) -> dict[str, pa.Array]:
    """Column name of `Agent` -> its values, looked up once per distinct user agent."""
    coded = pc.dictionary_encode(user_agents)
    distinct = [agent_of(text) for text in coded.dictionary.to_pylist()]
    columns = zip(*distinct, strict=True) if distinct else ((), (), ())
    return {
        name: pc.take(pa.array(values, pa.string()), coded.indices)
        for name, values in zip(Agent._fields, columns, strict=True)
    }


def agent_of(user_agent: str) -> Agent:
    """What is known of one user agent."""
    return _parse(user_agent[:_LONGEST])


@lru_cache(_CACHED)
def _parse(text: str) -> Agent:
    found = ua_parser.parse(text)
    browser = found.user_agent.family if found.user_agent else UNKNOWN
    system = found.os.family if found.os else UNKNOWN
    device = f"{found.device.family} {found.device.brand} {found.device.model}".lower() if found.device else ""
    return Agent(_device_class(text, system, device), browser, system)


def _device_class(text: str, system: str, device: str) -> str:
    """Android leaves the word Mobile out of the browsers of tablets; apps name no browser and are taken for phones."""
    if device.startswith("spider"):
        return "bot"
    if any(name in device for name in _TABLET_NAMES):
        return "tablet"
    if system == "Android" and text.startswith("Mozilla/") and "Mobile" not in text:
        return "tablet"
    if system in _MOBILE_SYSTEMS:
        return "mobile"
    return "desktop" if system in _DESKTOP_SYSTEMS else UNKNOWN
