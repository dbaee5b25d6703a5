"""Rejections of an integration's own classes: ours and the library's, and one exception each."""

import asyncio
import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuseboard import CircuitBreaker, CircuitIsolatedError, CircuitOpenError, State, Store
from fuseboard.testing import Clock
from helpers import fail, trip


class RequestError(Exception):
    """As httpx makes it: a request that is asked for before it is there is an error."""

    def __init__(self, message: str, *, request: object = None) -> None:
        super().__init__(message)
        self._request = request

    @property
    def request(self) -> object:
        """The request."""
        if self._request is None:
            raise RuntimeError("The .request property has not been set.")
        return self._request

    @request.setter
    def request(self, request: object) -> None:
        self._request = request


class RequestException(OSError):  # noqa: N818 - as requests calls it
    """As requests makes it: by keywords, over OSError."""

    def __init__(self, *args: object, **kwargs: Any) -> None:
        self.response = kwargs.pop("response", None)
        self.request = kwargs.pop("request", None)
        if self.response is not None and self.request is None:
            self.request = self.response.request
        super().__init__(*args, **kwargs)


class CodedError(Exception):
    """As database drivers make them: with a code, and text and pickling that need it."""

    def __init__(self, *, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        raise AttributeError("no code")

    def __reduce__(self) -> tuple[Any, ...]:
        raise AttributeError("no code")

    def __reduce_ex__(self, _protocol: object) -> tuple[Any, ...]:
        raise AttributeError("no code")


class HttpxOpenError(CircuitOpenError, RequestError):
    """A rejection for httpx."""


class HttpxIsolatedError(HttpxOpenError, CircuitIsolatedError):
    """The same by an operator."""


class RequestsOpenError(CircuitOpenError, RequestException):
    """A rejection for requests, with the attributes that its users read."""

    request = response = None


class RequestsIsolatedError(CircuitIsolatedError, RequestException):
    """The same by an operator."""

    request = response = None


class CodedOpenError(CircuitOpenError, CodedError):
    """A rejection with an attribute that the library's users read."""

    def __init__(
        self, name: str, state: State, retry_after: float | None, lease_remaining: float | None = None
    ) -> None:
        super().__init__(name, state, retry_after, lease_remaining)
        self.code = 503


class CodedIsolatedError(CircuitIsolatedError, CodedError):
    """The same by an operator."""


PAIRS = [
    (HttpxOpenError, HttpxIsolatedError, RequestError),
    (RequestsOpenError, RequestsIsolatedError, RequestException),
    (CodedOpenError, CodedIsolatedError, CodedError),
]
Pair = tuple[type[CircuitOpenError], type[CircuitIsolatedError], type[Exception]]


@pytest.fixture
def breaker(store: Store) -> CircuitBreaker:
    """A breaker whose fuse opens at the first failure, for 30 s."""
    return CircuitBreaker("db", threshold=1, reset_timeout=30, store=store)


def rejected(ask: Callable[[], object]) -> CircuitOpenError:
    """What it raises."""
    with pytest.raises(CircuitOpenError) as caught:
        ask()
    return caught.value


def block(breaker: CircuitBreaker) -> None:
    """A block."""
    with breaker:
        pass


def ablock(breaker: CircuitBreaker) -> None:
    """An asynchronous block."""

    async def main() -> None:
        async with breaker:
            pass

    asyncio.run(main())


def acall(breaker: CircuitBreaker) -> None:
    """A call of a coroutine function."""

    async def main() -> None:
        await breaker.acall(asyncio.sleep, 0)

    asyncio.run(main())


WAYS = {
    "permit": lambda breaker: breaker.permit().success(),
    "check": CircuitBreaker.check,
    "call": lambda breaker: breaker.call(int),
    "function": lambda breaker: breaker(int.bit_length)(7),
    "function of ours": lambda breaker: breaker(lambda: 7)(),
    "block": block,
    "async block": ablock,
    "acall": acall,
    "generator": lambda breaker: list(breaker(lambda: (yield 7))()),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__name__)
def test_every_way_to_call_raises_the_pair(breaker: CircuitBreaker, pair: Pair, way: Callable[..., object]) -> None:
    """R05, R12: the exception itself is of the class, and there is no other one."""
    opened, isolated, librarys = pair
    view = breaker.raising(opened, isolated)
    way(view)
    trip(breaker)
    error = rejected(lambda: way(view))
    assert (opened, "db", State.OPEN) == (type(error), error.name, error.state)
    assert 0 < (error.retry_after or 0) <= 30
    assert isinstance(error, librarys)
    assert (None, None) == (error.__cause__, error.__context__)
    breaker.isolate()
    error = rejected(lambda: way(view))
    assert (isolated, State.ISOLATED, None) == (type(error), error.state, error.retry_after)
    assert isinstance(error, librarys)
    assert (None, None) == (error.__cause__, error.__context__)
    assert CircuitIsolatedError is type(rejected(lambda: way(breaker))), "the breaker itself raises ours"


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__name__)
@pytest.mark.parametrize("state", [State.OPEN, State.ISOLATED, State.HALF_OPEN])
def test_such_a_rejection_travels(breaker: CircuitBreaker, clock: Clock, pair: Pair, state: State) -> None:
    """It pickles and copies by plain words, and says what ours says, whatever the library's class does."""
    view = breaker.raising(*pair[:2])
    trip(breaker)
    if state is State.ISOLATED:
        breaker.isolate()
    permit = None
    if state is State.HALF_OPEN:
        clock.advance(31)
        permit = breaker.permit()
    error, ours = rejected(view.permit), rejected(breaker.permit)
    if permit:
        permit.ignore()
    twins = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]  # noqa: S301
    for twin in (error, *twins, copy.copy(error), copy.deepcopy(error)):
        assert (type(error), ours.args, str(ours)) == (type(twin), twin.args, str(twin))
        assert vars(ours).items() <= vars(twin).items()
    assert state.value == error.args[1]


