"""Columns of a log, as arrays of any kind, made ready for the native half: bytes of native numbers.

Each figure is exact in nanoseconds, or an error names the row and the value. A float is taken only where its neighbours are nearer than a
nanosecond.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, Optional

import numpy as np

from ._trip99 import LogError

Columns = tuple[bytes, bytes, Optional[bytes], Optional[bytes], Optional[bytes], bool]

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
# The units of numpy's times that are a number of nanoseconds, and those that are parts of one.
_NUMPY_UNITS = {"W": 604_800 * 10**9, "D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, **UNITS}
_PARTS = {"ps": 10**3, "fs": 10**6, "as": 10**9}
_KINDS = {"ask": 0, "free": 1, "withdrawn": 2, "refused": 3, "": 0}  # as src/rows.rs numbers them
_MAX_START = 2**64 - 1
_MAX_LATENCY = 2**63 - 1

_Array = Any  # numpy's types of arrays differ from version to version
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class _Column:
    """What messages call a column, and what is legal there."""

    def __init__(self, name: str, unit: str) -> None:
        if unit not in UNITS:
            raise LogError(f'unit is "{unit}"; legal: s, ms, us or ns')
        self.is_start = name == "start"
        self.name = f"{name}_ns" if unit == "ns" else name
        self.unit = unit
        self.factor = UNITS[unit]

    @property
    def legal(self) -> str:
        if self.is_start:
            return f"whole nanoseconds from 0 to {_MAX_START}"
        return f"whole nanoseconds from 0 to {_MAX_LATENCY}, or empty for a call that never came back"

    def wrong(self, index: int, value: object, legal: Optional[str] = None) -> LogError:
        return _wrong(index, self.name, value, legal or self.legal)


def _wrong(index: int, name: str, value: object, legal: str) -> LogError:
    return LogError(f'row {index + 1} (index {index}): {name} is "{value}"; legal: {legal}')


def _first(found: _Array) -> Optional[int]:
    """The index of the first True."""
    return int(np.argmax(found)) if found.any() else None


def columns(start: Any, latency: Any, ok: Any, kind: Any, units: tuple[str, str], sort: bool) -> Columns:
    """The columns for the native half."""
    starts, missing = _times(start, _Column("start", units[0]))
    if missing is not None and (index := _first(missing)) is not None:
        raise _Column("start", units[0]).wrong(index, "")
    latencies, lost = _times(latency, _Column("latency", units[1]))
    results = None if ok is None else _results(ok)
    kinds = None if kind is None else _kinds(kind)
    for name, column in (("latency", latencies), ("ok", results), ("kind", kinds)):
        if column is not None and len(column) != len(starts):
            raise LogError(f"{name} has {len(column)} rows, and start has {len(starts)}; legal: as many")
    return (starts.tobytes(), latencies.tobytes(), _bytes(lost), _bytes(results), _bytes(kinds), sort)


def _bytes(column: Optional[_Array]) -> Optional[bytes]:
    return None if column is None else column.astype(np.uint8).tobytes()


def _plain(values: Any, name: str) -> tuple[_Array, Optional[_Array]]:
    """A numpy array of one dimension, and which of its values are missing, as far as the array's type tells."""
    if values is None:
        raise LogError(f"{name} is None; legal: an array")
    mask = None
    dtype = getattr(values, "dtype", None)
    if isinstance(values, np.ma.MaskedArray):
        mask, array = np.ma.getmaskarray(values), values.data
    elif dtype is not None and not isinstance(dtype, np.dtype) and hasattr(values, "isna"):
        array, mask = _of_pandas(values, dtype)
    else:
        array = np.asarray(values)
        if array.dtype.kind == "f" and array.ndim == 1 and not hasattr(values, "dtype"):
            # In a list of floats and integers, large integers would lose digits on the way.
            listed = list(values)
            array = array if all(type(value) is float for value in listed) else _objects(listed)
    array = np.asarray(array)
    if array.ndim != 1:
        raise LogError(f"{name} has {array.ndim} dimensions; legal: an array of one")
    return array, mask


def _objects(values: Iterable[Any]) -> _Array:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def _of_pandas(values: Any, dtype: Any) -> tuple[_Array, _Array]:
    mask = np.asarray(values.isna())
    if getattr(dtype, "tz", None) is not None:
        times = getattr(values, "dt", values)  # of a Series, or of an Index itself
        return times.tz_convert(None).to_numpy(), mask
    plain = getattr(dtype, "numpy_dtype", None)
    if plain is None or plain.kind not in "biufmM":
        return np.asarray(values, dtype=object), mask
    nothing: Any = np.array("NaT", dtype=plain)[()] if plain.kind in "mM" else plain.type(0)
    return values.to_numpy(dtype=plain, na_value=nothing), mask


