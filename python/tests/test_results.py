"""What replay and tune give back, and what goes on meanwhile."""

from __future__ import annotations

import copy
import pickle
import re
import signal
import threading
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import trip99
from conftest import REPOSITORY
from trip99 import _arrays, _trip99, _values


@pytest.fixture(scope="module")
def outage() -> Any:
    return trip99.replay(pd.read_csv(REPOSITORY / "traces/outage.csv"))


def test_a_replay_is_shown_for_people(outage: Any) -> None:
    lines = repr(outage).splitlines()
    assert lines[0] == "replay of 11997 calls over 4 min 59 s: 3 trips, 5 reopened"
    assert lines[1] == "  11997 asked, 9946 allowed, 2051 refused, 17 lost"
    assert lines[3].split() == ["after", "from", "to", "reason", "samples", "slow", "quantile"]
    assert lines[4].split() == ["60.45", "s", "closed", "open", "latency", "1034", "11", "200", "ms"]
    assert lines[-1].startswith("warning: rows 1 to 11997: of 10 trials in a row")
    many = replace(outage, transitions=outage.transitions * 2)
    assert "and 18 more" in repr(many)
    calm = repr(trip99.replay([5], [7]))
    assert calm.startswith("replay of 1 call over 7 ns: 0 trips, 0 reopened\n  1 asked, 1 allowed, 0 refused\n") and "after" not in calm


def test_transitions_as_a_frame(outage: Any) -> None:
    frame = outage.to_frame()
    assert list(frame.columns) == list(asdict(outage.transitions[0])) and len(frame) == 19
    assert frame["t_ns"].tolist() == [each.t_ns for each in outage.transitions]
    assert frame["retry_at_ns"].isna().tolist() == [each.to_state != "open" for each in outage.transitions]
    now = 1_700_000_000_123_456_789
    opened = trip99.replay([now, now + 1], [5, 7], spike_count=1, threshold=1).to_frame()
    assert [int(opened[name][0]) for name in ("t_ns", "retry_at_ns")] == [now + 5, now + 5 + 10**9], "no detour by a float"
    empty = trip99.replay([], []).to_frame()
    assert list(empty.columns) == list(frame.columns) and empty.dtypes.equals(frame.dtypes)
    far = trip99.replay(np.array([2**64 - 10], dtype=np.uint64), [9], spike_count=1, threshold=1).to_frame()
    assert far["t_ns"].tolist() == [2**64 - 1]


def test_values_are_values(outage: Any) -> None:
    assert pickle.loads(pickle.dumps(outage)) == copy.deepcopy(outage) == outage
    with pytest.raises(FrozenInstanceError):
        outage.summary.asked = 5
    assert eval(repr(outage.summary), {"Summary": trip99.Summary}) == outage.summary


