"""A log as somebody gives it: arrays, or a frame and the names of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from . import _arrays
from ._trip99 import LogError

# The columns of a trace.
_NAMES = {"start": "start_ns", "latency": "latency_ns", "ok": "ok", "kind": "kind"}


def read(
    function: str,
    given: tuple[Any, ...],
    named: dict[str, Any],
    unit: Optional[str],
    start_unit: Optional[str],
    latency_unit: Optional[str],
    sort: bool,
) -> _arrays.Columns:
    """The columns for the native half. `named` has start, latency, ok and kind, as they were given by keyword."""
    if given and _is_frame(given[0]):
        if len(given) > 1:
            raise TypeError(f"{function}() takes a frame and the names of its columns by keyword")
        log = _of_frame(given[0], named)
    else:
        log = dict(named)
        if len(given) > len(log):
            raise TypeError(f"{function}() takes at most 4 columns; {len(given)} were given")
        for name, column in zip(log, given):
            if log[name] is not None:
                raise TypeError(f"{function}() got {name} twice")
            log[name] = column
        for name in ("start", "latency"):
            if log[name] is None:
                raise TypeError(f"{function}() needs {name}: an array, or a frame that has it")
    units = (start_unit or unit or "ns", latency_unit or unit or "ns")
    return _arrays.columns(log["start"], log["latency"], log["ok"], log["kind"], units, sort)


def _is_frame(value: Any) -> bool:
    """pandas' and polars' frames, mappings of arrays, and structured arrays."""
    is_structured = getattr(getattr(value, "dtype", None), "names", None) is not None
    return isinstance(value, Mapping) or is_structured or (hasattr(value, "columns") and hasattr(value, "__getitem__"))


def _of_frame(frame: Any, named: dict[str, Any]) -> dict[str, Any]:
    if isinstance(frame, Mapping):
        there = list(frame)
    else:
        there = list(frame.columns) if hasattr(frame, "columns") else list(frame.dtype.names)
    log: dict[str, Any] = {}
    # A frame whose columns have the names of a trace is one. In any other frame `ok` may mean something else.
    is_trace = named["start"] is None and named["latency"] is None
    for name, column in named.items():
        wanted = _NAMES[name] if column is None else column
        is_asked = column is not None or name in ("start", "latency") or (is_trace and wanted in there)
        if not is_asked:
            log[name] = None
        elif wanted in there:
            log[name] = frame[wanted]
        else:
            legal = ", ".join(str(each) for each in there)
            raise LogError(f'{name} is column "{wanted}", which the frame has not; legal: {legal}')
    return log
