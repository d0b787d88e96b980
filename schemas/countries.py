"""The country of an address, by the tables that come with geoip2fast. No server is asked, and no clock."""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc
from geoip2fast import GeoIP2Fast

_CACHED = 65_536
_CODE_LENGTH = 2
_LONGEST = 45
"""Characters of the longest text that is an address."""


def countries(addresses: pa.Array) -> pa.Array:
    """ISO 3166-1 alpha-2 codes of whole addresses, null where unknown; looked up once per distinct address."""
    coded = pc.dictionary_encode(addresses)
    codes = [country_of(text) for text in coded.dictionary.to_pylist()]
    return pc.take(pa.array(codes, pa.string()), coded.indices)


def country_of(address: str) -> str | None:
    """The country of one address; None for private and unknown ones, and for what is no address."""
    return _look_up(address) if len(address) <= _LONGEST else None


@lru_cache(_CACHED)
def _look_up(address: str) -> str | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    code = str(_database().lookup(str(parsed)).country_code)
    return code if len(code) == _CODE_LENGTH and code.isalpha() else None


@cache
def _database() -> GeoIP2Fast:
    """The path is whole: the library would take a file of that name in the working folder first."""
    return GeoIP2Fast(geoip2fast_data_file=str(files("geoip2fast") / "geoip2fast-ipv6.dat.gz"))