def _times(values: Any, column: _Column) -> tuple[_Array, Optional[_Array]]:
    """Nanoseconds, and which of them are missing."""
    array, mask = _plain(values, column.name)
    if mask is not None and mask.any():
        # What stands in a masked place is nothing to complain of.
        array = array.copy()
        array[mask] = np.array("NaT", dtype=array.dtype)[()] if array.dtype.kind in "mM" else 0
    kind = array.dtype.kind
    if kind in "iu":
        ns, missing = _of_integers(array, column), None
    elif kind == "f":
        ns, missing = _of_floats(array, column)
    elif kind in "mM":
        ns, missing = _of_numpy_times(array, column)
    elif kind == "O":
        ns, missing = _of_objects(array, column)
    elif len(array) == 0 and not hasattr(values, "dtype"):
        ns, missing = np.empty(0, dtype=np.uint64), None
    else:
        raise LogError(f"{column.name} is of type {array.dtype}; legal: {_legal_types(column)}")
    if mask is not None:
        missing = mask if missing is None else missing | mask
    return ns, missing


def _legal_types(column: _Column) -> str:
    dates = "datetime64, timedelta64" if column.is_start else "timedelta64"
    return f"integers, floats, {dates}, or objects of these"


def _of_integers(array: _Array, column: _Column) -> _Array:
    if array.dtype.kind == "i" and (index := _first(array < 0)) is not None:
        raise column.wrong(index, array[index])
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    whole = array.view(np.uint64) if array.itemsize == 8 else array.astype(np.uint64)
    return _scaled(whole, column.factor, column, array)


