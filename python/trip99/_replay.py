"""`replay`: drives a breaker over a recorded log, in virtual time."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any, Optional, Union

from . import _log, _trip99
from ._values import Summary, Transition, _table

_SHOWN = 20


@dataclass(frozen=True, repr=False)
class Replay:
    """What a replay tells."""

    transitions: list[Transition]
    summary: Summary
    warnings: list[str]
    """What is odd about the settings or the log, each with the rows and the remedy."""

    def to_frame(self) -> Any:
        """The transitions as a pandas DataFrame, a row each. `retry_at_ns` is NA where there is none."""
        import pandas

        types = {"from_state": "object", "to_state": "object", "reason": "object", "retry_at_ns": "UInt64"}
        # Column by column: of numbers beside None pandas would make floats, which can't hold nanoseconds.
        columns = {
            name: pandas.Series([getattr(each, name) for each in self.transitions], dtype=types.get(name, "uint64"))
            for name in (field.name for field in fields(Transition))
        }
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        figures, show_ns = self.summary, _trip99.show_ns
        rows = figures.asked + figures.free
        beside = {"free": figures.free, "unknown": figures.unknown, "lost": figures.lost}
        lines = [
            f"replay of {rows} call{'s' * (rows != 1)} over {show_ns(figures.end_ns - figures.first_ns)}: "
            f"{figures.trips} trip{'s' * (figures.trips != 1)}, {figures.reopens} reopened",
            f"  {figures.asked} asked, {figures.allowed} allowed, {figures.refused} refused"
            + "".join(f", {count} {name}" for name, count in beside.items() if count),
            f"  open {show_ns(figures.open_ns)}, half-open {show_ns(figures.half_open_ns)}, "
            f"longest pause {show_ns(figures.longest_pause_ns)}, {figures.state.replace('_', '-')} at the end",
        ]
        if self.transitions:
            table: list[tuple[str, ...]] = [("after", "from", "to", "reason", "samples", "slow", "quantile")]
            table += [self._line(each) for each in self.transitions[:_SHOWN]]
            lines += _table(table)
        if len(self.transitions) > _SHOWN:
            lines.append(f"  and {len(self.transitions) - _SHOWN} more")
        lines += ["warning: " + warning for warning in self.warnings]
        return "\n".join(lines)

    def _line(self, each: Transition) -> tuple[str, ...]:
        after = _trip99.show_ns(each.t_ns - self.summary.first_ns)
        states = (each.from_state.replace("_", "-"), each.to_state.replace("_", "-"))
        quantile = _trip99.show_ns(each.quantile_ns)
        return (after, *states, each.reason, str(each.samples), str(each.slow), quantile)


def replay(
    *log: Any,
    start: Any = None,
    latency: Any = None,
    ok: Any = None,
    kind: Any = None,
    unit: Optional[str] = None,
    start_unit: Optional[str] = None,
    latency_unit: Optional[str] = None,
    sort: bool = False,
    config: Optional[Union[str, os.PathLike[str]]] = None,
    start_state: Optional[str] = None,
    **settings: Any,
) -> Replay:
    """Drives a breaker over a log, in virtual time, as `trip99 replay` does: each row asks, and what is refused doesn't happen.

    `replay(start, latency, ok=None, kind=None)` takes arrays, and `replay(frame, start="sent", latency="rtt")` a frame and the names of its
    columns, which are those of a trace by default: `start_ns`, `latency_ns` and, if they are there, `ok` and `kind`.

    - `start`: when each call was to be sent, ascending (or `sort=True`). Integers, datetime64, timedelta64, or floats.
    - `latency`: how long it took. NaN, NaT, None or masked: it never came back.
    - `ok`: False or 0 if the venue or the transport failed the call.
    - `kind`: `ask`, `free`, `withdrawn` or `refused`: see docs/json.md.
    - `unit` of numbers, or `start_unit` and `latency_unit`: `s`, `ms`, `us` or `ns`, which is the default. Floats in `ns` must be whole. In
      another unit a float is taken to the nearest nanosecond, if floats of its size are nearer to each other than that.
    - `config`: a TOML file of settings. `settings` by keyword override it. The setting `start` is `start_state` here.

    Raises `LogError`, which names the row and its value, or `ConfigError`. The GIL is released, and Ctrl-C ends it.
    """
    named = {"start": start, "latency": latency, "ok": ok, "kind": kind}
    columns = _log.read("replay", log, named, unit, start_unit, latency_unit, sort)
    if start_state is not None:
        settings["start"] = start_state
    return Replay(*_trip99.replay(columns, config, settings))
