"""Columns of any kind: each is right, to the nanosecond, or a clear error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import trip99
from conftest import Tool, raised, without_place
from trip99 import _arrays

NS = 1_700_000_000_123_456_789
FAR = 2**64 - 1


def read(start: Any, unit: str = "ns") -> list[int]:
    """Starts as the native half gets them."""
    latency = np.zeros(len(start), dtype=np.uint64)
    columns = _arrays.columns(start, latency, None, None, (unit, "ns"), False)
    return [int(number) for number in np.frombuffer(columns[0], dtype=np.uint64)]


def latencies(latency: Any, unit: str = "ns") -> list[Any]:
    """Latencies as the native half gets them. None never came back."""
    columns = _arrays.columns(np.zeros(len(latency), dtype=np.uint64), latency, None, None, ("ns", unit), False)
    numbers = np.frombuffer(columns[1], dtype=np.uint64).tolist()
    lost = columns[2] or bytes(len(numbers))
    return [None if is_lost else number for number, is_lost in zip(numbers, lost)]


def results(ok: Any) -> list[int]:
    return list(_arrays.columns([0] * len(ok), [0] * len(ok), ok, None, ("ns", "ns"), False)[3] or b"")


def kinds(kind: Any) -> list[int]:
    return list(_arrays.columns([0] * len(kind), [0] * len(kind), None, kind, ("ns", "ns"), False)[4] or b"")


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i2", ">u4", ">i8", ">u8", "<i8"])
def test_integers_of_any_width_and_byte_order(dtype: str) -> None:
    greatest = int(np.iinfo(np.dtype(dtype)).max)
    assert read(np.array([0, 1, greatest], dtype=dtype)) == [0, 1, greatest]
    assert latencies(np.array([0, 7], dtype=dtype), "us") == [0, 7_000]


def test_boundaries_of_integers() -> None:
    assert read(np.array([2**63, FAR], dtype=np.uint64)) == [2**63, FAR]
    assert read([2**63, FAR]) == [2**63, FAR], "a list of Python's integers"
    assert read([0, FAR]) == [0, FAR], "which numpy would make floats of"
    assert "2^64" not in raised(trip99.LogError, read, [2**64])
    for unit, factor in [("us", 10**3), ("ms", 10**6), ("s", 10**9)]:
        most = FAR // factor
        assert read(np.array([most], dtype=np.uint64), unit) == [most * factor]
        text = raised(trip99.LogError, read, np.array([0, most + 1], dtype=np.uint64), unit)
        assert text.startswith(f'row 2 (index 1): start is "{most + 1}"; legal:')
    assert raised(trip99.LogError, read, np.array([-1], dtype=np.int8)).startswith('row 1 (index 0): start_ns is "-1"')


def test_buffers_that_are_not_contiguous() -> None:
    numbers = np.arange(20, dtype=np.int64).reshape(4, 5)
    assert read(numbers[:, 2]) == [2, 7, 12, 17]
    assert read(np.arange(9)[::-3]) == [8, 5, 2]
    unaligned = np.frombuffer(b"\0" + np.arange(3, dtype=np.int64).tobytes(), dtype=np.uint8)[1:].view(np.int64)
    assert read(unaligned) == [0, 1, 2]
    fixed = np.arange(3)
    fixed.flags.writeable = False
    assert read(fixed) == [0, 1, 2]
    assert read(np.broadcast_to(np.int64(5), 3)) == [5, 5, 5]


def test_arrays_of_no_dimension_or_several_are_refused() -> None:
    for wrong, dimensions in [(np.array(5), 0), (np.zeros((2, 2)), 2), (np.zeros((1, 0)), 2)]:
        text = raised(trip99.LogError, trip99.replay, wrong, wrong)
        assert text == f"start_ns has {dimensions} dimensions; legal: an array of one"
    assert "0 dimensions" in raised(trip99.LogError, trip99.replay, 5, [5])
    assert "0 dimensions" in raised(trip99.LogError, trip99.replay, [5], "5")


@pytest.mark.parametrize("dtype", ["i8", "u8", "f8", "M8[ns]", "M8[s]", "O"])
def test_empty_arrays(dtype: str) -> None:
    empty = np.array([], dtype=dtype)
    replay = trip99.replay(empty, np.array([], dtype="i8"), np.array([], dtype=bool), np.array([], dtype="U1"))
    assert (replay.summary.asked, replay.transitions, replay.summary.state) == (0, [], "closed")
    assert trip99.replay([], []).summary.end_ns == 0
    assert "0 healthy calls" in raised(trip99.LogError, trip99.tune, empty, np.array([], dtype="i8"))


def test_lengths_must_be_equal() -> None:
    assert raised(trip99.LogError, trip99.replay, [1, 2], [1]) == "latency has 1 rows, and start has 2; legal: as many"
    assert "ok has 3 rows" in raised(trip99.LogError, trip99.replay, [1, 2], [1, 2], [True] * 3)
    assert "kind has 0 rows" in raised(trip99.LogError, trip99.replay, [1, 2], [1, 2], None, [])


def test_a_float_is_whole_nanoseconds_or_refused() -> None:
    assert read(np.array([0.0, -0.0, 5.0, 2.0**53 - 1])) == [0, 0, 5, 2**53 - 1]
    assert read(np.array([2**24 - 1], dtype=np.float32)) == [2**24 - 1]
    for wrong in [2.0**53, 1.5, -1.0, np.inf, -np.inf, 1.7e18]:
        text = raised(trip99.LogError, read, np.array([1.0, wrong]))
        assert text.startswith(f'row 2 (index 1): start_ns is "{wrong}"; legal: whole nanoseconds'), text
    assert "a float of this size can't hold it; integers and datetime64 can" in raised(trip99.LogError, read, np.array([1.7e18]))
    assert "can't hold it" in raised(trip99.LogError, read, np.array([2**24], dtype=np.float32))
    assert "can't hold it" in raised(trip99.LogError, read, np.array([4096], dtype=np.float16))
    assert 'start_ns is ""' in raised(trip99.LogError, read, np.array([np.nan]))
    assert latencies(np.array([np.nan, 5.0])) == [None, 5]


@pytest.mark.parametrize(("unit", "digits"), [("s", 9), ("ms", 6), ("us", 3)])
def test_a_float_of_a_unit_is_the_nanoseconds_that_were_written(unit: str, digits: int) -> None:
    random = np.random.default_rng(5)
    for most in [10**3, 10**6, 10**9, 10**12, 4 * 10**15]:
        numbers = random.integers(0, most, 2000)
        written = np.array([float(Decimal(int(number)).scaleb(-digits)) for number in numbers])
        assert latencies(written, unit) == numbers.tolist()
    # Half a nanosecond is rounded up, a little less is not.
    half = 0.5 / 10**digits
    assert latencies(np.array([half, np.nextafter(half, 0) * 0.999999, 1e-300, np.nan]), unit) == [1, 0, 0, None]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_float_that_cannot_hold_nanoseconds_is_refused(unit: str) -> None:
    factor = _arrays.UNITS[unit]
    edge = next(2.0**power for power in range(64) if np.spacing(2.0**power) * factor >= 1)
    below = float(np.nextafter(edge, 0))
    assert latencies(np.array([below]), unit) == [round(Fraction(below) * factor)]
    text = raised(trip99.LogError, latencies, np.array([1.0, edge]), unit)
    assert text.startswith(f'row 2 (index 1): latency is "{edge}"; legal: whole') and "can't hold it" in text
    assert "can't hold it" in raised(trip99.LogError, read, np.array([1_700_000_000.5]), "s")


def test_floats_of_a_unit_are_read_as_the_tool_reads_their_text(tool: Tool, tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    start = np.cumsum(random.random(500) * 0.01)
    latency = random.lognormal(1, 2, 500)
    path = tmp_path / "t.csv"
    path.write_text("s,l\n" + "".join(f"{float(s)!r},{float(l):.17f}\n" for s, l in zip(start, latency)))
    trace = tool.run("trace", str(path), "--columns", "start=s:s,latency=l:ms").stdout.splitlines()[1:]
    rows = [line.split(",")[:2] for line in trace]
    assert rows == [[str(s), str(l)] for s, l in zip(read(start, "s"), latencies(latency, "ms"))]


@pytest.mark.parametrize("order", ["<", ">"])
def test_dates_and_durations_of_numpy(order: str) -> None:
    for unit, factor in [("D", 86_400 * 10**9), ("h", 3_600 * 10**9), ("m", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)]:
        number = NS // factor
        assert read(np.array([number], dtype=f"{order}M8[{unit}]")) == [number * factor]
        assert latencies(np.array([7, "NaT"], dtype=f"{order}m8[{unit}]")) == [7 * factor, None]
        assert latencies(np.array([7], dtype=f"{order}m8[10{unit}]")) == [70 * factor]
    assert read(np.array(["2024-02-29", "2024-03"], dtype="M8[D]")) == [1_709_164_800 * 10**9, 1_709_251_200 * 10**9]
    assert read(np.array(["2024"], dtype="M8[Y]")) == [1_704_067_200 * 10**9]
    assert read(np.array(["2024-03"], dtype="M8[M]")) == [1_709_251_200 * 10**9]
    assert latencies(np.array([7_000, 0], dtype="m8[ps]")) == [7, 0]
    assert read(np.array([5], dtype="m8[us]")) == [5_000], "a time from any origin"
    # The greatest, where numpy itself would wrap around.
    assert read(np.array([FAR // 10**9], dtype="M8[s]")) == [FAR // 10**9 * 10**9]


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (np.array([0, FAR // 10**9 + 1], dtype="M8[s]"), "row 2 (index 1): start_ns is"),
        (np.array(["1969-12-31T23:59:59"], dtype="M8[ns]"), 'start_ns is "1969-12-31T23:59:59.000000000"'),
        (np.array(["NaT"], dtype="M8[ns]"), 'row 1 (index 0): start_ns is ""; legal: whole'),
        (np.array([7_001], dtype="m8[ps]"), 'start_ns is "7001 picoseconds"'),
        (np.array([5], dtype="m8"), "no number of nanoseconds"),
        (np.array([1], dtype="m8[M]"), "no number of nanoseconds"),
        (np.array([True]), "start_ns is of type bool; legal: integers, floats, datetime64"),
        (np.array([1j]), "of type complex128"),
        (np.array(["5"]), "of type <U1"),
        (np.array([b"5"]), "of type |S1"),
        (np.array([(1, 2)], dtype="i4,i4").view(np.void), "start_ns is of type"),
    ],
)
def test_what_is_no_time_is_refused(start: Any, text: str) -> None:
    assert text in raised(trip99.LogError, _arrays.columns, start, [0] * len(start), None, None, ("ns", "ns"), False)


def test_a_date_is_no_latency() -> None:
    text = raised(trip99.LogError, latencies, np.array(["2024-01-01"], dtype="M8[ns]"))
    assert text == "latency_ns is of type datetime64[ns]; legal: integers, floats, timedelta64, or objects of these"


def test_masked_arrays() -> None:
    mask = [False, True, False]
    for values in [np.array([5, -9, 7]), np.array([5, np.inf, 7]), np.array([5, 6, 7], dtype="m8[ns]")]:
        assert latencies(np.ma.masked_array(values, mask=mask)) == [5, None, 7]
    assert latencies(np.ma.masked_array([5, 6])) == [5, 6]
    assert 'row 2 (index 1): start_ns is ""' in raised(trip99.LogError, read, np.ma.masked_array([5, 6, 7], mask=mask))
    assert results(np.ma.masked_array([False, False, True], mask=mask)) == [0, 1, 1]
    assert kinds(np.ma.masked_array(["free", "x", "refused"], mask=mask)) == [1, 0, 3]
    untouched = np.ma.masked_array([5, -9, 7], mask=mask)
    latencies(untouched)
    assert untouched.data.tolist() == [5, -9, 7]


def test_objects() -> None:
    utc = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
    there = datetime(2024, 1, 1, 13, 0, 0, 1, tzinfo=timezone(timedelta(hours=1)))
    noon = 1_704_110_400 * 10**9
    starts = [5, np.int16(6), 7.0, Decimal(8), Fraction(9), utc, there, pd.Timestamp(utc), np.datetime64(utc.replace(tzinfo=None)), utc.replace(tzinfo=None), FAR]
    assert read(np.array(starts, dtype=object)) == [5, 6, 7, 8, 9, noon, noon + 1_000, noon, noon, noon, FAR]
    lost = [None, np.nan, pd.NA, pd.NaT, Decimal("NaN"), np.timedelta64("NaT"), np.float32("nan")]
    assert latencies(np.array(lost, dtype=object)) == [None] * len(lost)
    durations = [timedelta(days=1, microseconds=1), pd.Timedelta(5, "ns"), np.timedelta64(3, "us")]
    assert latencies(np.array(durations, dtype=object)) == [86_400_000_001_000, 5, 3_000]
    assert latencies([1, None, 2**53 + 1]) == [1, None, 2**53 + 1], "no detour by a float"
    assert latencies(np.array([0.1, 1, Decimal("0.000000001")], dtype=object), "s") == [100_000_000, 10**9, 1]
    for wrong in ["5", True, object, 1.5, Decimal("0.5"), -5, 2**64, Decimal("Infinity"), timedelta(seconds=-1), (1,)]:
        array = np.empty(2, dtype=object)
        array[:] = [1, wrong]
        assert raised(trip99.LogError, read, array).startswith(f'row 2 (index 1): start_ns is "{wrong}"'), wrong
    assert "latency_ns is" in raised(trip99.LogError, latencies, np.array([utc], dtype=object))


def test_results() -> None:
    for ok in [
        [True, False],
        [1, 0],
        np.array([1.0, 0.0]),
        np.array([1, 0], dtype=">i2"),
        ["1", "0"],
        np.array(["1", "0"]),
        pd.Series([True, False], dtype="boolean"),
    ]:
        assert results(ok) == [1, 0], ok
    missing = [
        np.array([np.nan, 0.0]),
        np.array([None, False], dtype=object),
        np.array(["", "0"]),
        pd.Series([None, False], dtype="boolean"),
        pd.Series([None, 0], dtype="Int8"),
    ]
    for ok in missing:
        assert results(ok) == [1, 0], ok
    for wrong in [2, -1, 0.5, "yes"]:
        assert raised(trip99.LogError, results, [1, wrong]).startswith('row 2 (index 1): ok is "'), wrong
    assert "ok is of type datetime64" in raised(trip99.LogError, results, np.array(["2024"], dtype="M8[s]"))


def test_kinds() -> None:
    names = ["ask", "free", "withdrawn", "refused", ""]
    for kind in [names, np.array(names), np.array(names, dtype=object), pd.Series(names), pd.Series(names, dtype="category")]:
        assert kinds(kind) == [0, 1, 2, 3, 0]
    missing = ["free", None]
    for kind in [np.array(missing, dtype=object), pd.Series(missing), pd.Series(missing, dtype="category"), pd.Categorical(missing)]:
        assert kinds(kind) == [1, 0]
    assert kinds(np.array([np.nan, np.nan])) == [0, 0], "as pandas reads a column that is empty"
    for kind in [["ask", "Free"], pd.Series(["ask", "Free"], dtype="category")]:
        text = 'row 2 (index 1): kind is "Free"; legal: ask, free, withdrawn or refused (empty is ask)'
        assert raised(trip99.LogError, kinds, kind) == text
    assert "kind is of type int64" in raised(trip99.LogError, kinds, np.array([1, 2]))


def test_columns_of_pandas() -> None:
    dates = pd.Series(pd.to_datetime([NS, NS + 1]))
    assert read(dates) == read(dates.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")) == [NS, NS + 1]
    assert read(pd.DatetimeIndex(dates, tz="UTC")) == [NS, NS + 1]
    assert latencies(pd.Series(pd.to_timedelta([5, None], unit="us"))) == [5_000, None]
    assert latencies(pd.Series([2**53 + 1, None], dtype="Int64")) == [2**53 + 1, None]
    assert latencies(pd.Series([2**63 - 1, None], dtype="UInt64")) == [2**63 - 1, None]
    assert latencies(pd.Series([1.5, None], dtype="Float64"), "us") == [1_500, None]
    assert read(pd.Series([1, 2], dtype="Int64", index=[7, 3])) == [1, 2]
    assert read(pd.RangeIndex(3)) == [0, 1, 2]
    assert 'start_ns is ""' in raised(trip99.LogError, read, pd.Series([1, None], dtype="Int64"))
    # What pandas makes of integers beside a gap: floats, and those of this size have lost digits.
    assert "can't hold it" in raised(trip99.LogError, read, pd.Series([NS, NS + 1, None]))


def test_frames() -> None:
    frame = pd.DataFrame({"sent": [0, 10, 20], "rtt": [5, None, 7], "fine": [True, True, False], "ok": ["y", "n", "y"]})
    summary = trip99.replay(frame, start="sent", latency="rtt", ok="fine", unit="us").summary
    assert (summary.asked, summary.lost, summary.end_ns) == (3, 1, 27_000)
    assert trip99.replay(frame, start="sent", latency="rtt").summary.asked == 3, "`ok` isn't taken unasked"
    text = 'start is column "when", which the frame has not; legal: sent, rtt, fine, ok'
    assert raised(trip99.LogError, trip99.replay, frame, start="when", latency="rtt") == text
    assert 'column "start_ns"' in raised(trip99.LogError, trip99.replay, frame)
    trace = {"start_ns": [0, 10], "latency_ns": [5, 6], "ok": [1, 0], "kind": ["free", "ask"]}
    structured = np.array([(0, 5, 1), (10, 6, 0)], dtype=[("start_ns", "u8"), ("latency_ns", "i8"), ("ok", "i1")])
    for log in [trace, pd.DataFrame(trace), pd.DataFrame(trace)[::-1].sort_index()]:
        assert trip99.replay(log).summary.free == 1
    assert trip99.replay(structured).summary.asked == 2
    assert raised(trip99.LogError, trip99.replay, pd.DataFrame({"a": [1]}), start="a", latency="b").startswith("latency is")


def test_how_columns_are_given() -> None:
    assert trip99.replay(start=[1], latency=[2]).summary == trip99.replay([1], [2]).summary == trip99.replay([1], latency=[2]).summary
    for arguments, keywords in [((), {}), (([1],), {}), (([1], [2]), {"latency": [2]}), (([1], [2], None, None, 5), {}), (({"a": [1]}, [2]), {})]:
        raised(TypeError, trip99.replay, *arguments, **keywords)
    assert raised(trip99.LogError, trip99.replay, [1], [2], unit="min") == 'unit is "min"; legal: s, ms, us or ns'
    mixed = trip99.replay(np.array([1.5]), [2], start_unit="s", latency_unit="ms").summary
    assert (mixed.first_ns, mixed.end_ns) == (1_500_000_000, 1_502_000_000)
    assert trip99.replay([1], [2], unit="us").summary.end_ns == 3_000
    assert trip99.replay([1], [2], unit="us", start_unit="ms").summary.end_ns == 1_002_000
    assert trip99.replay([1], [2], unit="us", latency_unit="ms").summary.end_ns == 2_001_000


def test_nothing_is_changed_that_was_given() -> None:
    start, latency = np.array([3, 1, 2]), np.array([np.nan, 5.0, 6.0])
    trip99.replay(start, latency, sort=True)
    assert (start.tolist(), latency[1:].tolist()) == ([3, 1, 2], [5.0, 6.0])


def test_the_text_of_an_error_is_one_line() -> None:
    assert without_place("row 3 (index 2): x") == "x"
    text = raised(trip99.LogError, trip99.replay, [5, 4], [1, 1])
    assert text == "row 2 (index 1): start_ns is 4, before 5 of the row above; legal: ascending order, or sort=True"
