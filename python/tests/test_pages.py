"""Pages: engines in processes of their own, which others watch, halt and resume."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import trip99
from conftest import Tool, raised

ENGINE = """
import sys, trip99
with trip99.Breaker("venue-a", start="closed", spike_count=2) as breaker:
    print(breaker.started, flush=True)
    for line in sys.stdin:
        breaker.poll()
        if line == "slow\\n":
            breaker.record(300_000_000)
        if line == "fail\\n":
            raise RuntimeError("engine failed")
        if line == "leave\\n":
            break
        print(breaker.allow(), breaker.why(), flush=True)
"""


def test_an_engine_is_watched_halted_and_resumed(place: Path, script: Any, tool: Tool) -> None:
    engine = script(ENGINE)
    assert engine.hear() == "new"
    observer = trip99.Observer("venue-a")
    assert (observer.state(), observer.is_halted(), observer.is_replaced()) == ("closed", False, False)
    assert observer.path == place / "pages/venue-a"
    assert observer.path in trip99.pages()
    owner = observer.owner()
    assert owner is not None and owner.alive and (owner.pid, owner.started) == (engine.process.pid, "new")
    settings = observer.settings
    assert settings is not None and settings["spike_count"] == 2

    halted = trip99.halt("venue-a", "prices look wrong", holder="ann@desk-7")
    assert (halted.holder, halted.owner_alive, halted.durable, halted.warnings) == ("ann@desk-7", True, True, [])
    assert len(list((place / "state").rglob("venue-a.*"))) == 1
    engine.tell("ask")
    assert engine.hear() == "False refused: halted by ann@desk-7 (prices look wrong)"
    # The tool sees the same.
    [status] = tool.json("status", "venue-a")
    assert status["halted"] and "ann@desk-7" in str(status)

    own = trip99.halt(place / "pages/venue-a")
    assert "@" in own.holder
    lifted = trip99.resume("venue-a", "prices are right", holder="ann@desk-7")
    assert (lifted.lifted.reason, [halt.holder for halt in lifted.still_held]) == ("prices look wrong", [own.holder])
    engine.tell("ask")
    assert engine.hear().startswith("False")
    assert trip99.resume("venue-a", "mine, too").still_held == []
    assert list((place / "state").rglob("venue-a.*")) == []
    engine.tell("ask")
    assert engine.hear() == "True passes"

    for _ in range(2):
        engine.tell("slow")
        engine.hear()
    assert observer.state() == "open"
    assert [event.reason for event in observer.events()][-1] == "spike"
    assert observer.quantile_ns() == 300_000_000
    snapshot = observer.snapshot()
    assert snapshot is not None and snapshot.slow == 2
    assert "open since" in repr(observer) and "venue-a" in repr(observer)
    engine.tell("leave")
    assert engine.end() == 0


@pytest.mark.parametrize(("how", "found"), [("leave", "clean"), ("fail", "unclean"), ("kill", "unclean"), ("drop", "unclean")])
def test_an_end_is_clean_only_if_it_was_meant(how: str, found: str, place: Path, script: Any) -> None:
    text = ENGINE
    if how == "drop":  # nobody ends the breaker, so nobody said that all is well
        text = 'import trip99\nbreaker = trip99.Breaker("venue-a", start="closed")\nprint(breaker.started, flush=True)\n'
    engine = script(text if how != "fail" else text.replace("import sys,", "import sys; sys.stderr = None; import"))
    assert engine.hear() == "new"
    if how == "kill":
        engine.process.send_signal(signal.SIGKILL)
    elif how != "drop":
        engine.tell(how)
    assert (engine.end() == 0) == (how in ("leave", "drop"))
    with trip99.Breaker("venue-a", start="closed") as breaker:
        assert (breaker.started, breaker.state()) == (found, "closed" if found == "clean" else "open")


def test_how_a_page_begins_has_to_be_said(place: Path) -> None:
    text = raised(trip99.ConfigError, trip99.Breaker, "venue-a")
    assert text.startswith("start isn't given; legal: closed, half-open or halted")
    assert not (place / "pages/venue-a").exists()
    with trip99.Breaker(place / "pages/venue-a", start="halted") as breaker:
        assert [halt.holder for halt in breaker.observer().holders()] == ["start"]
        assert trip99.resume("venue-a", "go", holder="start").still_held == []
        breaker.poll()
        assert not breaker.is_halted()


def test_a_page_has_one_owner(place: Path) -> None:
    with trip99.Breaker("venue-a", start="closed", warden=False, now_ns=5) as breaker:
        assert breaker.snapshot().now_ns == 5
        text = raised(trip99.SharedError, trip99.Breaker, "venue-a", start="closed")
        assert text == f"{place}/pages/venue-a is owned by process {os.getpid()}"
        assert trip99.Observer("venue-a").resting() is None
        breaker.set_resting(7)
        assert trip99.Observer("venue-a").resting() == 7


def test_pages_that_cannot_be_had(place: Path) -> None:
    for act in [trip99.Observer, trip99.halt]:
        assert raised(trip99.SharedError, act, "none").startswith('there is no page "none" in ')
        assert "is no name for a page" in raised(trip99.SharedError, act, ".hidden")
    with pytest.raises(trip99.SharedError) as caught:
        trip99.Observer(place / "none")
    assert caught.value.errno == errno.ENOENT and str(caught.value).startswith("can't open ")
    stranger = place / "pages/stranger"
    stranger.write_bytes(b"x" * 5000)
    for refuse in [trip99.Observer, trip99.halt]:
        assert str(stranger) in raised(trip99.SharedError, refuse, "stranger")
    assert stranger.read_bytes() == b"x" * 5000
    raised(TypeError, trip99.Observer, 5)
    assert "is not in memory" in raised(trip99.SharedError, trip99.Breaker, "/var/tmp/venue-a", start="closed")


def test_what_is_not_held_is_not_lifted(place: Path) -> None:
    with trip99.Breaker("venue-a", start="closed") as breaker:
        assert "is not halted; there is nothing to lift" in raised(trip99.SharedError, trip99.resume, "venue-a", "why")
        trip99.halt("venue-a", holder="ann")
        text = raised(trip99.SharedError, trip99.resume, "venue-a", "why", holder="bob")
        assert text.endswith("has no halt of bob; it is halted by ann")
        for blank in ["", " \n"]:
            assert raised(ValueError, trip99.resume, "venue-a", blank).startswith("reason is blank; legal: a text of 1 to 216 bytes")
        assert "is a name of trip99's own" in raised(ValueError, trip99.halt, "venue-a", holder="fleet")
        assert "is the halt of a fleet" in raised(ValueError, trip99.resume, "venue-a", "why", holder="fleet-lease")
        assert "is no holder" in raised(ValueError, trip99.resume, "venue-a", "why", holder="a b")
        trip99.resume("venue-a", "why", holder="ann")
        text = raised(trip99.SharedError, trip99.resume, "venue-a", "why", holder="ann")
        assert text.endswith("has nobody who holds a halt any more; it ends with the owner's next poll")
        breaker.poll()
        assert breaker.allow()


def test_a_halt_waits_for_the_next_owner(place: Path) -> None:
    trip99.Breaker("venue-a", start="closed").close()
    assert not trip99.halt("venue-a", "later", holder="ann").owner_alive
    with trip99.Breaker("venue-a", start="closed") as breaker:
        assert not breaker.allow()
        assert str(breaker.why()) == "refused: halted by ann (later)"


def test_a_page_that_was_cut_off_is_an_exception_and_no_signal(place: Path) -> None:
    trip99.Breaker("venue-a", start="closed").close()
    observer = trip99.Observer("venue-a")
    os.truncate(place / "pages/venue-a", 0)
    for act in [observer.state, observer.snapshot, observer.holders, observer.events, observer.why]:
        text = raised(trip99.SharedError, act)
        assert text == f"{place}/pages/venue-a is truncated since it was opened; legal: a page that is whole"
    assert "truncated" in repr(observer)


def test_a_page_that_was_replaced_says_so(place: Path) -> None:
    trip99.Breaker("venue-a", start="closed").close()
    observer = trip99.Observer("venue-a")
    os.remove(place / "pages/venue-a")
    assert observer.is_replaced() and observer.state() == "open"


def test_a_child_of_a_fork_watches_a_page_by_its_path(place: Path, script: Any) -> None:
    with trip99.Breaker("venue-a", start="closed"):
        child = script(
            """
import os, trip99
observer = trip99.Observer("venue-a")
if os.fork() == 0:
    os._exit(0 if observer.state() == trip99.Observer("venue-a").state() == "closed" else 1)
print(os.waitpid(-1, 0)[1], flush=True)
"""
        )
        assert child.hear() == "0"
    # The child of an owner.
    child = script(
        """
import os, trip99
breaker = trip99.Breaker("venue-b", start="closed")
if os.fork() == 0:
    try:
        breaker.poll()
        os._exit(1)
    except trip99.OwnerError:
        pass
    observer = trip99.Observer("venue-b")
    assert observer.owner().alive, "the parent still owns it"
    del breaker
    os._exit(0 if trip99.Observer("venue-b").owner().alive else 2)
print(os.waitpid(-1, 0)[1], breaker.allow(), flush=True)
breaker.close()
"""
    )
    assert child.hear() == "0 True"
    assert child.end() == 0
