"""Transitions: what is logged, what a listener is told, and that neither can hurt a call."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import logging
import os
import pickle
import queue
import signal
from collections.abc import Callable, Iterator

import pytest

from fuseboard import Cause, CircuitBreaker, State, Store, Transition
from fuseboard._events.log import announce
from fuseboard._events.transition import transition
from fuseboard.testing import Clock
from helpers import BoomError, boom, fail, go_the_way_round, trip

MOMENT = dt.datetime(2026, 2, 3, 4, 5, 6, 789_000, dt.UTC)

Listener = Callable[[Transition], object]


def listening(store: Store, listener: Listener) -> CircuitBreaker:
    """A breaker whose fuse opens at the second failure, for a second."""
    return CircuitBreaker("db", threshold=2, reset_timeout=1, on_transition=listener, store=store)


def test_a_listener_is_told_of_the_whole_way_round(store: Store, clock: Clock) -> None:
    """R03, R06, R07: each transition is told once, with the fuse, both states, the time and the cause."""
    told: list[Transition] = []
    breaker = listening(store, told.append)
    trip(breaker)
    clock.advance(1)
    breaker.call(int)
    closed, opened, half_open = State.CLOSED, State.OPEN, State.HALF_OPEN
    assert [
        ("db", closed, opened, pytest.approx(1000.0, abs=1e-4), Cause.THRESHOLD, "BoomError"),
        ("db", opened, half_open, 1001.0, Cause.RESET_TIMEOUT, None),
        ("db", half_open, closed, pytest.approx(1001.0, abs=1e-4), Cause.PROBES_SUCCEEDED, None),
    ] == [
        tuple(getattr(transition, name) for name in [field.name for field in dataclasses.fields(Transition)])[:6]
        for transition in told
    ]


def test_a_listener_is_told_what_the_journal_says(store: Store, clock: Clock) -> None:
    """T14: one idea, one value; be it told by a call, by a command, or by the table."""
    told: list[Transition] = []
    breaker = listening(store, told.append)
    go_the_way_round(breaker, clock)
    breaker.isolate()
    breaker.reset()
    assert store.journal() == told
    assert {os.getpid()} == {each.pid for each in told}


def test_a_failed_probe_is_told_with_its_cause(store: Store, clock: Clock) -> None:
    """R08: half-open to open, and the class of the exception."""
    told: list[Transition] = []
    breaker = listening(store, told.append)
    trip(breaker)
    clock.advance(1)
    fail(breaker)
    last = told[-1]
    assert (State.HALF_OPEN, State.OPEN, "BoomError") == (last.before, last.after, last.error)


def test_the_time_of_a_transition_is_that_of_the_state(store: Store, clock: Clock) -> None:
    """A transition's ``at`` is the ``since`` of the state it began."""
    told: list[Transition] = []
    breaker = listening(store, told.append)
    clock.advance(0.123456)
    trip(breaker)
    assert store.state("db").since == told[0].at


def test_calls_that_change_nothing_are_not_told(store: Store) -> None:
    """An event is a change of state."""
    told: list[Transition] = []
    breaker = listening(store, told.append)
    breaker.call(int)
    fail(breaker)
    breaker.call(int)
    trip(breaker)
    with pytest.raises(Exception, match="open"):
        breaker.call(int)
    assert 1 == len(told)


def test_an_operators_commands_are_told(store: Store) -> None:
    """R12: isolate, disable and reset are transitions, unless it is a reset of a closed fuse."""
    told: list[Transition] = []
    breaker = listening(store, told.append)
    for command in (breaker.reset, breaker.isolate, breaker.isolate, breaker.disable, breaker.reset, breaker.reset):
        command()
    closed, isolated, disabled = State.CLOSED, State.ISOLATED, State.DISABLED
    expected = [(closed, isolated), (isolated, isolated), (isolated, disabled), (disabled, closed)]
    assert expected == [(transition.before, transition.after) for transition in told]


