from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from serving.keys import ALL_TENANTS, BadKeysFile, Key, UnknownKey, dump, find, issue, parse, revoke

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def make(tenant: str = "acme", lifetime: timedelta | None = None, byte: int = 7) -> tuple[dict[str, Key], str]:
    key, text = issue(tenant, NOW, lifetime, lambda n: bytes([byte]) * n)
    return {key.key_id: key}, text


def test_a_key_is_found_by_its_text_alone() -> None:
    keys, text = make()
    key = find(keys, text, NOW)
    assert key is not None
    assert (key.tenant, key.may_read("acme"), key.may_read("other"), key.may_read(ALL_TENANTS)) == (
        "acme",
        True,
        False,
        False,
    )


@pytest.mark.parametrize("change", ["", "x", "rm", "rm_", "rm__", "RM", "é"])
def test_any_other_text_is_no_key(change: str) -> None:
    keys, text = make()
    mark, key_id, secret = text.split("_", 2)
    for wrong in (change, text + change + "A", f"{mark}_{key_id}_{change}", f"{change}_{key_id}_{secret}_", text[:-1]):
        assert find(keys, wrong, NOW) is None


def test_a_key_of_another_id_is_no_key() -> None:
    keys, text = make()
    others, _ = make(byte=8)
    assert find(others, text, NOW) is None
    mixed = text.replace(next(iter(keys)), next(iter(others)))
    assert find(keys | others, mixed, NOW) is None


def test_a_key_of_every_tenant() -> None:
    keys, text = make(ALL_TENANTS)
    key = find(keys, text, NOW)
    assert key is not None
    assert key.may_read("anyone")


def test_keys_end_at_their_time_or_when_revoked() -> None:
    keys, text = make(lifetime=timedelta(days=1))
    assert find(keys, text, NOW + timedelta(hours=23))
    assert find(keys, text, NOW + timedelta(days=1)) is None
    revoked = revoke(keys, next(iter(keys)), NOW)
    assert find(revoked, text, NOW) is None
    assert revoke(revoked, next(iter(keys)), NOW + timedelta(days=9)) == revoked
    with pytest.raises(UnknownKey):
        revoke(keys, "nobody", NOW)


def test_a_file_gives_back_the_keys_and_holds_no_secret() -> None:
    keys, text = make(lifetime=timedelta(days=1))
    keys |= revoke(make(byte=8)[0], "08" * 8, NOW)
    written = dump(keys.values())
    assert parse(written) == keys
    assert text.rpartition("_")[2] not in written
    assert text not in written


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": [{}]}', '{"keys": {"a": 1}}', "nonsense"])
def test_a_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadKeysFile, match="restore it"):
        parse(text)


def test_equal_secrets_do_not_look_equal() -> None:
    one, _ = issue("acme", NOW, None, lambda n: b"\x01" * n)
    salts = iter([b"\x01" * 8, b"\x02" * 16, b"\x01" * 32])
    two, _ = issue("acme", NOW, None, lambda _: next(salts))
    assert one.digest != two.digest