def test_a_library_reads_and_sets_its_attributes(breaker: CircuitBreaker) -> None:
    """What users of its errors ask for is there; the client sets what only it knows."""
    breaker.isolate()
    assert None is rejected(breaker.raising(RequestsOpenError, RequestsIsolatedError).permit).response  # type: ignore[attr-defined]
    error = rejected(breaker.raising(HttpxOpenError, HttpxIsolatedError).permit)
    error.request = "r1"  # type: ignore[attr-defined]
    assert "r1" == error.request  # type: ignore[attr-defined]
    trip(coded := CircuitBreaker("coded", threshold=1, store=breaker.store))
    assert 503 == rejected(coded.raising(CodedOpenError, CodedIsolatedError).check).code  # type: ignore[attr-defined]


def test_keys_raise_the_pair_too(breaker: CircuitBreaker) -> None:
    """Before and behind ``for_key``; the fuses are those of the breaker's own keys."""
    fail(breaker.for_key("eu"))
    for view in (
        breaker.raising(HttpxOpenError, HttpxIsolatedError).for_key("eu"),
        breaker.for_key("eu").raising(HttpxOpenError, HttpxIsolatedError),
    ):
        error = rejected(view.permit)
        assert (HttpxOpenError, "db[eu]") == (type(error), error.name)


def test_a_view_is_the_breaker_in_all_else(store: Store) -> None:
    """Class, settings, lists and attributes; it comes with no other settings (R15)."""

    class Mine(CircuitBreaker):
        pass

    breaker = Mine("db", threshold=2, failure_on=OSError, fallback="none", store=store)
    breaker.note = "kept"  # type: ignore[attr-defined]
    view = breaker.raising(HttpxOpenError, HttpxIsolatedError)
    assert (Mine, breaker.settings, "kept", store) == (type(view), view.settings, view.note, view.store)  # type: ignore[attr-defined]
    assert breaker.explain() == view.explain()
    breaker.call(int)
    view.call(int)
    assert (2, 0) == (store.snapshot()["db"].successes, store.snapshot()["db"].settings_changes)
    view.isolate()
    assert State.ISOLATED is breaker.state
    assert "none" == view.call(int)


def test_the_fallback_is_told_such_a_rejection(store: Store) -> None:
    """It is the same exception."""
    breaker = CircuitBreaker("db", fallback=lambda rejection: rejection, store=store)
    breaker.isolate()
    assert HttpxIsolatedError is type(breaker.raising(HttpxOpenError, HttpxIsolatedError).call(int))


def test_a_shadow_raises_neither(store: Store) -> None:
    """It rejects nothing."""
    shadow = CircuitBreaker("db", shadow=True, store=store).raising(HttpxOpenError, HttpxIsolatedError)
    shadow.isolate()
    assert 0 == shadow.call(int)
    shadow.check()


def test_rejections_by_this_fuse_count_for_nothing_in_an_outer_call(breaker: CircuitBreaker) -> None:
    """R10: of whatever class they are."""
    view = breaker.raising(HttpxOpenError, HttpxIsolatedError)
    with pytest.raises(HttpxOpenError), view:
        raise HttpxOpenError("db", State.OPEN, 1)
    assert (1, 0) == (breaker.store.snapshot()["db"].ignored, breaker.store.snapshot()["db"].failures)


