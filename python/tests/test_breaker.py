"""A breaker for live use: in virtual time, where anything hangs on time."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import trip99
from conftest import raised

MS = 1_000_000
S = 1_000 * MS


def calm(**settings: Any) -> trip99.Breaker:
    return trip99.Breaker(**{"jitter": 0.0, **settings})


def test_it_trips_pauses_tries_and_recovers() -> None:
    breaker = calm(spike_count=3, probes=2)
    assert (breaker.state(), breaker.allow(now_ns=0)) == ("closed", True)
    for number in range(3):
        breaker.record(201 * MS, now_ns=(1 + number) * S)
    assert breaker.state() == "open" and not breaker.allow(now_ns=3 * S)
    assert breaker.next_deadline_ns() == 4 * S
    breaker.poll(now_ns=4 * S - 1)
    assert breaker.state() == "open"
    breaker.poll(now_ns=4 * S)
    assert breaker.state() == "half_open"
    for number in range(2):
        assert breaker.allow(now_ns=4 * S) and not breaker.allow(now_ns=4 * S), "one trial at a time"
        call = breaker.begin(now_ns=4 * S)
        assert call.start_ns == 4 * S
        breaker.end(call, now_ns=4 * S + number)
    assert breaker.state() == "closed"
    told = [(event.from_state, event.to_state, event.reason, event.t_ns) for event in breaker.events()]
    assert told == [
        ("closed", "open", "spike", 3 * S),
        ("open", "half_open", "retry", 4 * S),
        ("half_open", "closed", "recovered", 4 * S + 1),
    ]
    first = next(breaker.events())
    assert (first.observed, first.limit, first.retry_at_ns, first.sequence, first.slow) == (201 * MS, 200 * MS, 4 * S, 0, 3)


def test_tickets() -> None:
    breaker = calm(consecutive_failures=2, min_samples=1000)
    first, second, third = (breaker.begin(now_ns=number) for number in range(3))
    assert first != second and first == first
    assert breaker.snapshot().in_flight == 3
    breaker.fail(first, now_ns=5)
    breaker.abandon(second, now_ns=6)
    breaker.end(third, now_ns=7)
    breaker.end(third, now_ns=8)
    snapshot = breaker.snapshot()
    assert (snapshot.samples, snapshot.failures, snapshot.in_flight, snapshot.misused) == (2, 1, 0, 1)
    for number in range(2):
        breaker.record_failure(5, now_ns=9 + number)
    assert breaker.why().reason == "consecutive_failures"


def test_calls_by_with() -> None:
    breaker = calm()
    with breaker.call():
        assert breaker.snapshot().in_flight == 1
    with pytest.raises(KeyError), breaker.call():
        raise KeyError
    with breaker.call() as call:
        call.abandon()
    with breaker.call() as call:
        call.fail()
        call.end()
    snapshot = breaker.snapshot()
    assert (snapshot.recorded, snapshot.failures, snapshot.in_flight, snapshot.misused) == (3, 2, 0, 0)
    again = breaker.call()
    with again:
        assert "begun already" in raised(trip99.OwnerError, again.__enter__)
    assert "begun already" in raised(trip99.OwnerError, again.__enter__)
    assert breaker.snapshot().recorded == 4


def test_latencies() -> None:
    breaker = calm(spike_count=0, min_samples=1000)
    latencies: list[Any] = [5, np.int32(5), np.uint64(5), timedelta(microseconds=5), np.timedelta64(5, "us"), pd.Timedelta(5, "ns"), 0, 2**63 - 1]
    for latency in latencies:
        breaker.record(latency, now_ns=0)
    assert breaker.snapshot().recorded == 8
    assert breaker.quantile_ns(0.5, now_ns=0) == 5
    assert (breaker.quantile_ns(0), breaker.quantile_ns(1.0), breaker.quantile_ns(0.75)) == (0, 2**63 - 1, 5_000)
    no_times: list[Any] = [-1, 2**63, 2**64, -(10**30), timedelta(seconds=-1)]
    for latency in no_times:
        breaker.record(latency, now_ns=0)
    assert (breaker.snapshot().recorded, breaker.snapshot().misused) == (8, 5), "no time, as a negative difference"
    wrongs: list[Any] = [1.0, "5", None]
    for wrong in wrongs:
        assert "legal: whole nanoseconds, or a timedelta" in raised(TypeError, breaker.record, wrong)
    for wrong in [-0.1, 1.1, float("nan")]:
        assert raised(ValueError, breaker.quantile_ns, wrong).endswith("legal: 0 to 1")
    raised(OverflowError, breaker.allow, now_ns=-1)
    assert calm().quantile_ns() is None


def test_health_checks() -> None:
    breaker = calm(recovery="health-checks", probes=2)
    breaker.trip(now_ns=0)
    breaker.poll(now_ns=S)
    assert breaker.state() == "half_open" and not breaker.allow(now_ns=S)
    breaker.record_probe(MS, now_ns=S + MS)
    breaker.record_probe(timedelta(milliseconds=1), True, now_ns=S + MS)
    assert breaker.state() == "closed"
    breaker.trip(now_ns=2 * S)
    breaker.poll(now_ns=9 * S)
    breaker.record_probe(MS, ok=False, now_ns=9 * S + MS)
    assert breaker.state() == "open" and breaker.why().reason == "probe_failed"


def test_trials_are_released() -> None:
    breaker = calm(probes=1)
    breaker.trip(now_ns=0)
    assert breaker.allow(now_ns=S) and not breaker.allow(now_ns=S)
    breaker.release(now_ns=S)
    assert breaker.allow(now_ns=S)


def test_halts() -> None:
    breaker = calm()
    observer = breaker.observer()
    breaker.halt("prices look wrong")
    breaker.halt("limit", holder="engine.risk")
    assert breaker.is_halted() and observer.is_halted() and not breaker.allow()
    assert str(breaker.why()) == "refused: halted by engine (prices look wrong) and engine.risk (limit)"
    assert [(halt.holder, halt.reason, halt.pid) for halt in observer.holders()] == [
        ("engine", "prices look wrong", os.getpid()),
        ("engine.risk", "limit", os.getpid()),
    ]
    assert breaker.resume() == "still_held"
    assert breaker.resume("", holder="engine.risk") == "done"
    assert breaker.resume() == "not_held" and breaker.allow()
    assert "is a name of trip99's own" in raised(ValueError, breaker.halt, holder="latch")
    assert "is no holder; legal:" in raised(ValueError, breaker.resume, holder="a b")
    assert [event.reason for event in breaker.events()] == ["halt", "halt", "resume", "resume"]


def test_settings() -> None:
    breaker = trip99.Breaker(
        threshold=timedelta(milliseconds=5), window_age=np.timedelta64(70, "s"), stall_limit=np.int64(2 * S), quantile=np.float64(0.5), shadow=np.bool_(True)
    )
    settings = breaker.settings
    assert (settings["threshold"], settings["window_age"], settings["stall_limit"]) == ("5ms", "1m10s", "2s")
    assert (settings["quantile"], settings["shadow"], settings["probes"], settings["start"]) == (0.5, True, 10, "closed")
    assert trip99.Breaker(**settings).settings == settings
    assert trip99.Breaker(threshold="5s").settings["stall_limit"] == "25s", "it follows the threshold"
    assert trip99.Breaker(threshold=200).warnings == ["threshold is 200ns: less than a microsecond; is it in another unit?"]
    assert breaker.observer().settings == settings
    for wrong in [None, [5], 0.2, timedelta(seconds=-1), "5 parsecs"]:
        assert raised(trip99.ConfigError, trip99.Breaker, threshold=wrong).startswith('threshold is "'), wrong
    assert raised(trip99.ConfigError, trip99.Breaker, treshold=5).startswith("treshold is not a setting; legal: quantile, ")
    assert issubclass(trip99.ConfigError, ValueError) and issubclass(trip99.SharedError, OSError)


def test_reconfigure_changes_what_is_given_and_nothing_if_that_is_illegal(tmp_path: Path) -> None:
    breaker = calm(threshold="100ms", spike_count=2)
    breaker.reconfigure(threshold="5s")
    settings = breaker.settings
    assert (settings["threshold"], settings["spike_count"], settings["stall_limit"]) == ("5s", 2, "25s")
    text = "min_samples is 2000; legal: 1 to 1024, as window_len (by default) is 1024"
    assert raised(trip99.ConfigError, breaker.reconfigure, threshold="6s", min_samples=2000) == text
    text = "window_len is 64; legal: 1024, as it is fixed at construction"
    assert raised(trip99.ConfigError, breaker.reconfigure, window_len=64) == text
    assert breaker.settings == settings
    file = tmp_path / "node.toml"
    file.write_text('threshold = "7ms"\n')
    breaker.reconfigure(config=file, spike_count=9)
    assert (breaker.settings["threshold"], breaker.settings["spike_count"]) == ("7ms", 9)


def test_a_thread_that_is_not_the_owner_gets_an_exception() -> None:
    breaker = calm()
    call = breaker.begin(now_ns=0)
    texts: list[str] = []

    def misuse() -> None:
        try:
            acts: list[Any] = [breaker.allow, breaker.poll, lambda: breaker.record(5), lambda: breaker.end(call), breaker.state]
            acts += [breaker.snapshot, breaker.close, breaker.call().__enter__, breaker.observer, breaker.trip, lambda: breaker.settings]
            texts.extend(raised(trip99.OwnerError, act) for act in acts)
            texts.append(repr(breaker))
        except BaseException as error:  # noqa: BLE001 (told below)
            texts.append(repr(error))

    thread = threading.Thread(target=misuse)
    thread.start()
    thread.join()
    assert len(texts) == 12 and all("belongs to the thread that made it; legal on another thread: its observer()" in text for text in texts), texts
    # Nothing was done.
    assert (breaker.state(), breaker.snapshot().in_flight, breaker.snapshot().recorded) == ("closed", 1, 0)


def test_observers_of_other_threads_see_it_and_outlive_it() -> None:
    breaker = calm()
    observer, seen = breaker.observer(), []
    breaker.trip()
    thread = threading.Thread(target=lambda: seen.append((observer.state(), [event.reason for event in observer.events()])))
    thread.start()
    thread.join()
    assert seen == [("open", ["tripped"])]
    breaker.close()
    assert str(observer.why()) == "refused: the breaker has ended"
    assert "the breaker has ended" in repr(observer)


def test_it_may_be_dropped_on_any_thread() -> None:
    box = [calm()]
    observer = box[0].observer()
    thread = threading.Thread(target=box.clear)
    thread.start()
    thread.join()
    assert observer.why().ended


def test_after_its_end_it_is_of_no_use() -> None:
    with calm() as breaker:
        call = breaker.call()
        call.__enter__()
    for act in [breaker.allow, breaker.poll, breaker.state, call.end, breaker.observer]:
        assert raised(trip99.OwnerError, act) == "the breaker has ended; legal: a new one"
    breaker.close()
    assert "ended" in repr(breaker)


def test_events_go_on_and_tell_what_was_missed() -> None:
    breaker = calm()
    events = breaker.events()
    assert next(events, None) is None
    breaker.halt()
    assert next(events).reason == "halt"
    for _ in range(50):
        breaker.resume()
        breaker.halt()
    told = [event.sequence for event in events]
    assert told == list(range(37, 101)) and events.missed == 36
    assert [event.sequence for event in breaker.observer().events(from_sequence=99)] == [99, 100]


def test_a_child_of_a_fork_gets_an_exception(script: Any) -> None:
    child = script(
        """
import os, trip99
breaker = trip99.Breaker()
observer, events = breaker.observer(), breaker.events()
if os.fork() == 0:
    for act in (breaker.allow, breaker.state, observer.state, lambda: next(events), breaker.close):
        try:
            act()
            os._exit(1)
        except trip99.OwnerError as error:
            assert f"belongs to process {os.getppid()}, of which this one is a fork" in str(error), error
    own = trip99.Breaker()
    os._exit(0 if own.allow() and own.state() == "closed" else 2)
print(os.waitpid(-1, 0)[1], breaker.allow(), flush=True)
"""
    )
    assert child.hear() == "0 True"
    assert child.end() == 0


def test_it_reads_its_own_clock() -> None:
    breaker = calm()
    before = breaker.now_ns()
    call = breaker.begin()
    assert before <= call.start_ns <= breaker.now_ns()
    breaker.end(call)
    assert breaker.snapshot().clock in ("tsc", "monotonic")