def test_settings_of_a_file_and_of_keywords(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('threshold = "1ms"\nspike_count = 2\n[columns]\nstart = "x"\n')
    start, latency = [0, 1, 2], [2_000_000] * 3
    assert trip99.replay(start, latency, config=file).summary.trips == 1
    assert trip99.replay(start, latency, config=str(file), spike_count=4).summary.trips == 0
    assert trip99.replay(start, latency, start_state="half-open").summary.half_open_ns > 0


def test_other_threads_go_on_meanwhile() -> None:
    rows = 1_000_000
    columns = _arrays.columns(np.arange(rows) * 1000, np.full(rows, 500), None, None, ("ns", "ns"), False)
    turns, running, begun = [0], [True], threading.Event()

    def count() -> None:
        while running[0]:
            turns[0] += 1
            begun.set()

    thread = threading.Thread(target=count)
    thread.start()
    begun.wait()
    before = turns[0]
    _trip99.replay(columns, None, {})
    after = turns[0]
    running[0] = False
    thread.join()
    # Without that the other thread would have had one turn of 5 ms, by the time that this one waits for the GIL.
    assert after - before > 20_000, after - before


class Interrupted(Exception):
    """What a handler of a signal raises."""


def test_a_signal_ends_a_replay_before_its_last_row() -> None:
    rows = 3_000_000
    start = np.arange(rows) * 1000
    start[-1] = 0  # who comes so far finds a mistake
    columns = _arrays.columns(start, np.full(rows, 500), None, None, ("ns", "ns"), False)

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    raised: list[type] = []
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        _trip99.replay(columns, None, {})
    except Exception as error:
        raised.append(type(error))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised == [Interrupted]


@pytest.fixture(scope="module")
def tuned() -> Any:
    random = np.random.default_rng(1)
    start = np.arange(6000) * np.timedelta64(100, "ms") + np.datetime64("2026-11-28T09:00:00")
    latency = random.lognormal(np.log(5e6), 0.3, 6000).astype("timedelta64[ns]")
    latency[3000:3020] = np.timedelta64(3, "s")
    return trip99.tune(pd.DataFrame({"sent": start, "rtt": latency}), start="sent", latency="rtt")


def test_tuned_settings_are_shown_for_people(tuned: Any) -> None:
    lines = repr(tuned).splitlines()
    assert lines[0].startswith("settings of 59") and "1 outage left out" in lines[0]
    threshold = next(line for line in lines if line.startswith("  threshold"))
    assert threshold.split(maxsplit=2) == ["threshold", tuned.config["threshold"], tuned.reasons["threshold"]]
    assert "19 times of 20" in str(tuned.odds)
    odds = lines[lines.index("odds of false trips") + 1 : next(at for at, line in enumerate(lines) if line.startswith("faults"))]
    assert " ".join(line.strip() for line in odds) == str(tuned.odds)
    assert sum(line.startswith("  slow:") for line in lines) == 3
    silent = next(line.split() for line in lines if line.startswith("  silent"))
    assert silent[:5] == ["silent", "30", "of", "30,", str(tuned.faults[3].tuned.calls)] and silent[5] in ("call,", "calls,")
    assert str(trip99.Noticed(30, 7, None, None)) == "7 of 30" and str(trip99.Noticed(30, 30, 1, 5)) == "30 of 30, 1 call, 5 ns"
    assert [line for line in lines if line.startswith("warning: ")] == ["warning: " + each for each in tuned.warnings]


def test_tuned_settings_are_settings(tuned: Any, tmp_path: Path) -> None:
    breaker = trip99.Breaker(**tuned.config)
    assert breaker.settings["debt_limit"] == tuned.chosen.debt_limit == tuned.config["debt_limit"]
    assert tuned.chosen in tuned.candidates
    assert tuned.held_back is not None and tuned.held_back.rows == 3000
    assert tuned.whole.outages == tuned.whole.noticed == 1
    [(begin, end)] = tuned.outages
    assert begin < end
    assert pickle.loads(pickle.dumps(tuned)) == tuned
    silent = next(fault for fault in tuned.faults if fault.fault == "silent")
    assert silent.tuned.noticed == silent.tuned.tried and silent.tuned.after_ns is not None


def test_spans_to_leave_out() -> None:
    start = np.arange(3000) * 100_000_000
    latency = np.full(3000, 5_000_000) + start // 100_000_000 % 7
    begin, end = 50 * 10**9, 99 * 10**9 + 999_999_999
    everything = trip99.tune(start, latency)
    by_pairs = trip99.tune(start, latency, bad=[(begin, end), (np.timedelta64(200, "s"), np.timedelta64(210, "s"))])
    by_text = trip99.tune(start, latency, bad="+50s..+99.999999999s,+200s..+210s")
    assert by_pairs == by_text
    assert everything.healthy - by_pairs.healthy == 500 + 101
    assert trip99.tune(start / 1e9, latency / 1e6, start_unit="s", latency_unit="ms", bad=[(50, 99.999999999)]).healthy == 2500
    assert trip99.tune(start, latency, threshold="20ms").config["threshold"] == "20ms"
    assert trip99.tune(start, latency, quantile=0.9, detect_within=10**9).config["quantile"] == 0.9
    assert trip99.tune(start, latency, hold_back=0).held_back is None


def test_the_type_of_reasons_has_each_of_the_librarys() -> None:
    source = (REPOSITORY / "src/event.rs").read_text()
    reasons = source[source.index("pub enum Reason") :]
    names = re.findall(r'= \d+, "([a-z_]+)"', reasons[: reasons.index("\n    }")])
    assert len(names) > 10
    assert list(get_args(_values.Reason)) == names
