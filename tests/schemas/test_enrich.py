"""Addresses are truncated and values picked as the obvious way would do it."""

from __future__ import annotations

import ipaddress

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.enrich import map_as_list, pick, truncate_ip

ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
    st.text(alphabet="0123456789.:abcdef% \n", max_size=20),
    st.text(max_size=8),
)
MAPS = st.lists(
    st.lists(st.tuples(st.sampled_from(["page", "productId", "x"]), st.text(max_size=3)), max_size=4), max_size=6
)


def _obvious(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed.packed, 48), strict=False).network_address)
    return str(ipaddress.IPv4Network((parsed.packed, 24), strict=False).network_address)


@given(st.lists(ADDRESSES, max_size=10))
def test_addresses_lose_what_finds_a_person(addresses: list[str]) -> None:
    repeated = addresses * 2
    assert truncate_ip(pa.array(repeated, pa.string())).to_pylist() == [_obvious(address) for address in repeated]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("203.0.113.077", ""),
        ("203.0.113", ""),
        ("203.0.113.256", ""),
        (" 203.0.113.7", ""),
        ("203.0.113.7\n", ""),
        ("٢٠٣.0.113.7", ""),
        ("fe80::1%eth0", "fe80::"),
        ("2001:db8:1:2::3", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("", ""),
    ],
)
def test_odd_addresses(address: str, network: str) -> None:
    assert truncate_ip(pa.array([address])).to_pylist() == [network]


@given(MAPS, st.sampled_from(["page", "productId"]))
def test_a_picked_value_is_that_of_a_dictionary(maps: list[list[tuple[str, str]]], key: str) -> None:
    array = pa.array(maps, pa.map_(pa.string(), pa.string()))
    assert pick(array, key).to_pylist() == [dict(entries).get(key) for entries in maps]


@given(MAPS)
def test_a_map_becomes_a_list_that_polars_reads(maps: list[list[tuple[str, str]]]) -> None:
    array = pa.array(maps, pa.map_(pa.string(), pa.string()))
    series = pl.Series(map_as_list(array), dtype=pl.List(pl.Struct({"key": pl.String, "value": pl.String})))
    assert series.to_list() == [[{"key": key, "value": value} for key, value in entries] for entries in maps]
