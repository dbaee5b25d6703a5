"""A host's table that could not be had for a moment: the store comes back to it by itself (rule T12)."""

import contextlib
import logging
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, State, Store, StoreOpenError, Transition, _core
from fuseboard.testing import Clock
from helpers import boom, fail, listening_threads, rejection, trip, wait_until


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """While the block runs this process gets no file descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def stopgap(folder: Path, clock: Clock) -> Store:
    """A store that could not have the host's table, which can be had since."""
    assert folder.is_dir()
    with no_descriptors():
        store = Store.shared("shop", fuses=16, failures=32, clock=clock)
    assert store._path is None
    return store


@pytest.fixture
def host(folder: Path, clock: Clock) -> Store:
    """The host's table, as another process has it."""
    assert folder.is_dir()
    return Store.shared("shop", fuses=16, failures=32, strict=True, clock=clock)


def test_the_same_store_is_shared_again(stopgap: Store, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Goal 1: whoever holds it need not know; a second later at the earliest."""
    assert (False, "system", True) == (stopgap.is_shared, stopgap.fault.reason, stopgap.fault.is_transient)
    clock.advance(0.999)
    assert not stopgap.is_shared
    clock.advance(0.001)
    with caplog.at_level(logging.INFO):
        assert stopgap.is_shared
    assert (None, "shop") == (stopgap.fault, stopgap.name)
    assert f"<Store 'shop' at {stopgap.path}>" == repr(stopgap)
    expected = f"store 'shop' is shared again: this process now uses the host's table {stopgap.path}. "
    assert [expected + "Earlier counts were not copied."] == caplog.messages


def test_each_edge_is_a_line(folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """One when the process goes on alone, one when it shares again; what lies between is no news."""
    assert folder.is_dir()
    caplog.set_level(logging.INFO)
    with no_descriptors():
        store = Store.shared("shop", clock=clock)
        for _ in range(50):
            clock.advance(1)
            assert not store.is_shared
    clock.advance(16)
    assert store.is_shared
    assert ["WARNING", "INFO"] == [record.levelname for record in caplog.records]
    assert caplog.messages[0].endswith("This process uses a private table for now and keeps trying.")


def test_another_cause_is_news(stopgap: Store, folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """What stands in ``fault`` and in the log is what keeps it from sharing now."""
    folder.chmod(0o755)
    for _ in range(3):
        clock.advance(16)
        assert not stopgap.is_shared
    assert "folder" == stopgap.fault.reason
    (message,) = caplog.messages
    assert "has mode 0755" in message
    folder.chmod(0o700)
    clock.advance(16)
    assert stopgap.is_shared


def test_tries_are_farther_and_farther_apart(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, host: Store
) -> None:
    """At most one a second, then fewer, up to 16 s apart, however many calls there are."""
    assert folder.is_dir()
    tries: list[float] = []
    find = Store._find
    monkeypatch.setattr(Store, "_find", lambda store: tries.append(clock.now) or find(store))
    start = clock.now
    with no_descriptors():
        store = Store.shared("shop", clock=clock)
        breakers = [CircuitBreaker(name, store=store) for name in "ab"]
        for _ in range(600):
            clock.advance(0.1)
            assert [0, 0] == [breaker.call(int) for breaker in breakers]
            store.record_success("raw")
    assert [1, 2, 4, 8, 16, 32, 48] == [round(at - start) for at in tries]
    assert 0 == len(host.all_states())


NOTICES = {
    "a call": lambda _store, breaker: breaker.call(int),
    "a call that fails": lambda _store, breaker: fail(breaker),
    "a block": lambda _store, breaker: breaker.__enter__(),
    "a permit": lambda _store, breaker: breaker.permit().ignore(),
    "check": lambda _store, breaker: breaker.check(),
    "the state": lambda _store, breaker: breaker.state,
    "a manual override": lambda _store, breaker: breaker.isolate(),
    "a snapshot": lambda store, _breaker: store.snapshot(),
    "all states": lambda store, _breaker: store.all_states(),
    "a state by name": lambda store, _breaker: store.state("db"),
    "a record": lambda store, _breaker: store.record_failure("raw", 10),
    "the journal": lambda store, _breaker: store.journal(),
    "a question": lambda store, _breaker: store.is_shared,
    "another breaker": lambda store, _breaker: CircuitBreaker("other", store=store).call(int),
}
"""What makes a store look for the host's table."""


@pytest.mark.parametrize("act", NOTICES.values(), ids=NOTICES)
def test_whoever_comes_by_looks(stopgap: Store, clock: Clock, act: object) -> None:
    """There is no thread and no timer for it."""
    breaker = CircuitBreaker("db", store=stopgap)
    breaker.call(int)
    clock.advance(1)
    act(stopgap, breaker)
    assert stopgap._path is not None


def test_breakers_go_over_at_their_next_call(stopgap: Store, host: Store, clock: Clock) -> None:
    """Goal 3: from then on failures count on the host, and an open fuse of the host's rejects; guards and keys too."""
    breaker = CircuitBreaker("db", threshold=3, store=stopgap)
    guarded, keyed = breaker(lambda: 0), breaker.for_key("eu")
    fail(breaker, 2)
    assert (0, 0) == (guarded(), keyed.call(int))
    clock.advance(1)
    assert 0 == guarded()
    fail(breaker, 2)
    assert (State.CLOSED, 2) == (breaker.state, host.snapshot()["db"].window_failures)
    host.set_open("db")
    host.set_open("db[eu]")
    assert [rejection(breaker), rejection(keyed)] != [None, None]
    assert {"db", "db[eu]"} == set(host.all_states())


def test_calls_under_way_end_where_they_began(stopgap: Store, host: Store, clock: Clock) -> None:
    """R09: what began under the process's own table says nothing of the host's fuse."""
    breaker = CircuitBreaker("db", threshold=1, store=stopgap)
    before = breaker.permit()
    clock.advance(1)
    breaker.call(int)
    before.failure()
    assert (State.CLOSED, 0, 1) == (breaker.state, host.snapshot()["db"].failures, host.snapshot()["db"].successes)


def test_counts_stay_behind(stopgap: Store, host: Store, clock: Clock) -> None:
    """An open fuse of the process's own opens nothing on the host; nor does the host's table lose what it had."""
    host.record_failure("db", 60)
    breaker = CircuitBreaker("db", store=stopgap)
    trip(breaker)
    assert State.OPEN is breaker.state
    clock.advance(1)
    assert (State.CLOSED, 1) == (breaker.state, stopgap.snapshot()["db"].window_failures)


@pytest.mark.parametrize("command", ["isolate", "disable"])
def test_a_manual_override_moves_over(stopgap: Store, host: Store, clock: Clock, command: str) -> None:
    """R12: what somebody said meanwhile holds, for all, if nobody on the host says otherwise."""
    getattr(CircuitBreaker("db", store=stopgap), command)()
    clock.advance(1)
    assert stopgap.is_shared
    assert f"{command}d" == host.state("db").state.value
    assert ["manual"] == [made.cause.value for made in host.journal()]


@pytest.mark.parametrize("others", ["disable", "reset"])
def test_a_manual_override_on_the_host_counts_more(stopgap: Store, host: Store, clock: Clock, others: str) -> None:
    """R12: also its end: nobody's reset is undone by a process that comes back."""
    CircuitBreaker("db", store=stopgap).isolate()
    clock.advance(0.5)
    operator = CircuitBreaker("db", store=host)
    operator.isolate()
    getattr(operator, others)()
    expected = operator.state
    clock.advance(0.5)
    assert stopgap.is_shared
    assert expected is host.state("db").state


def test_an_old_reset_on_the_host_is_no_answer(stopgap: Store, host: Store, clock: Clock) -> None:
    """Control: only what was said behind the override is."""
    CircuitBreaker("db", store=host).reset()
    clock.advance(0.5)
    CircuitBreaker("db", store=stopgap).isolate()
    clock.advance(0.5)
    assert stopgap.is_shared
    assert State.ISOLATED is host.state("db").state


def test_cursors_go_on_in_the_hosts_journal(stopgap: Store, host: Store, clock: Clock) -> None:
    """T14: nothing of the old journal is lost, nothing old of the host's is news, and nothing new is missing."""
    reader = _core.JournalCursor(stopgap)
    host.set_open("old")
    stopgap.set_open("ours")
    clock.advance(1)
    assert stopgap.is_shared
    host.set_open("new")
    told = []
    for _ in range(2):  # the old journal to its end, then the other one
        reader.poll(stopgap)
        while row := reader.take():
            told.append(row[0])
    assert (["ours", "new"], 0) == (told, reader.lost)


def test_listeners_go_on_in_the_hosts_journal(stopgap: Store, host: Store, clock: Clock) -> None:
    """T14: the same for those who are called, whose thread looks for the table too."""
    told: list[str] = []
    with stopgap.subscribe(lambda made: told.append(made.fuse)):
        stopgap.set_open("ours")
        wait_until(lambda: told)
        clock.advance(1)
        wait_until(lambda: stopgap._path)
        host.set_open("new")
        wait_until(lambda: len(told) > 1)
    assert ["ours", "new"] == told
    wait_until(lambda: not listening_threads())


def test_strict_comes_back_at_once(stopgap: Store, folder: Path) -> None:
    """Whoever insists need not wait, and gets the store that others hold; where it still cannot be had, the reason."""
    registered = Store.shared("bank", strict=True)
    with no_descriptors():
        store = Store.shared("inn")
        with pytest.raises(StoreOpenError, match="Too many open files"):
            Store.shared("inn", strict=True)
    assert not store.is_shared
    assert store is Store.shared("inn", strict=True)
    assert (True, True, None) == (store.is_shared, registered.is_shared, store.fault)
    assert {"bank", "inn"} == {path.name.partition(".")[0] for path in folder.iterdir()}
    assert not stopgap.is_shared


def test_listeners_go_on_though_the_log_raises(
    stopgap: Store, host: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter of the log that raises must not silence the listeners for ever, at an edge or behind one of them."""
    told: list[str] = []

    def listen(made: Transition) -> None:
        told.append(made.fuse)
        raise RuntimeError(made.fuse)

    def refuse(_record: logging.LogRecord) -> bool:
        raise RuntimeError("a filter")

    with stopgap.subscribe(listen):
        monkeypatch.setattr(logging.getLogger("fuseboard"), "filters", [refuse])
        clock.advance(1)
        wait_until(lambda: stopgap._path)
        for fuse in ("first", "second"):
            host._set_state(fuse, State.OPEN.code)
        wait_until(lambda: len(told) > 1)
    assert ["first", "second"] == told


def test_what_somebody_has_to_mend_is_not_tried_again(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """T11: a folder that others may enter was perhaps never private."""
    folder.chmod(0o755)
    store = Store.shared("shop", clock=clock)
    folder.chmod(0o700)
    breaker = CircuitBreaker("db", store=store)
    for _ in range(3):
        clock.advance(100)
        breaker.call(int)
        assert not store.is_shared
    (message,) = caplog.messages
    assert message.endswith("This process uses a private table until it is restarted.")


def test_a_closed_store_looks_for_nothing(stopgap: Store, clock: Clock) -> None:
    """Who let go of it does not want it back."""
    breaker = CircuitBreaker("db", store=stopgap)
    stopgap.close()
    clock.advance(1)
    assert 0 == breaker.call(int)
    assert not stopgap.is_shared


def test_fuses_that_overflowed_go_over_too(folder: Path, clock: Clock) -> None:
    """T12: whichever table of the process's own they were in."""
    assert folder.is_dir()
    with no_descriptors():
        store = Store.shared("shop", fuses=1, failures=8, clock=clock)
    breakers = [CircuitBreaker(name, store=store) for name in "abc"]
    assert [0] * 3 == [breaker.call(int) for breaker in breakers]
    clock.advance(1)
    assert [0] * 3 == [breaker.call(int) for breaker in breakers]
    other = Store.shared("shop", strict=True, clock=clock)
    assert 1 == len(other.all_states())
    assert 3 == len(store.all_states())


def test_a_call_that_raises_while_the_store_comes_back_raises_its_own(stopgap: Store, clock: Clock) -> None:
    """R16: nothing of all this is the caller's to see."""
    guarded = CircuitBreaker("db", store=stopgap)(boom)
    for _ in range(3):
        with pytest.raises(Exception, match=r"^$"):
            guarded()
        clock.advance(1)
