"""Keys of entities are Feast's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feature_store.entity_keys import key_of, key_of_message, keys_of_values
from feature_store.feast_import import EntityKey, Value

NAMES = st.lists(st.sampled_from(["tenant_id", "user_id", "product_id", "a", "é"]), min_size=1, max_size=4, unique=True)


@given(NAMES, st.data())
def test_keys_of_texts_are_feasts(names: list[str], data: st.DataObject) -> None:
    entity = data.draw(st.lists(st.text(), min_size=len(names), max_size=len(names)))
    values = [Value(string_val=text) for text in entity]
    expected = key_of_message(EntityKey(join_keys=names, entity_values=values))
    assert key_of(tuple(names), entity) == expected
    assert keys_of_values([dict(zip(names, values, strict=True))]) == [expected]


def test_keys_that_are_no_texts_are_feasts_too() -> None:
    value = Value(int64_val=7)
    assert keys_of_values([{"n": value}]) == [key_of_message(EntityKey(join_keys=["n"], entity_values=[value]))]
