"""`tune`: settings that fit a log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, Union

from . import _arrays, _log, _trip99
from ._values import Tuned


def tune(
    *log: Any,
    start: Any = None,
    latency: Any = None,
    ok: Any = None,
    kind: Any = None,
    unit: Optional[str] = None,
    start_unit: Optional[str] = None,
    latency_unit: Optional[str] = None,
    sort: bool = False,
    false_trips: str = "1/30d",
    detect_within: Any = None,
    threshold: Any = None,
    quantile: Optional[Union[float, str]] = None,
    bad: Union[str, Iterable[tuple[Any, Any]], None] = None,
    hold_back: Union[str, float] = "50%",
) -> Tuned:
    """Makes settings that fit a log, and tells what they would have done, as `trip99 tune` does. docs/tune.md tells how.

    The log is given as `replay` takes it.

    - `false_trips`: the budget, as `2/1d`.
    - `detect_within`: a link that is five times slower, or silent, is noticed within this time, in the median: "1s", a timedelta, or
      nanoseconds.
    - `threshold`, `quantile`: if they are given. Otherwise they are made of the log.
    - `bad`: what else to leave out: pairs of times as in `start`, or a text as the tool's `--bad` takes it.
    - `hold_back`: the last part of the log, to judge by: a share, or a text like "50%".

    Raises `LogError` if the log is wrong, or tells too little.
    """
    named = {"start": start, "latency": latency, "ok": ok, "kind": kind}
    columns = _log.read("tune", log, named, unit, start_unit, latency_unit, sort)
    asked = {"false-trips": false_trips, "hold-back": hold_back if isinstance(hold_back, str) else f"{hold_back * 100:g}%"}
    if detect_within is not None:
        text = _trip99.text(detect_within)
        asked["detect-within"] = text + "ns" if text.isdecimal() else text
    for name, value in (("threshold", threshold), ("quantile", quantile)):
        if value is not None:
            asked[name] = _trip99.text(value)
    if bad is not None:
        asked["bad"] = bad if isinstance(bad, str) else _spans(bad, start_unit or unit or "ns")
    return _trip99.tune(columns, asked)


def _spans(bad: Iterable[tuple[Any, Any]], unit: str) -> str:
    return ",".join(f"{_arrays.stamp_ns(begin, unit)}..{_arrays.stamp_ns(end, unit)}" for begin, end in bad)