def test_a_listener_that_raises_is_logged_and_goes_no_further(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R16: the call raises its own exception, whatever the listener does."""

    def listener(_: Transition) -> None:
        raise RuntimeError("listener")

    breaker = listening(store, listener)
    fail(breaker)
    with pytest.raises(BoomError):
        breaker.call(boom)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "ERROR" == record.levelname
    assert record.getMessage().startswith("fuse 'db': the listener <function ")
    assert State.OPEN is breaker.state


def test_a_listener_that_raises_does_not_change_a_result(store: Store, clock: Clock) -> None:
    """R16: a result is never changed."""
    breaker = listening(store, lambda _: 1 / 0)
    trip(breaker)
    clock.advance(1)
    assert 7 == breaker.call(lambda: 7)


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, as at a terminal; a shell's background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
def test_an_interrupt_in_a_listener_is_not_lost(store: Store) -> None:
    """Ctrl-C while a listener runs comes again as soon as the call is over."""

    def listener(_: Transition) -> None:
        raise KeyboardInterrupt

    breaker = CircuitBreaker("db", threshold=1, on_transition=listener, store=store)
    with pytest.raises(KeyboardInterrupt):
        call_and_go_on(breaker)
    assert State.OPEN is breaker.state


def call_and_go_on(breaker: CircuitBreaker) -> None:
    """Lets a call fail, and does something else for a moment."""
    with contextlib.suppress(BoomError):
        breaker.call(boom)
    for _ in range(1000):
        pass


def test_a_listener_may_use_the_breaker(store: Store) -> None:
    """Nothing of ours is held while user code runs (R16)."""
    states: list[State] = []

    def listener(transition: Transition) -> None:
        states.append(breaker.state)
        if transition.after is State.OPEN:
            breaker.reset()

    breaker = listening(store, listener)
    trip(breaker)
    assert [State.OPEN, State.CLOSED] == states
    assert 3 == breaker.call(lambda: 3)


@pytest.mark.parametrize(
    ("after", "level"),
    [
        (State.OPEN, logging.WARNING),
        (State.ISOLATED, logging.WARNING),
        (State.HALF_OPEN, logging.INFO),
        (State.CLOSED, logging.INFO),
        (State.DISABLED, logging.INFO),
    ],
)
def test_what_rejects_calls_is_a_warning(after: State, level: int, caplog: pytest.LogCaptureFixture) -> None:
    """A transition is logged at a level that fits it, with its fields as attributes of the record."""
    before = State.OPEN if after is State.CLOSED else State.CLOSED
    with caplog.at_level(logging.INFO, "fuseboard"):
        made = announce(("db", before.code, after.code, 1_000_000, 1, 77, 0, "OSError", ""), 0.0)
    assert ("db", before, after, Cause.THRESHOLD, "OSError") == (
        made.fuse,
        made.before,
        made.after,
        made.cause,
        made.error,
    )
    (record,) = caplog.records
    message = f"fuse 'db': {before.value} -> {after.value} (threshold, OSError)"
    assert (level, message) == (record.levelno, record.getMessage())
    assert ("db", before.value, after.value) == (record.fuse, record.before, record.after)
    assert ("threshold", "OSError", 1_000_000) == (record.cause, record.error, record.generation)


def test_the_log_tells_the_cause(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The exception's class is told, never its message, which may hold secrets."""
    breaker = CircuitBreaker("db", threshold=1, store=store)
    with pytest.raises(ValueError, match="secret"):
        breaker.call(int, "secret")
    assert ["fuse 'db': closed -> open (threshold, ValueError)"] == caplog.messages


def test_a_raw_set_is_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """``set_*`` are transitions too."""
    store.set_open("db")
    store.set_open("db")
    assert ["fuse 'db': closed -> open (set)"] == caplog.messages


def test_a_reset_of_all_is_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """One line for each fuse that it closes, none for those that were."""
    store.record_failure("closed", 10)
    store.set_open("open")
    caplog.clear()
    with caplog.at_level(logging.INFO, "fuseboard"):
        store.reset_all()
    assert ["fuse 'open': open -> closed (reset_all)"] == caplog.messages


def test_a_transition_is_a_value() -> None:
    """Frozen, equal by content, picklable."""
    told = transition(("db", 1, 2, 812_500_000, 1, 77, 0, "KeyError", ""), MOMENT.timestamp() - 812.5)
    same = Transition("db", State.CLOSED, State.OPEN, 812.5, Cause.THRESHOLD, "KeyError", 77, 812_500_000, MOMENT)
    assert (same, MOMENT, repr(same)) == (told, told.time, repr(told))
    assert told == pickle.loads(pickle.dumps(told))  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError, match="cannot assign to field 'at'"):
        told.at = 0.0


def test_a_transition_has_a_line_for_people() -> None:
    """With the time of day, in UTC, to the millisecond."""
    told = transition(("db", 1, 2, 812_500_000, 1, 77, 0, "KeyError", ""), MOMENT.timestamp() - 812.5)
    assert "2026-02-03T04:05:06.789Z db: closed -> open (threshold, KeyError)" == str(told)


def test_two_readings_of_a_transition_are_equal(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """What was read is the same, although the time of day was set meanwhile: then that alone is off by as much."""
    told: list[Transition] = []
    monkeypatch.setattr("time.time", MOMENT.timestamp)
    CircuitBreaker("db", store=store, on_transition=told.append).isolate()
    monkeypatch.setattr("time.time", (MOMENT + dt.timedelta(hours=1)).timestamp)
    told += store.journal()
    told += store.journal()
    assert 1 == len(set(told))
    assert [MOMENT] + [MOMENT + dt.timedelta(hours=1)] * 2 == [each.time for each in told]


def test_the_time_of_a_transition_is_when_it_was(clock: Clock, store: Store) -> None:
    """Of one that was some time ago, that long ago; whoever tells of it."""
    store.set_open("db")
    clock.advance(3600)
    (made,) = store.journal()
    age = dt.datetime.now(dt.UTC) - made.time
    assert dt.timedelta(hours=1) <= age < dt.timedelta(hours=1, minutes=1)
    assert dt.UTC is made.time.tzinfo


def test_listeners_are_told_the_time(store: Store) -> None:
    """Those of a breaker, of a store, and of an event loop."""
    told: queue.Queue[Transition] = queue.Queue()
    events = store.events()
    with store.subscribe(told.put):
        CircuitBreaker("db", store=store, on_transition=told.put).isolate()
        heard = [told.get(timeout=30), told.get(timeout=30), asyncio.run(anext(events))]
    now = dt.datetime.now(dt.UTC)
    assert [True] * 3 == [now - dt.timedelta(minutes=1) < each.time <= now for each in heard]


def test_a_nested_class_is_named_in_full(store: Store) -> None:
    """The exception's name is the qualified one."""

    class Inner(Exception):  # noqa: N818 - the name matters not
        pass

    def fails() -> None:
        raise Inner

    told: list[Transition] = []
    with pytest.raises(Inner):
        CircuitBreaker("db", threshold=1, on_transition=told.append, store=store).call(fails)
    assert [Inner.__qualname__] == [each.error for each in told]


def test_an_operators_word_is_told_with_its_fuse(store: Store) -> None:
    """A listener of many breakers knows which of them it was."""
    told: list[Transition] = []
    listening(store, told.append).isolate()
    assert [("db", State.CLOSED, State.ISOLATED)] == [(each.fuse, each.before, each.after) for each in told]
