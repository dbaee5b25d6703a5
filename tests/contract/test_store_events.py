"""The store's contract: transitions as they come, to listeners and to event loops."""

import asyncio
import datetime as dt
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from fuseboard import CircuitBreaker, Events, State, Store, Transition
from fuseboard.testing import Clock
from helpers import MakeStore, fail, go_the_way_round, listening_threads, wait_until

RECORDS = 2048
"""What the journal keeps."""


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Closed subscriptions end their threads."""
    yield
    wait_until(lambda: not listening_threads())


def test_every_listener_is_told_of_every_transition_once(store: Store, clock: Clock) -> None:
    """T14: all that the journal says, in its order; a call's, a command's and a raw one's."""
    one: list[Transition] = []
    other: list[Transition] = []
    with store.subscribe(one.append), store.subscribe(other.append):
        breaker = CircuitBreaker("db", threshold=2, reset_timeout=1, store=store)
        go_the_way_round(breaker, clock)
        for act in (breaker.isolate, lambda: store.set_open("cache"), store.reset_all, lambda: store.set_open("end")):
            clock.advance(1)
            act()
        wait_until(lambda: [each.fuse for each in other[-1:]] == ["end"])
    assert 10 == len(one)
    assert store.journal() == one == other


def test_a_listener_is_told_of_nothing_older(store: Store) -> None:
    """A subscription begins where it is made."""
    told: list[Transition] = []
    store.set_open("db")
    with store.subscribe(told.append):
        store.set_closed("db")
        wait_until(lambda: told)
    assert [State.CLOSED] == [each.after for each in told]


