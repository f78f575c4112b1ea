"""What trip99 tells: plain values. The native half makes them, by keywords."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

from . import _trip99

State = Literal["closed", "open", "half_open"]
"""A breaker's automatic state."""

Reason = Literal[
    "latency",
    "failure_rate",
    "consecutive_failures",
    "spike",
    "stall",
    "retry",
    "probe_failed",
    "probe_slow",
    "probe_lost",
    "recovered",
    "halt",
    "resume",
    "restart",
    "tripped",
    "reconfigured",
    "owner_silent",
    "owner_back",
    "clock_jumped",
    "latched",
]
"""Why a breaker changed its state, or what else happened to it."""

Settings = dict[str, Any]
"""Settings by name, each with its value as the tool's TOML has it: a text, a number or a boolean."""


@dataclass(frozen=True)
class Transition:
    """A change of state in a replay, with the figures of a verdict at that moment. See docs/json.md."""

    t_ns: int
    """When, on the log's clock."""
    from_state: State
    to_state: State
    reason: Reason
    samples: int
    """How many samples the verdict sees, overdue calls included."""
    slow: int
    """How many of them are slower than the threshold."""
    overdue: int
    """How many of them are calls in flight that are slow already."""
    quantile_ns: int
    """The quantile that is judged; 0 if the verdict sees nothing."""
    observed: int
    """What was observed; its unit hangs on the reason: nanoseconds, parts per million or a count."""
    limit: int
    """The limit that `observed` is held against."""
    attempt: int
    retry_at_ns: Optional[int]
    """When the pause ends; None unless `to_state` is open."""


@dataclass(frozen=True)
class Summary:
    """What became of the calls of a log, and of the breaker."""

    asked: int
    """Rows that asked: `allowed + refused`."""
    allowed: int
    refused: int
    free: int
    """Rows that don't ask."""
    unknown: int
    """Those of the allowed rows that were refused when they were recorded: nobody knows how they would have gone."""
    lost: int
    """Calls that began and never came back."""
    trips: int
    """How often the breaker opened while it was closed."""
    reopens: int
    """How often it opened while it was half-open."""
    open_ns: int
    half_open_ns: int
    first_ns: int
    """When the first row was."""
    end_ns: int
    """When the last row or completion was."""
    longest_pause_ns: int
    armed: int
    """Rows that asked while a verdict was possible."""
    state: State
    """The state at the end."""


@dataclass(frozen=True)
class Event:
    """A record of a breaker's journal: a change of state, a halt, a resume, a restart or a change of settings."""

    sequence: int
    """Events are counted from 0 on."""
    t_ns: int
    """When, on the breaker's clock."""
    wall_ns: int
    """When, in nanoseconds since 1970, UTC."""
    from_state: State
    to_state: State
    reason: Reason
    quantile_ns: int
    samples: int
    slow: int
    overdue: int
    failures: int
    observed: int
    limit: int
    by_debt: bool
    """It opened by its debt: `observed` and `limit` are in parts per million of a call."""
    attempt: int
    retry_at_ns: Optional[int]
    """When the pause ends; None unless `to_state` is open."""
    owner_gap_ns: int
    """How long before this the owner was last seen. A long gap means a local pause rather than a slow node."""
    entry: Optional[int]
    """Of a halt or a resume: the number of its entry in the operators' log."""


@dataclass(frozen=True)
class Snapshot:
    """A breaker at one moment, `now_ns`: its state, what a verdict sees, and what it has counted since it was made."""

    state: State
    halted: bool
    shadow: bool
    armed: bool
    """There are enough samples for a verdict on the quantile."""
    clock: str
    """Where plain operations read the time: `tsc` or `monotonic`."""
    now_ns: int
    epoch_ns: int
    retry_at_ns: Optional[int]
    """When the pause ends; None unless the breaker is open."""
    attempt: int
    samples: int
    slow: int
    failures: int
    overdue: int
    debt_ppm: int
    in_flight: int
    oldest_start_ns: Optional[int]
    """When the oldest call in flight began."""
    trials_granted: int
    trials_out: int
    trials_good: int
    recorded: int
    stale: int
    untracked: int
    refused: int
    refused_in_shadow: int
    misused: int
    """Tickets that came back twice or were never given out, and latencies that were no times, as negative ones."""
    dropped: int
    events: int


@dataclass(frozen=True)
class Halt:
    """Who halted, when and why."""

    holder: Optional[str]
    """In whose name; None if the halter was killed before it told."""
    reason: str
    host: str
    pid: int
    uid: int
    login_uid: int
    wall_ns: int
    """When, in nanoseconds since 1970, UTC."""


@dataclass(frozen=True)
class Why:
    """Why calls are refused now, or that they pass. `str` makes one line of it, for the text of a reject."""

    text: str = field(repr=False)
    refuses: bool
    state: Optional[State]
    """None if the gate is damaged."""
    halted: bool
    unwatched: bool
    """The owner is silent, so nobody judges."""
    shadow: bool
    ended: bool
    reason: Optional[Reason]
    observed: int
    limit: int
    since_wall_ns: int
    retry_at_ns: Optional[int]
    holders: list[Halt]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Owner:
    """The process that owns a page."""

    pid: Optional[int]
    """None if it can't be told, as from another pid namespace."""
    alive: bool
    seen_ago_ns: Optional[int]
    memory_locked: bool
    started: Optional[Literal["new", "clean", "unclean"]]
    """How it found the page."""


