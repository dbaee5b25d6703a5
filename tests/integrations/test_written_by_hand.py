"""The integration that the docs show how to write: it keeps what the page says of it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fuseboard import CircuitBreaker, CircuitIsolatedError, CircuitOpenError, SlowRate, State, Store
from fuseboard.testing import Clock

PAGE = Path(__file__).parent.parent.parent / "docs/how-to/write-an-integration.md"
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """What the first program of the page defines."""
    names: dict[str, Any] = {"__name__": "shown"}
    program = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)[0]
    exec(program.split("# A service that")[0], names)  # noqa: S102 - our own page
    return names


@pytest.fixture
def apis() -> CircuitBreaker:
    """A breaker with room for many failures."""
    return CircuitBreaker("apis", threshold=100, store=Store.private(failures=128))


def client(shown: dict[str, Any], apis: CircuitBreaker, handler: Handler) -> httpx.Client:
    """A client whose calls go by the transport of the page."""
    return httpx.Client(transport=shown["BreakerTransport"](apis, httpx.MockTransport(handler)))


class Body(httpx.SyncByteStream):
    """A body that breaks after its first bytes, or goes on."""

    def __init__(self, *, breaks: bool) -> None:
        self.breaks = breaks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        """Bytes."""
        yield b"first"
        if self.breaks:
            raise httpx.ReadError("reset by peer")
        yield b"last"

    def close(self) -> None:
        """Is counted."""
        self.closed += 1


def counted(apis: CircuitBreaker) -> tuple[int, int, int]:
    """Successes, failures, and what counted for neither, of the only host."""
    found = apis.store.snapshot()["apis[a.example]"]
    return found.successes, found.failures, found.ignored


def test_thirty_broken_bodies_are_thirty_failures(shown: dict[str, Any], apis: CircuitBreaker) -> None:
    """The call ends where the body does."""
    bodies = [Body(breaks=True) for _ in range(30)]
    waiting = list(bodies)
    with client(shown, apis, lambda _: httpx.Response(200, stream=waiting.pop())) as http:
        for _ in range(30):
            with pytest.raises(httpx.ReadError):
                http.get("https://a.example/")
    assert (0, 30, 0) == counted(apis)
    assert [1] * 30 == [body.closed for body in bodies]


def test_calls_beside_an_open_response_count(shown: dict[str, Any]) -> None:
    """A stream that nobody reads yet keeps no other call from being counted, and from opening the fuse."""
    apis = CircuitBreaker("apis", threshold=5, store=Store.private())

    def handler(request: httpx.Request) -> httpx.Response:
        is_stream = request.url.path == "/stream"
        return httpx.Response(200, stream=Body(breaks=False)) if is_stream else httpx.Response(503)

    with client(shown, apis, handler) as http, http.stream("GET", "https://a.example/stream") as response:
        for _ in range(5):
            assert 503 == http.get("https://a.example/").status_code
        with pytest.raises(CircuitOpenError):
            http.get("https://a.example/")
        assert b"firstlast" == response.read()


def test_responses_that_are_open_at_once_count_each(shown: dict[str, Any], apis: CircuitBreaker) -> None:
    """Twenty streams are opened, then read, and break."""
    with client(shown, apis, lambda _: httpx.Response(200, stream=Body(breaks=True))) as http:
        responses = [http.send(http.build_request("GET", "https://a.example/"), stream=True) for _ in range(20)]
        for response in responses:
            with pytest.raises(httpx.ReadError):
                response.read()
    assert (0, 20, 0) == counted(apis)


def test_a_probe_whose_body_is_open_lets_no_other_call_pass(shown: dict[str, Any], apis: CircuitBreaker) -> None:
    """R06."""
    apis.store.set_half_open("apis[a.example]")
    with client(shown, apis, lambda _: httpx.Response(200, stream=Body(breaks=False))) as http:
        with http.stream("GET", "https://a.example/"):
            for _ in range(5):
                with pytest.raises(CircuitOpenError):
                    http.get("https://a.example/")
        assert 200 == http.get("https://a.example/").status_code


def test_a_body_that_is_read_or_closed_early_is_a_success(shown: dict[str, Any], apis: CircuitBreaker) -> None:
    """The service did its part."""
    with client(shown, apis, lambda _: httpx.Response(200, stream=Body(breaks=False))) as http:
        assert b"firstlast" == http.get("https://a.example/").content
        with http.stream("GET", "https://a.example/") as response:
            assert b"first" == next(response.iter_raw())
        with http.stream("GET", "https://a.example/"):
            pass
    assert (3, 0, 0) == counted(apis)


def test_a_failed_status_counts_once_and_an_exception_by_the_lists(shown: dict[str, Any], apis: CircuitBreaker) -> None:
    """Also where the body is read to its end; what the lists ignore is ignored."""
    lenient = CircuitBreaker("apis", threshold=100, ignore=httpx.UnsupportedProtocol, store=apis.store)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/refused":
            raise httpx.ConnectError("refused")
        if request.url.path == "/mine":
            raise httpx.UnsupportedProtocol("mine")
        return httpx.Response(503, headers={"Retry-After": "Sat, 28 Nov 2026 10:00:00 GMT"})

    with client(shown, lenient, handler) as http:
        assert 503 == http.get("https://a.example/").status_code
        for path, error in (("refused", httpx.ConnectError), ("mine", httpx.UnsupportedProtocol)):
            with pytest.raises(error):
                http.get(f"https://a.example/{path}")
    assert (0, 2, 1) == counted(apis)


def test_what_the_service_asks_for_is_how_long_the_fuse_stays_open(shown: dict[str, Any], apis: CircuitBreaker) -> None:
    """And the journal names the status."""
    strict = CircuitBreaker("apis", threshold=1, max_reset_timeout=300, store=apis.store)
    with client(shown, strict, lambda _: httpx.Response(503, headers={"Retry-After": "120"})) as http:
        http.get("https://a.example/")
        with pytest.raises(CircuitOpenError) as caught:
            http.get("https://a.example/")
    assert 119 < (caught.value.retry_after or 0) <= 120
    assert "HTTP 503" == apis.store.journal()[-1].error


def test_a_slow_reader_is_no_slow_service(shown: dict[str, Any]) -> None:
    """The clock stops at the headers."""
    clock = Clock()
    rate = SlowRate(0.5, slow_after=1, window=60, min_calls=1)
    breaker = CircuitBreaker("apis", policy=rate, store=Store.private(clock=clock))
    with (
        client(shown, breaker, lambda _: httpx.Response(200, stream=Body(breaks=False))) as http,
        http.stream("GET", "https://a.example/") as response,
    ):
        clock.advance(5)
        response.read()
    assert State.CLOSED is breaker.for_key("a.example").state


def test_a_rejection_is_caught_by_either_name_and_makes_no_request(shown: dict[str, Any], apis: CircuitBreaker) -> None:
    """One exception, with the request that httpx puts into its errors."""
    asked: list[object] = []
    with client(shown, apis, asked.append) as http:  # type: ignore[arg-type]
        apis.store.set_open("apis[a.example]")
        with pytest.raises(httpx.TransportError) as opened:
            http.get("https://a.example/")
        apis.for_key("a.example").isolate()
        with pytest.raises(httpx.TransportError) as isolated:
            http.get("https://a.example/")
    assert [shown["BreakerOpenError"], shown["BreakerIsolatedError"]] == [type(opened.value), type(isolated.value)]
    assert isinstance(opened.value, CircuitOpenError)
    assert isinstance(isolated.value, CircuitIsolatedError)
    assert "https://a.example/" == str(opened.value.request.url)
    assert (None, None) == (opened.value.__cause__, opened.value.__context__)
    assert [] == asked
