"""Manual overrides: with an end, with who and why (rule R12)."""

import logging
from datetime import timedelta

import pytest

from fuseboard import (
    Cause,
    CircuitBreaker,
    CircuitIsolatedError,
    CircuitOpenError,
    State,
    Store,
    StoreFullError,
    Transition,
)
from fuseboard.testing import Clock
from helpers import BoomError, boom


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker with the default settings."""
    return CircuitBreaker("db", store=store)


@pytest.mark.parametrize("for_", [600, 600.0, timedelta(minutes=10)])
def test_an_isolation_ends_by_the_first_call_behind_its_time(
    breaker: CircuitBreaker, clock: Clock, for_: float | timedelta
) -> None:
    """R12: isolated to half-open; ``retry_after`` is what is left."""
    breaker.isolate(for_=for_)
    clock.advance(599)
    with pytest.raises(CircuitIsolatedError) as rejected:
        breaker.call(int)
    assert (pytest.approx(1.0), State.ISOLATED) == (rejected.value.retry_after, breaker.state)
    clock.advance(1)
    assert breaker.state is State.ISOLATED, "no call came"
    breaker.check()
    assert 0 == breaker.call(int)
    assert breaker.state is State.CLOSED
    ended, closed = breaker.store.journal()[-2:]
    assert (State.ISOLATED, State.HALF_OPEN, Cause.OVERRIDE_ENDED) == (ended.before, ended.after, ended.cause)
    assert closed.cause is Cause.PROBES_SUCCEEDED


def test_a_failed_call_behind_an_isolation_opens_the_fuse(breaker: CircuitBreaker, clock: Clock) -> None:
    """R08, R12: it is a probe."""
    breaker.isolate(for_=10)
    clock.advance(10)
    with pytest.raises(BoomError):
        breaker.call(boom)
    assert breaker.state is State.OPEN


def test_a_fuse_disabled_for_a_time_is_closed_by_the_first_call_behind_it(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """R12: disabled to closed; that call counts."""
    breaker.disable(for_=10)
    for _ in range(9):
        with pytest.raises(BoomError):
            breaker.call(boom)
    assert breaker.state is State.DISABLED
    clock.advance(10)
    with pytest.raises(BoomError):
        breaker.call(boom)
    assert (State.CLOSED, 1) == (breaker.state, breaker.store.snapshot()["db"].window_failures)
    assert breaker.store.journal()[-1].cause is Cause.OVERRIDE_ENDED


def test_the_last_override_counts_also_one_without_an_end(breaker: CircuitBreaker, clock: Clock) -> None:
    """R12."""
    breaker.isolate(for_=10)
    breaker.isolate()
    clock.advance(100_000)
    with pytest.raises(CircuitIsolatedError) as rejected:
        breaker.call(int)
    assert rejected.value.retry_after is None
    breaker.disable(for_=10)
    breaker.isolate(for_=20)
    clock.advance(19)
    with pytest.raises(CircuitIsolatedError):
        breaker.call(int)
    breaker.reset()
    assert 0 == breaker.call(int)


def test_who_and_why_stand_in_the_journal_the_log_and_the_snapshot(
    breaker: CircuitBreaker, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """T14, R12."""
    caplog.set_level(logging.INFO, "fuseboard")
    began = clock.now
    made = breaker.isolate(why="INC-7", who="alice", for_=600)
    told = store.journal()[-1]
    assert made == told
    assert ("alice", "INC-7", pytest.approx(began + 600), None) == (told.who, told.why, told.until, told.error)
    assert ["fuse 'db': closed -> isolated (manual, by alice, for 600 s, INC-7)"] == caplog.messages
    shown = store.snapshot()["db"]
    assert ("alice", "INC-7", told.until) == (shown.who, shown.why, shown.until)
    ended = store.reset("db", who="bob", why="over")
    assert ("bob", "over", None) == (ended.who, ended.why, ended.until)
    shown = store.snapshot()["db"]
    assert (None, None, None) == (shown.who, shown.why, shown.until)


def test_one_override_behind_another_is_told(breaker: CircuitBreaker, store: Store) -> None:
    """R12: it has another end, and other reasons."""
    told: list[Transition] = []
    other = CircuitBreaker("db", store=store, on_transition=told.append)
    breaker.isolate(why="first")
    other.isolate(why="second")
    assert ["first", "second"] == [transition.why for transition in store.journal()]
    assert [(State.ISOLATED, State.ISOLATED, "second")] == [(each.before, each.after, each.why) for each in told]
    other.reset()
    other.reset()
    assert 2 == len(told), "to reset a closed fuse is no event"


def test_a_store_says_it_without_a_breaker(store: Store) -> None:
    """For commands: the same by name, also of a fuse that nobody has used."""
    assert (State.CLOSED, State.ISOLATED) == ((made := store.isolate("mail", for_=5)).before, made.after)
    assert store.state("mail").state is State.ISOLATED
    assert store.disable("mail").before is State.ISOLATED
    assert store.reset("mail").before is State.DISABLED
    assert store.state("mail").state is State.CLOSED


def test_a_raw_operation_passes_an_override_whose_time_is_over(store: Store, clock: Clock) -> None:
    """R12, R13."""
    store.isolate("db", for_=10)
    store.set_open("db")
    assert store.state("db").state is State.ISOLATED
    clock.advance(10)
    store.set_open("db")
    assert store.state("db").state is State.OPEN


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"for_": 0}, ValueError, "for_ must be from 0.001 to 604800 seconds (seven days), got 0"),
        ({"for_": timedelta(days=8)}, ValueError, "for_ must be from 0.001 to 604800 seconds (seven days)"),
        ({"for_": "10m"}, TypeError, "for_ must be seconds or a timedelta, got str: '10m'"),
        ({"why": ""}, ValueError, "why must be 1 to 111 bytes of printable text in UTF-8, got ''; "),
        ({"why": "é" * 56}, ValueError, "why must be 1 to 111 bytes of printable text in UTF-8, got 'éé"),
        ({"who": "w" * 40}, ValueError, "who must be 1 to 39 bytes of printable text in UTF-8, got 'ww"),
        ({"who": b"alice"}, TypeError, "who must be a str or None, got bytes: b'alice'; use text such as 'alice'"),
        ({"why": "line\nbreak"}, ValueError, "shorten it and leave out line breaks"),
        ({"who": "\x1b[31mred"}, ValueError, "who must be 1 to 39 bytes of printable text in UTF-8"),
        ({"why": "\ud800"}, ValueError, "why must be 1 to 111 bytes of printable text in UTF-8, got '\\ud800'"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_happens(
    breaker: CircuitBreaker, store: Store, said: dict[str, object], error: type[Exception], message: str
) -> None:
    """Nothing is cut in silence, and the fuse stays as it was."""
    for act in (breaker.isolate, breaker.disable, lambda **said: store.isolate("db", **said)):
        with pytest.raises(error) as refused:
            act(**said)
        assert message in str(refused.value)
    assert (State.CLOSED, []) == (breaker.state, store.journal())


def test_an_override_that_would_reach_this_process_alone_is_refused(make_shared: type[Store]) -> None:
    """R12, T12: in a full table the fuse is not the one that others use, and the caller means the host's."""
    store = make_shared(fuses=2)
    for name in ("a", "b"):
        CircuitBreaker(name, store=store).call(int)
    local = CircuitBreaker("c", store=store)
    for act in (store.isolate, store.disable, store.reset):
        with pytest.raises(StoreFullError, match="has no room for fuse 'c'") as refused:
            act("c")
    assert refused.value.fuse == "c"
    assert (0, State.CLOSED) == (local.call(int), local.state)
    local.isolate()
    assert local.state is State.ISOLATED, "a breaker has the fuse that its own calls go by"


def test_texts_are_kept_up_to_their_last_byte(store: Store) -> None:
    """What is allowed is kept whole, in the journal and beside the fuse."""
    who, why = "é" * 19 + "w", "y" * 111
    store.isolate("db", who=who, why=why)
    shown, told = store.snapshot()["db"], store.journal()[-1]
    assert [(who, why)] * 2 == [(shown.who, shown.why), (told.who, told.why)]


def test_an_endless_isolation_says_no_time(breaker: CircuitBreaker) -> None:
    """R05: who waits by ``retry_after`` has to choose a time."""
    breaker.isolate()
    with pytest.raises(CircuitOpenError) as rejected:
        breaker.call(int)
    assert rejected.value.retry_after is None