def test_a_listener_that_raises_is_logged_and_told_on(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """R16: neither it nor the one beside it misses anything, and no call hears of it."""
    told: list[Transition] = []
    beside: list[Transition] = []

    def listener(made: Transition) -> None:
        told.append(made)
        raise SystemExit

    with store.subscribe(listener), store.subscribe(beside.append):
        fail(CircuitBreaker("db", threshold=1, store=store))
        store.set_closed("db")
        wait_until(lambda: len(beside) == 2)
    assert beside == told
    raised = [record for record in caplog.records if record.exc_info]
    assert ["fuse 'db': the listener"] * 2 == [record.getMessage()[:23] for record in raised]


def test_a_listener_is_told_in_a_thread_of_its_own_and_may_do_anything(store: Store) -> None:
    """R16: nothing is held while it runs; it may use the breaker, subscribe, and end what it is called by."""
    threads: list[threading.Thread] = []
    told: list[Transition] = []
    breaker = CircuitBreaker("db", threshold=1, store=store)

    def listener(made: Transition) -> None:
        threads.append(threading.current_thread())
        if made.after is State.OPEN:
            inner.append(store.subscribe(told.append))
            subscription.close()
            breaker.reset()

    inner: list[Any] = []
    subscription = store.subscribe(listener)
    fail(breaker)
    wait_until(lambda: told)
    inner[0].close()
    assert [State.CLOSED] == [each.after for each in told]
    assert 1 == len(threads)
    assert threading.current_thread() not in threads


def test_a_closed_subscription_is_told_no_more(store: Store) -> None:
    """Closing twice is no error; others go on."""
    closed: list[Transition] = []
    other: list[Transition] = []
    first = store.subscribe(closed.append)
    with store.subscribe(other.append):
        store.set_open("db")
        wait_until(lambda: closed and other)
        first.close()
        first.close()
        store.set_closed("db")
        wait_until(lambda: len(other) == 2)
    assert 1 == len(closed)


def test_a_slow_listener_misses_the_oldest_and_is_told_how_many(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Memory is bounded by the journal; what it dropped is counted, and logged once."""
    told: list[Transition] = []
    is_there, may_go_on = threading.Event(), threading.Event()

    def listener(made: Transition) -> None:
        told.append(made)
        is_there.set()
        may_go_on.wait(30)

    with store.subscribe(listener) as subscription:
        store.set_open("db")
        assert is_there.wait(30)
        for _ in range(RECORDS):
            store.set_closed("db")
            store.set_open("db")
        may_go_on.set()
        wait_until(lambda: len(told) == 1 + RECORDS)
        assert RECORDS == subscription.lost
    assert store.journal() == told[1:]
    behind = [message for message in caplog.messages if "was too slow" in message]
    assert [True] == [
        message.endswith("missed 2048 transitions, because the journal keeps only the latest") for message in behind
    ]


def test_a_fuse_that_overflowed_is_told_of_too(make_store: MakeStore) -> None:
    """T12: what lives in this process alone, in a table that is made only after the listener came."""
    store = make_store(fuses=1)
    told: list[Transition] = []
    with store.subscribe(told.append):
        for fuse in "abc":
            store.set_open(fuse)
        wait_until(lambda: len(told) == 3)
    assert {"a", "b", "c"} == {each.fuse for each in told}


@pytest.mark.parametrize("listener", [None, 7, asyncio.sleep])
def test_what_cannot_be_called_is_refused(store: Store, listener: Any) -> None:
    """A coroutine function would be called and never awaited."""
    with pytest.raises(TypeError, match="listener must be a plain callable, got"):
        store.subscribe(listener)


async def take(events: Events, count: int) -> list[Transition]:
    """The next so many."""
    taken: list[Transition] = []
    async for made in events:
        taken.append(made)
        if len(taken) == count:
            break
    return taken


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_an_event_loop_is_told_of_every_transition_once(store: Store, library: str) -> None:
    """From the call of ``events()`` on; also of those made while it waits."""
    store.set_open("older")
    events = store.events()
    store.set_open("db")

    async def main() -> list[Transition]:
        first = await take(events, 1)
        threading.Timer(0.1, store.set_closed, ["db"]).start()
        return first + await take(events, 1)

    told = asyncio.run(main()) if library == "asyncio" else trio.run(main)
    assert store.journal()[1:] == told
    assert 0 == events.lost


def test_a_cancelled_wait_loses_nothing(store: Store) -> None:
    """A timeout around it is how one looks now and then."""
    events = store.events()

    async def main() -> list[Transition]:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(take(events, 1), 0.001)
        store.set_open("db")
        store.set_closed("db")
        step = events.__anext__()
        step.send(None)  # the first moment at which it may be cancelled, with something there to take
        step.close()
        return await take(events, 2)

    told = asyncio.run(main())
    assert store.journal() == told


def test_a_loop_that_asks_too_late_is_told_how_many_it_missed(store: Store) -> None:
    """Nothing is kept for it but its place."""
    events = store.events()
    for _ in range(RECORDS):
        store.set_open("db")
        store.set_closed("db")
    told = asyncio.run(take(events, RECORDS))
    assert (RECORDS, store.journal()) == (events.lost, told)


def test_a_loop_in_a_thread_is_told_of_every_transition_once(store: Store) -> None:
    """``for`` waits for what comes; what came before the call is no news."""
    store.set_open("older")
    stream = store.events()
    store.set_open("db")
    threading.Timer(0.1, store.set_closed, ["db"]).start()
    told = [next(stream), next(stream)]
    assert (store.journal()[1:], None, 0) == (told, stream.take(0), stream.lost)


def test_all_that_the_journal_holds_is_handed_out_first(store: Store) -> None:
    """From the oldest on, and then what comes."""
    store.set_open("db")
    with store.events("oldest") as stream:
        store.set_closed("db")
        told = [stream.take(0), stream.take(0)]
    assert (store.journal(), None) == (told, stream.take(0))


def test_a_wait_ends_when_time_is_up_and_loses_nothing(store: Store) -> None:
    """A timeout is how one looks now and then."""
    stream = store.events()
    assert [None] * 3 == [stream.take(timeout) for timeout in (0, 0.001, dt.timedelta(milliseconds=1))]
    store.set_open("db")
    assert store.journal() == [stream.take(0)]


def test_closing_ends_the_loops(store: Store) -> None:
    """In another thread, in a task, and for whoever comes later. Closing twice is no error."""
    stream = store.events()
    assert not stream.is_closed
    threading.Timer(0.1, stream.close).start()
    assert [] == list(stream)
    assert stream.is_closed
    stream.close()
    store.set_open("db")
    assert (None, []) == (stream.take(), asyncio.run(take(stream, 1)))


def test_of_several_threads_each_transition_goes_to_one(store: Store) -> None:
    """None is handed out twice, none is lost."""
    stream, told = store.events(), list[Transition]()
    threads = [threading.Thread(target=lambda: told.extend(stream)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        store.set_open("db")
        store.set_closed("db")
    wait_until(lambda: len(told) >= 200)
    stream.close()
    for thread in threads:
        thread.join()
    assert store.journal() == sorted(told, key=lambda made: made.generation)


def test_a_stream_goes_on_at_the_cursor_of_another_one(store: Store) -> None:
    """Behind what that one has handed out, though it had read on."""
    first = store.events("oldest")
    cursors = [first.cursor]
    for act in (store.set_open, store.set_half_open, store.set_closed, store.set_open):
        act("db")
    for _ in range(4):
        assert first.take(0)
        cursors.append(first.cursor)
    journal = store.journal()
    for count, cursor in enumerate(cursors):
        stream = store.events(cursor)
        assert (True, cursor) == (stream.is_resumed, stream.cursor)
        assert journal[count:] == [stream.take(0) for _ in journal[count:]]
        assert (None, first.cursor) == (stream.take(0), stream.cursor)
        assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", cursor)
    assert [False, False] == [store.events(since).is_resumed for since in (None, "oldest")]


def test_a_cursor_stands_behind_what_the_loop_has_seen(store: Store) -> None:
    """Under ``async for`` as well; and what it only read is not handed out."""
    stream = store.events()
    for _ in range(3):
        store.set_open("db")
        store.set_closed("db")
    told = asyncio.run(take(stream, 4))
    rest = store.events(stream.cursor)
    assert store.journal() == [*told, rest.take(0), rest.take(0)]
    assert rest.take(0) is None


def test_a_cursor_that_the_ring_has_left_behind_says_what_is_lost(store: Store) -> None:
    """Who was away for too long knows it."""
    cursor = store.events().cursor
    for _ in range(RECORDS):
        store.set_open("db")
        store.set_closed("db")
    stream = store.events(cursor)
    assert store.journal()[0] == stream.take(0)
    assert (True, RECORDS) == (stream.is_resumed, stream.lost)


def test_a_cursor_of_another_table_begins_with_the_oldest(store: Store, make_store: MakeStore) -> None:
    """As after a restart of the host, whose table is made anew; the stream says so."""
    other = make_store()
    store.set_open("db")
    stream = store.events(other.events().cursor)
    assert (False, store.journal(), 0) == (stream.is_resumed, [stream.take(0)], stream.lost)
    ahead = f"{stream.cursor.split('-')[0]}-ffff"
    assert not store.events(ahead).is_resumed, "where this journal has not come to"


@pytest.mark.parametrize("since", ["", "newest", "12", "0000000000000000-zz", "0000000000000001-1-", "00-0"])
def test_what_is_no_cursor_is_refused(store: Store, since: str) -> None:
    """The message names the argument, the value, and what there is."""
    demand = r"since must be None \(from now on\), \"oldest\" \(all that the journal holds\) or the cursor of a stream"
    with pytest.raises(ValueError, match=f"^{demand}, got {re.escape(repr(since))}$"):
        store.events(since)
    with pytest.raises(TypeError, match=f"^{demand}, got int: 7$"):
        store.events(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [-1, float("nan"), 1e9])
def test_a_timeout_out_of_range_is_refused(store: Store, timeout: float) -> None:
    """By name."""
    with pytest.raises(ValueError, match="timeout must be"):
        store.events().take(timeout)


def test_a_running_event_loop_is_needed(store: Store) -> None:
    """It says so instead of waiting for ever where nothing runs it."""
    step = store.events().__anext__()
    step.send(None)
    with pytest.raises(RuntimeError, match="no running event loop"):
        step.send(None)
