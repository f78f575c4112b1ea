"""A replay is the tool's, and so are texts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trip99
from conftest import REPOSITORY, Tool, in_python, raised, without_place

LOGS = 60
KINDS = np.array(["ask", "free", "withdrawn", "refused"])


class Log:
    """A random log: calm, with slow, silent and failing times."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.random = random
        rows = int(random.integers(0, 3000)) if seed > 0 else 0
        step_ns = int(random.choice([1, 1_000, 1_000_000, 50_000_000]))
        self.start = np.cumsum(random.integers(0, 2 * step_ns + 1, rows)).astype(np.uint64)
        self.start += np.uint64(random.choice([0, 1_700_000_000_000_000_000]))
        self.latency = random.integers(1, 300_000_000, rows)
        self.lost = random.random(rows) < random.choice([0, 0.01, 0.3])
        self.ok = (random.random(rows) > random.choice([0, 0.05, 0.5])) | self.lost
        self.kind = random.choice(KINDS, rows, p=random.dirichlet([9, 1, 1, 1]))

    def settings(self) -> dict[str, Any]:
        random = self.random
        choices: dict[str, list[Any]] = {
            "threshold": ["200ms", 150_000_000, "290ms"],
            "quantile": [0.5, 0.9, "0.99"],
            "window_len": [20, 64, 1024],
            "min_slow": [0, 2],
            "debt_limit": [0, 1, 6],
            "failure_rate": [0.2, 1],
            "spike_count": [0, 3],
            "stall_limit": ["0", "400ms"],
            "probes": [1, 5],
            "window_age": ["0s", "5s"],
            "shadow": [True, False],
            "latch_after": [0, 3],
        }
        return {name: random.choice(np.array(each, dtype=object)) for name, each in choices.items() if random.random() < 0.4}

    def write(self, path: Path) -> None:
        columns = zip(self.start, self.latency, self.lost, self.ok, self.kind)
        lines = [f"{s},{'' if gone else latency},{int(ok)},{kind}" for s, latency, gone, ok, kind in columns]
        path.write_text("\n".join(["start_ns,latency_ns,ok,kind", *lines, ""]))


def options(settings: dict[str, Any]) -> list[str]:
    text = {True: "true", False: "false"}
    return [f"--{name.replace('_', '-')}={text.get(value, value) if value is True or value is False else value}" for name, value in settings.items()]


@pytest.mark.parametrize("seed", range(LOGS))
def test_a_replay_is_the_tools(seed: int, tool: Tool, tmp_path: Path) -> None:
    log, path = Log(seed), tmp_path / "t.csv"
    settings = log.settings()
    log.write(path)
    *transitions, summary = tool.json("replay", str(path), *options(settings))
    warnings = []
    if transitions and "warnings" in transitions[-1]:
        warnings = [in_python(warning) for warning in transitions.pop()["warnings"]]

    latency = np.ma.masked_array(log.latency, mask=log.lost)
    replay = trip99.replay(log.start, latency, log.ok, log.kind, **settings)
    told = [asdict(each) for each in replay.transitions]
    for each in told:
        each["from"], each["to"] = each.pop("from_state"), each.pop("to_state")
    assert told == transitions
    figures = asdict(replay.summary)
    assert {name: figures[name] for name in summary} == summary
    assert replay.warnings == warnings


def test_some_of_these_logs_have_something_to_tell() -> None:
    """Otherwise the test above would compare nothing."""
    replays = []
    for seed in range(LOGS):
        log = Log(seed)
        settings = log.settings()
        latency = np.ma.masked_array(log.latency, mask=log.lost)
        replays.append(trip99.replay(log.start, latency, log.ok, log.kind, **settings))
    reasons = {each.reason for replay in replays for each in replay.transitions}
    assert len(reasons) >= 8, reasons
    figures = [replay.summary for replay in replays]
    assert all(any(getattr(each, name) for each in figures) for name in ("free", "unknown", "lost", "reopens"))
    assert any(replay.warnings for replay in replays)


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": "soon"},
        {"threshold": -1},
        {"threshold": 0},
        {"window_len": 10},
        {"window_len": 2.0},
        {"quantile": 99.0},
        {"quantile": 0.9999999},
        {"shadow": "maybe"},
        {"recovery": "health-checks"},
        {"stall_limit": "1ms"},
        {"probe_timeout": 5, "threshold": "1s"},
        {"backoff_base": "1h"},
        {"max_in_flight": 2**40},
        {"latch_after": True},
    ],
)
def test_an_error_of_settings_is_the_tools(settings: dict[str, Any], tool: Tool) -> None:
    trace = str(REPOSITORY / "traces/outage.csv")
    wrong = tool.error("replay", trace, *options(settings))
    assert raised(trip99.ConfigError, trip99.replay, [1], [1], **settings) == wrong
    if "recovery" not in settings:
        assert raised(trip99.ConfigError, trip99.Breaker, **settings) in (wrong, wrong.replace(" (by default)", ""))