@dataclass(frozen=True)
class Halted:
    """What came of a halt: calls are refused now."""

    path: Path
    holder: str
    durable: bool
    """The halt survives a reboot."""
    owner_alive: bool
    """A process owns the page, and obeys. Otherwise the halt waits for the next owner."""
    warnings: list[str]


@dataclass(frozen=True)
class Resumed:
    """What came of a resume."""

    path: Path
    lifted: Halt
    still_held: list[Halt]
    """Who holds a halt all the same. If nobody does, the owner's next poll lets the breaker decide again."""
    warnings: list[str]


@dataclass(frozen=True)
class Candidate:
    """A quantile and a threshold, with the debt limit that keeps false trips within half the budget."""

    quantile_ppm: int
    threshold_ns: int
    debt_limit: int
    slow: int
    """How many healthy calls are slower than the threshold."""
    expected_in_30_d: float
    bound_in_30_d: float
    mean_delay_ns: int
    median_delay_ns: int


@dataclass(frozen=True)
class FalseTrip:
    """A trip that no outage explains."""

    t_ns: int
    reason: Reason
    observed: int
    limit: int


@dataclass(frozen=True)
class Proof:
    """What settings would have done with a log, or a part of it."""

    span_ns: int
    """The time that the rows take, without outages."""
    trips: int
    false_trips: list[FalseTrip]
    outages: int
    noticed: int
    """How many of the outages would have been noticed."""
    paused_ns: int


@dataclass(frozen=True)
class HeldBack:
    """Settings made of the first part of a log alone, judged by the last one."""

    rows: int
    """How many rows were held back."""
    config: Settings
    proof: Proof


@dataclass(frozen=True)
class Noticed:
    """How soon a fault is noticed, in the median."""

    tried: int
    noticed: int
    calls: Optional[int]
    """After so many calls; None if it is noticed in less than half of the places."""
    after_ns: Optional[int]

    def __str__(self) -> str:
        how = f"{self.noticed} of {self.tried}"
        if self.calls is None or self.after_ns is None:
            return how
        return f"{how}, {self.calls} call{'s' * (self.calls != 1)}, {_trip99.show_ns(self.after_ns)}"


@dataclass(frozen=True)
class Fault:
    """A fault that was put into the log at several places."""

    fault: str
    """As `trip99 replay --inject` has it."""
    tuned: Noticed
    """By the settings that were made."""
    by_default: Noticed
    """By the defaults."""


@dataclass(frozen=True)
class Odds:
    """How often the settings would trip falsely, in 30 days."""

    budget_in_30_d: float
    expected_in_30_d: float
    """By the tail of the log's own debts, for the debt alone."""
    bound_in_30_d: float
    """No more can be excluded, 19 times of 20, by the part of the log that `judged_ns` tells."""
    bound_with_outages_in_30_d: float
    """The same if outages by hindsight are counted as false."""
    judged_ns: int
    is_held_back: bool
    """The settings that were judged were made without the part that they were judged by. Otherwise the odds are too kind."""
    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a table whose columns are as wide as they have to be."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


@dataclass(frozen=True, repr=False)
class Tuned:
    """Settings that fit a log, and what is known of them."""

    config: Settings
    """The settings, for `replay(..., **tuned.config)` and `Breaker(**tuned.config)`. What isn't there follows the threshold."""
    toml: str
    """The same as a file for `--config`, `Config::from_toml` and `cb_config_load`, each with its reason."""
    reasons: dict[str, str]
    """Why the settings are what they are."""
    odds: Odds
    faults: list[Fault]
    warnings: list[str]
    """What the log can't promise, and what is odd about it."""
    rows: int
    healthy: int
    """How many calls are healthy, and their time."""
    healthy_span_ns: int
    outages: list[tuple[int, int]]
    """Outages by hindsight, which were left out: from and to, on the log's clock."""
    chosen: Candidate
    candidates: list[Candidate]
    held_back: Optional[HeldBack]
    """None if there was too little log to hold a part back."""
    whole: Proof
    """The whole log with these settings."""
    whole_by_default: Proof
    """The whole log with the defaults."""

    def __repr__(self) -> str:
        left_out = f"{len(self.outages)} outage{'s' * (len(self.outages) != 1)} left out"
        lines = [
            f"settings of {self.healthy} healthy calls over {_trip99.show_ns(self.healthy_span_ns)}, {left_out}",
            *_table([(name, str(value), self.reasons.get(name, "")) for name, value in self.config.items()]),
            "odds of false trips",
            *("  " + line for line in textwrap.wrap(str(self.odds), 108)),
            "faults put into the log: noticed, and in the median after how many calls and how long",
            *_table(
                [("", "these settings", "the defaults")]
                + [(fault.fault, str(fault.tuned), str(fault.by_default)) for fault in self.faults]
            ),
            *("warning: " + warning for warning in self.warnings),
        ]
        return "\n".join(lines)