def _scaled(whole: _Array, factor: int, column: _Column, shown: _Array) -> _Array:
    """Products that fit a u64."""
    if factor == 1:
        return whole
    if (index := _first(whole > np.uint64(_MAX_START // factor))) is not None:
        raise column.wrong(index, shown[index])
    return whole * np.uint64(factor)


def _of_floats(array: _Array, column: _Column) -> tuple[_Array, _Array]:
    missing = np.isnan(array)
    known = np.where(missing, array.dtype.type(0), array)
    if (index := _first(np.isinf(known) | (known < 0))) is not None:
        raise column.wrong(index, array[index])
    # Two neighbours that are a nanosecond apart tell whole nanoseconds, and no others.
    spacing = np.spacing(known).astype(np.float64) * column.factor
    is_coarse = spacing > 1 if column.factor == 1 else spacing >= 1
    if (index := _first(is_coarse)) is not None:
        size = "a float of this size can't hold it"
        raise column.wrong(index, array[index], f"{column.legal} ({size}; integers and {_legal_dates(column)} can)")
    known = known.astype(np.float64)
    whole = np.floor(known)
    rest = known - whole  # exact
    if column.factor == 1 and (index := _first(rest != 0)) is not None:
        raise column.wrong(index, array[index])
    # To the nearest nanosecond: the product is off by less than a millionth of one.
    return whole.astype(np.uint64) * np.uint64(column.factor) + np.floor(rest * column.factor + 0.5).astype(np.uint64), missing


def _legal_dates(column: _Column) -> str:
    return "datetime64" if column.is_start else "timedelta64"


def _of_numpy_times(array: _Array, column: _Column) -> tuple[_Array, _Array]:
    if array.dtype.kind == "M" and not column.is_start:
        raise LogError(f"{column.name} is of type {array.dtype}; legal: {_legal_types(column)}")
    unit, count = np.datetime_data(array.dtype)
    if unit in ("Y", "M") and array.dtype.kind == "M":
        array = array.astype("datetime64[D]")
        unit, count = "D", 1
    missing = np.isnat(array)
    number = np.where(missing, 0, array.astype(array.dtype.newbyteorder("=")).view(np.int64))
    if (index := _first(number < 0)) is not None:
        raise column.wrong(index, array[index])
    whole = number.astype(np.uint64)
    if unit in _NUMPY_UNITS:
        return _scaled(whole, count * _NUMPY_UNITS[unit], column, array), missing
    if unit in _PARTS:
        whole = _scaled(whole, count, column, array)
        if (index := _first(whole % np.uint64(_PARTS[unit]) != 0)) is not None:
            raise column.wrong(index, array[index])
        return whole // np.uint64(_PARTS[unit]), missing
    raise LogError(f"{column.name} is of type {array.dtype}, which is no number of nanoseconds; legal: {array.dtype.kind}8[ns]")


def _of_objects(array: _Array, column: _Column) -> tuple[_Array, _Array]:
    ns = np.zeros(len(array), dtype=np.uint64)
    missing = np.zeros(len(array), dtype=bool)
    for index, value in enumerate(array):
        if _is_missing(value):
            missing[index] = True
            continue
        number = _object_ns(value, column, index)
        if not 0 <= number <= _MAX_START:
            raise column.wrong(index, value)
        ns[index] = number
    return ns, missing


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating, Decimal)) and value != value


def _object_ns(value: Any, column: _Column, index: int) -> int:
    if hasattr(value, "to_datetime64"):  # pandas' Timestamp, without its zone
        value = value.to_datetime64()
    elif hasattr(value, "to_timedelta64"):
        value = value.to_timedelta64()
    if isinstance(value, (bool, np.bool_)):
        raise column.wrong(index, value)
    # numpy's durations are integers to Python, and mean no unit of ours.
    if isinstance(value, (float, np.floating, np.datetime64, np.timedelta64)):
        return _one(value, column, index)
    if isinstance(value, (int, np.integer)):
        return int(value) * column.factor
    if isinstance(value, (Decimal, Fraction)):
        is_finite = not isinstance(value, Decimal) or value.is_finite()
        number = Fraction(value) * column.factor if is_finite else Fraction(-1)
        if number.denominator != 1:
            raise column.wrong(index, value)
        return number.numerator
    if isinstance(value, datetime) and column.is_start:
        utc = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value
        value = utc - _EPOCH
    if isinstance(value, timedelta):
        return ((value.days * 86_400 + value.seconds) * 10**6 + value.microseconds) * 10**3
    raise column.wrong(index, value, f"{column.legal}, as {_legal_types(column)}")


def _one(value: Any, column: _Column, index: int) -> int:
    """A value that is taken as an array of its kind is."""
    try:
        ns, _ = _times(np.array([value]), column)
    except LogError as error:
        text = str(error).replace("row 1 (index 0)", f"row {index + 1} (index {index})", 1)
        raise LogError(text) from None
    return int(ns[0])


def scalar_ns(value: Any) -> int:
    """numpy's timedelta64 in nanoseconds."""
    if np.isnat(value):
        raise LogError("a duration is NaT; legal: a duration")
    unit, count = np.datetime_data(value.dtype)
    number = int(value.astype(np.int64)) * count
    if unit in _NUMPY_UNITS:
        return number * _NUMPY_UNITS[unit]
    if unit in _PARTS and number % _PARTS[unit] == 0:
        return number // _PARTS[unit]
    raise LogError(f"{value!r} is no number of nanoseconds; legal: a timedelta64[ns]")


def stamp_ns(value: Any, unit: str) -> int:
    """A time on the log's clock."""
    column = _Column("start", unit)
    ns, missing = _times(_objects([value]), column)
    if missing is not None and missing[0]:
        raise column.wrong(0, "")
    return int(ns[0])


def _results(values: Any) -> _Array:
    array, mask = _plain(values, "ok")
    legal = "1 or 0 (empty is 1)"
    if array.dtype.kind in "OUT":
        known = {True: 1, False: 0, "1": 1, "0": 0, "": 1}
        return _by_table(array, mask, known, "ok", legal)
    if array.dtype.kind not in "biuf":
        raise LogError(f"ok is of type {array.dtype}; legal: booleans, or {legal}")
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(len(array), dtype=bool)
    if mask is not None:
        missing = missing | mask
    known_results = np.where(missing, array.dtype.type(1), array)
    if (index := _first((known_results != 0) & (known_results != 1))) is not None:
        raise _wrong(index, "ok", array[index], legal)
    return known_results.astype(np.uint8)


def _kinds(values: Any) -> _Array:
    legal = "ask, free, withdrawn or refused (empty is ask)"
    categories = getattr(getattr(values, "dtype", None), "categories", None)
    codes = getattr(getattr(values, "cat", values), "codes", None)
    if categories is not None and codes is not None:
        numbers = [_KINDS.get(name, 255) if isinstance(name, str) else 255 for name in categories]
        table = np.array([*numbers, 0], dtype=np.uint8)  # the last one is that of no category, which is -1
        found = table[np.asarray(codes)]
        if (index := _first(found == 255)) is not None:
            raise _wrong(index, "kind", categories[np.asarray(codes)[index]], legal)
        return found
    array, mask = _plain(values, "kind")
    if array.dtype.kind not in "OUT" and len(array) > 0 and not (array.dtype.kind == "f" and np.isnan(array).all()):
        raise LogError(f"kind is of type {array.dtype}; legal: {legal}")
    return _by_table(array, mask, _KINDS, "kind", legal)


def _by_table(array: _Array, mask: Optional[_Array], known: dict[Any, int], name: str, legal: str) -> _Array:
    """What the table has for each value. A missing one is as an empty text."""
    found = np.empty(len(array), dtype=np.uint8)
    empty = known[""]
    for index, value in enumerate(array.tolist()):
        if (mask is not None and mask[index]) or _is_missing(value):
            found[index] = empty
            continue
        number = known.get(value) if isinstance(value, (str, bool, int, float)) else None
        if number is None:
            raise _wrong(index, name, value, legal)
        found[index] = number
    return found
