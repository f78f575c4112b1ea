"""trip99, a latency circuit breaker for trading engines, in Python.

`replay` drives a breaker over a recorded log, `tune` makes settings that fit one, `Breaker` is a breaker for live use, and
`Observer`, `halt` and `resume` reach the pages of engines in other processes. docs/python.md of the repository tells of all of it.

Times are whole nanoseconds. Settings have the names of the tool's TOML; a duration is a text like "200ms", a timedelta, or
nanoseconds.
"""

import os as _os

from . import _trip99
from ._replay import Replay, replay
from ._trip99 import (
    Breaker,
    Call,
    ConfigError,
    Events,
    InFlight,
    LogError,
    Observer,
    OwnerError,
    SharedError,
    __version__,
    halt,
    pages,
    resume,
)
from ._tune import tune
from ._values import (
    Candidate,
    Event,
    FalseTrip,
    Fault,
    Halt,
    Halted,
    HeldBack,
    Noticed,
    Odds,
    Owner,
    Proof,
    Reason,
    Resumed,
    Snapshot,
    State,
    Summary,
    Transition,
    Tuned,
    Why,
)

__all__ = [
    "Breaker",
    "Call",
    "Candidate",
    "ConfigError",
    "Event",
    "Events",
    "FalseTrip",
    "Fault",
    "Halt",
    "Halted",
    "HeldBack",
    "InFlight",
    "LogError",
    "Noticed",
    "Observer",
    "Odds",
    "Owner",
    "OwnerError",
    "Proof",
    "Reason",
    "Replay",
    "Resumed",
    "SharedError",
    "Snapshot",
    "State",
    "Summary",
    "Transition",
    "Tuned",
    "Why",
    "__version__",
    "halt",
    "pages",
    "replay",
    "resume",
    "tune",
]

# A breaker must not be used in the child of a fork.
_os.register_at_fork(after_in_child=_trip99.note_fork)