def test_what_a_replay_cannot_do_is_refused_in_the_tools_words(tool: Tool, tmp_path: Path) -> None:
    trace = str(REPOSITORY / "traces/outage.csv")
    wrong = tool.error("replay", trace, "--start", "halted")
    assert raised(trip99.ConfigError, trip99.replay, [1], [1], start_state="halted") == wrong
    file = tmp_path / "node.toml"
    file.write_text('\nthreshold = "5s"\nwindow_len = 10\n')
    wrong = tool.error("replay", trace, "--config", str(file))
    assert raised(trip99.ConfigError, trip99.replay, [1], [1], config=file) == wrong
    assert "node.toml: line 3" in wrong
    missing = str(tmp_path / "none.toml")
    assert raised(trip99.ConfigError, trip99.Breaker, config=missing) == tool.error("replay", trace, "--config", missing)


@pytest.mark.parametrize(
    ("rows", "start", "latency", "ok", "kind"),
    [
        ("0,1,1,\n-5,1,1,", [0, -5], [1, 1], None, None),
        ("0,9223372036854775808,1,", [0], np.array([2**63], dtype=np.uint64), None, None),
        ("0,-7,1,", [0], [-7], None, None),
        ("18446744073709551615,1,1,", np.array([2**64 - 1], dtype=np.uint64), [1], None, None),
        ("0,1,2,", [0], [1], [2], None),
        ("0,,0,", [0], [np.nan], [False], None),
        ("5,2,1,\n4,2,1,", [5, 4], [2, 2], None, None),
        ("0,1,1,Ask", [0], [1], None, ["Ask"]),
        ("0,2.5,1,", [0], [2.5], None, None),
        (",2,1,", [None], [2], None, None),
    ],
)
def test_an_error_of_a_row_is_the_tools(
    rows: str, start: Any, latency: Any, ok: Any, kind: Any, tool: Tool, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"start_ns,latency_ns,ok,kind\n{rows}\n")
    wrong = tool.error("replay", str(path))
    text = raised(trip99.LogError, trip99.replay, start, latency, ok, kind)
    assert without_place(text) == without_place(wrong)
    row = rows.count("\n") + 1
    assert text.startswith(f"row {row} (index {row - 1}): ")


def test_sorted_rows_are_the_tools(tool: Tool, tmp_path: Path) -> None:
    log, path = Log(3), tmp_path / "t.csv"
    order = np.random.default_rng(99).permutation(len(log.start))
    for name in ("start", "latency", "lost", "ok", "kind"):
        setattr(log, name, getattr(log, name)[order])
    log.write(path)
    latency = np.ma.masked_array(log.latency, mask=log.lost)
    assert "before" in raised(trip99.LogError, trip99.replay, log.start, latency, log.ok, log.kind)
    replay = trip99.replay(log.start, latency, log.ok, log.kind, sort=True)
    summary = tool.json("replay", str(path), "--sort")[-1]
    figures = asdict(replay.summary)
    assert {name: figures[name] for name in summary} == summary


def test_tuned_settings_are_the_tools(tool: Tool, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    start = np.arange(4000) * 100_000_000
    latency = random.lognormal(np.log(5e6), 0.3, 4000).astype(np.int64)
    latency[1000:1010] = 3_000_000_000
    path = tmp_path / "t.csv"
    path.write_text("start_ns,latency_ns\n" + "".join(f"{s},{l}\n" for s, l in zip(start, latency)))
    chosen: list[dict[str, Any]] = [{}, {"false_trips": "2/1d", "quantile": 0.9, "detect_within": "1ms"}, {"hold_back": 0.2, "bad": "+1s..+9s"}]
    for keywords in chosen:
        arguments = [f"--{name.replace('_', '-')}={value if value != 0.2 else '20%'}" for name, value in keywords.items()]
        [told] = tool.json("tune", str(path), *arguments)
        tuned = trip99.tune(start, latency, **keywords)
        assert {name: value for name, value in told["settings"].items() if name in tuned.config}.items() <= tuned.config.items()
        assert (tuned.toml, tuned.reasons) == (told["toml"], told["reasons"])
        # What isn't there follows the threshold, so that both make the same breaker.
        (tmp_path / "tuned.toml").write_text(tuned.toml)
        assert trip99.Breaker(**tuned.config).settings == trip99.Breaker(config=tmp_path / "tuned.toml").settings
        assert str(tuned.odds) == told["odds"]["text"]
        assert tuned.odds.bound_in_30_d == told["odds"]["bound_in_30_d"]
        assert tuned.odds.budget_in_30_d == told["odds"]["budget_in_30_d"]
        assert [each.fault for each in tuned.faults] == [each["fault"] for each in told["faults"]]
        assert [asdict(each.tuned)["calls"] for each in tuned.faults] == [each["calls"] for each in told["faults"]]
        assert len(tuned.outages) == len(told["outages"]) == 1
        more = [warning.replace("see held_back", "see format json") for warning in tuned.warnings]
        assert more == [in_python(warning) for warning in told["warnings"]]


@pytest.mark.parametrize(
    "keywords",
    [{"false_trips": "0/1d"}, {"detect_within": "soon"}, {"hold_back": "91%"}, {"threshold": "0ns"}, {"bad": "x..y"}, {"bad": "+9s..+1s"}],
)
def test_an_error_of_tune_is_the_tools(keywords: dict[str, Any], tool: Tool) -> None:
    trace = str(REPOSITORY / "traces/outage.csv")
    [(name, value)] = keywords.items()
    wrong = tool.error("tune", trace, f"--{name.replace('_', '-')}", value)
    start = np.loadtxt(trace, delimiter=",", skiprows=1, usecols=0)
    assert raised(trip99.LogError, trip99.tune, start, start * 0, **keywords) == wrong
