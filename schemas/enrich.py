"""Columns made of other columns at decode: truncated addresses, values picked from maps."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"
_IPV6_PREFIX = 48
_CACHED = 65_536


def truncate_ip(addresses: pa.Array) -> pa.Array:
    """String addresses without the part that finds a person.

    IPv4 to its /24, IPv6 to its /48, '' where it is no address.

    203.0.113.77 becomes 203.0.113.0, 2001:db8:1:2::3 becomes 2001:db8:1::. An IPv4 address in IPv6 form is taken as
    IPv4. Work is done once per distinct address.
    """
    coded = pc.dictionary_encode(addresses)
    distinct = pl.Series(coded.dictionary, dtype=pl.String)
    networks = distinct.str.strip_chars_end("0123456789") + "0"
    others = (~distinct.str.contains(_IPV4)).arg_true()
    if len(others):
        networks = networks.scatter(others, [_truncate_other(address) for address in distinct.gather(others)])
    return pc.take(networks.to_arrow().cast(pa.string()), coded.indices)


def map_as_list(maps: pa.Array) -> pa.Array:
    """A map<string, string> as list<struct<key, value>>, which polars reads; entries in order, repeated keys kept."""
    entries = pa.StructArray.from_arrays([maps.keys, maps.items], names=["key", "value"])
    return pa.ListArray.from_arrays(maps.offsets, entries)


def pick(maps: pa.Array, key: str) -> pa.Array:
    """The value of `key` in each map, null where it has none.

    Of a repeated key the last, as a dictionary would hold it.
    """
    entries = np.flatnonzero(np.asarray(pc.equal(maps.keys, key)))
    offsets = np.asarray(maps.offsets)
    chosen = np.full(len(maps), -1)
    # Later entries of a map overwrite earlier ones.
    chosen[np.searchsorted(offsets, entries, side="right") - 1] = entries
    return pc.take(maps.items, pa.array(chosen, mask=chosen < 0))


@lru_cache(_CACHED)
def _truncate_other(address: str) -> str:
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return ""
    if parsed.ipv4_mapped is not None:
        return str(ipaddress.IPv4Network((parsed.ipv4_mapped, 24), strict=False).network_address)
    host_bits = ipaddress.IPV6LENGTH - _IPV6_PREFIX
    return str(ipaddress.IPv6Address(int(parsed) >> host_bits << host_bits))