def test_a_view_pickles_with_its_classes(folder: Path) -> None:
    """They go by name, as all classes do."""
    assert folder
    with Store.shared("shop", fuses=8) as shared:
        view = CircuitBreaker("db", store=shared).raising(HttpxOpenError, HttpxIsolatedError)
        twin = pickle.loads(pickle.dumps(view))  # noqa: S301 - our own bytes
        twin.isolate()
        assert HttpxIsolatedError is type(rejected(twin.check))
        shared.set_open("db[eu]")
        assert HttpxOpenError is type(rejected(twin.for_key("eu").check))


def test_a_rejection_keeps_nothing_alive(breaker: CircuitBreaker) -> None:
    """R18: neither it nor a view that is gone leaves anything behind."""
    breaker.isolate()
    view = breaker.raising(HttpxOpenError, HttpxIsolatedError)
    error, gone = weakref.ref(rejected(view.permit)), weakref.ref(view)
    del view
    gc.collect()
    assert (None, None) == (error(), gone())


class LibraryFirstError(RequestError, CircuitOpenError):
    """Bases the wrong way round: the library's ``__init__`` is called with ours."""


class ReadOnlyNameError(Exception):
    """A library's class whose name is its own."""

    @property
    def name(self) -> str:
        """Not to be set."""
        return "mine"


class NamedError(CircuitOpenError, ReadOnlyNameError):
    """Cannot have ours."""


class ForgetfulError(CircuitOpenError):
    """Takes what it is made with, and does not hand it on."""

    def __init__(self, name: str, state: State, _retry_after: object, _lease_remaining: object = None) -> None:
        super().__init__(name, state, None)


class WithoutLeaseError(CircuitOpenError):
    """Could not be made of a half-open fuse."""

    def __init__(self, name: str, state: State, retry_after: float | None) -> None:
        super().__init__(name, state, retry_after)


class SilentError(CircuitOpenError):
    """Has no words."""

    def __str__(self) -> str:
        raise AttributeError("no words")


class AnotherError(CircuitOpenError):
    """Makes something else."""

    def __new__(cls, *args: Any) -> Any:
        """Not one of this class."""
        return CircuitOpenError(*args)


@pytest.mark.parametrize(
    ("open_error", "message"),
    [
        (RequestError, "open_error must be a subclass of CircuitOpenError, got <class"),
        (None, "open_error must be a subclass of CircuitOpenError, got None"),
        (
            CircuitOpenError("db", State.OPEN, 1),
            "open_error must be a subclass of CircuitOpenError, got CircuitOpenError",
        ),
        (
            LibraryFirstError,
            "LibraryFirstError cannot be raised: TypeError: .*; make CircuitOpenError its first base class",
        ),
        (NamedError, "NamedError cannot be raised: AttributeError: .*'name'"),
        (
            WithoutLeaseError,
            "WithoutLeaseError cannot be raised: TypeError: .*let its __init__ take the arguments of CircuitOpenError",
        ),
        (SilentError, "SilentError cannot be raised: AttributeError: no words"),
        (ForgetfulError, r"ForgetfulError must keep its arguments .*, got ForgetfulError\('fuse', 'open', None\)"),
        (AnotherError, r"AnotherError must keep its arguments .*, got CircuitOpenError\('fuse', 'open', 1.5\)"),
    ],
)
def test_a_class_that_cannot_be_raised_is_refused_at_once(
    breaker: CircuitBreaker, open_error: Any, message: str
) -> None:
    """Where the integration is written, not where a call is rejected."""
    with pytest.raises(TypeError, match=message):
        breaker.raising(open_error, CircuitIsolatedError)


def test_the_second_class_is_for_isolated_fuses(breaker: CircuitBreaker) -> None:
    """Whoever catches ``CircuitIsolatedError`` asks an operator; it must be one."""
    with pytest.raises(TypeError, match=r"^isolated_error must be a subclass of CircuitIsolatedError, got"):
        breaker.raising(HttpxOpenError, HttpxOpenError)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", [CircuitBreaker.permit, CircuitBreaker.check])
def test_a_class_that_fails_later_rejects_all_the_same(breaker: CircuitBreaker, way: Callable[..., object]) -> None:
    """Goal 1: its fault is reported, and the caller gets our own class."""

    class TornError(CircuitOpenError):
        is_torn = False

        def __init__(self, *args: Any) -> None:
            if self.is_torn:
                raise OSError("torn")
            super().__init__(*args)

    view = breaker.raising(TornError, CircuitIsolatedError)
    trip(breaker)
    TornError.is_torn = True
    assert CircuitOpenError is type(rejected(lambda: way(view)))
    assert 1 == view.faults
