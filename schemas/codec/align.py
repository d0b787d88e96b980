"""Schema resolution on whole columns: what was decoded with a writer's schema becomes the columns of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.avro_types import Array, Enumeration, Field, Map, Nullable, Primitive, Record, Type
from schemas.reasons import Reason

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
_ARROW = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
}
_INT = -(2**31), 2**31 - 1


@dataclass
class Objections:
    """Records that decode but do not fit our schema: their rows, with the reason."""

    found: list[tuple[npt.NDArray[np.int64], Reason, str]] = field(default_factory=list)

    def add(self, rows: npt.NDArray[np.int64], fits: pa.Array, reason: Reason, message: str) -> None:
        """Note the rows at which `fits` is false (null means there is nothing that could not fit)."""
        bad = ~np.asarray(fits.fill_null(True))
        if bad.any():
            self.found.append((rows[bad], reason, message))


@cache
def mismatch(writer: Type, reader: Type) -> str | None:
    """Why records of `writer` cannot be read as `reader`, by Avro's resolution rules; None when they can."""
    return next(_mismatches(writer, reader, "record"), None)


def align(array: pa.Array, writer: Type, reader: Type, rows: npt.NDArray[np.int64], objections: Objections) -> pa.Array:
    """The array as `reader` describes it.

    `array` was decoded with `writer` (ints widened to 64 bits) and mismatch(writer, reader) is None. `rows` names the
    record of each element; what does not fit is added to `objections` by these names.
    """
    match writer, reader:
        case Nullable(inner), _:
            return align(array, inner, reader.inner if isinstance(reader, Nullable) else reader, rows, objections)
        case _, Nullable(inner):
            return align(array, writer, inner, rows, objections)
        case Record(), Record():
            return _align_record(array, writer, reader, rows, objections)
        case Array(items), Array(wanted):
            inside = align(array.values, items, wanted, _spread(array, rows), objections)
            return pa.ListArray.from_arrays(array.offsets, inside, mask=_mask(array))
        case Map(values), Map(wanted):
            inside = align(array.items, values, wanted, _spread(array, rows), objections)
            return pa.MapArray.from_arrays(array.offsets, array.keys, inside, mask=_mask(array))
        case Enumeration(name, symbols), Enumeration(_, known):
            if not set(symbols) <= set(known):
                fits = pc.is_in(array, pa.array(known, pa.string()))
                objections.add(
                    rows, pc.or_kleene(fits, array.is_null()), Reason.UNKNOWN_SYMBOL, f"{name} is not known here"
                )
            return array
        case Primitive(written), Primitive(wanted):
            return _align_primitive(array, written, wanted, rows, objections)
    raise AssertionError(f"{writer} was not checked against {reader}")


def arrow_type(schema: Type) -> pa.DataType:
    """The Arrow type of a column of this schema."""
    match schema:
        case Primitive(name):
            return _ARROW[name]
        case Enumeration():
            return pa.string()
        case Nullable(inner):
            return arrow_type(inner)
        case Array(items):
            return pa.list_(arrow_type(items))
        case Map(values):
            return pa.map_(pa.string(), arrow_type(values))
        case Record(_, fields):
            return pa.struct([(entry.name, arrow_type(entry.type)) for entry in fields])


def _mismatches(writer: Type, reader: Type, path: str) -> Iterator[str]:
    match writer, reader:
        case Nullable(inner), Nullable(wanted):
            yield from _mismatches(inner, wanted, path)
        case _, Nullable(wanted):
            yield from _mismatches(writer, wanted, path)
        case Record(), Record():
            yield from _record_mismatches(writer, reader, path)
        case Array(items), Array(wanted):
            yield from _mismatches(items, wanted, f"{path}[]")
        case Map(values), Map(wanted):
            yield from _mismatches(values, wanted, f"{path}{{}}")
        case Enumeration(name), Enumeration(wanted_name):
            if name != wanted_name:
                yield f"{path}: enum {name} is not {wanted_name}"
        case Primitive(written), Primitive(wanted_name):
            if written != wanted_name and wanted_name not in _PROMOTIONS.get(written, ()):
                yield f"{path}: {written} cannot be read as {wanted_name}"
        case _:
            yield f"{path}: {type(writer).__name__} cannot be read as {type(reader).__name__}"


def _record_mismatches(writer: Record, reader: Record, path: str) -> Iterator[str]:
    if writer.name != reader.name:
        yield f"{path}: record {writer.name} is not {reader.name}"
    for entry in reader.fields:
        source = _source(writer, entry)
        if source is not None:
            yield from _mismatches(writer.fields[source].type, entry.type, f"{path}.{entry.name}")
        elif entry.default is None:
            yield f"{path}.{entry.name}: missing, and it has no default"


def _source(writer: Record, entry: Field) -> int | None:
    """Position of the writer's field that the reader's field takes: by its name, else by an alias."""
    positions = {written.name: position for position, written in enumerate(writer.fields)}
    return next((positions[name] for name in (entry.name, *entry.aliases) if name in positions), None)


def _align_record(
    array: pa.Array, writer: Record, reader: Record, rows: npt.NDArray[np.int64], objections: Objections
) -> pa.Array:
    # flatten() hands the nulls of the record down to its fields, which the children alone do not have.
    columns = array.flatten()
    sources = [_source(writer, entry) for entry in reader.fields]
    for position in set(range(len(columns))) - set(sources):
        # What is not read is judged all the same: a verdict must not depend on which fields a reader takes.
        align(columns[position], writer.fields[position].type, writer.fields[position].type, rows, objections)
    aligned = [
        _default(entry, len(array))
        if source is None
        else align(columns[source], writer.fields[source].type, entry.type, rows, objections)
        for entry, source in zip(reader.fields, sources, strict=True)
    ]
    return pa.StructArray.from_arrays(aligned, names=[entry.name for entry in reader.fields], mask=_mask(array))


def _align_primitive(
    array: pa.Array, written: str, wanted: str, rows: npt.NDArray[np.int64], objections: Objections
) -> pa.Array:
    if written == "int":
        fits = pc.and_(pc.greater_equal(array, _INT[0]), pc.less_equal(array, _INT[1]))
        objections.add(rows, fits, Reason.INT_RANGE, "a number does not fit into an int")
    return array.cast(_ARROW[wanted], safe=False)


def _default(entry: Field, length: int) -> pa.Array:
    one = pa.array([entry.default.value if entry.default else None], arrow_type(entry.type))
    return one.take(pa.array(np.zeros(length, np.int64)))


def _spread(array: pa.Array, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.repeat(rows, np.diff(np.asarray(array.offsets)))


def _mask(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None
