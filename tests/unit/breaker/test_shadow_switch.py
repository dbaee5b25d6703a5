"""``FUSEBOARD_SHADOW``: one switch for all breakers of a process."""

import asyncio
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, State, Store
from fuseboard._once import Once
from fuseboard._policy import from_environment, suggestions
from helpers import fail, trip


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has made no breaker."""
    monkeypatch.setattr(from_environment, "_once", Once())
    monkeypatch.setattr(suggestions, "_looked", Once())


@pytest.fixture
def switched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose breakers are to reject nothing."""
    monkeypatch.setenv("FUSEBOARD_SHADOW", "1")


def use_all_ways(breaker: CircuitBreaker) -> list[object]:
    """What calls get that are made in each way there is."""

    @breaker
    def plain() -> str:
        return "plain"

    @breaker
    async def coroutine() -> str:
        return "coroutine"

    @breaker
    def generator() -> Iterator[str]:
        yield "generator"

    @breaker
    async def asynchronous_generator() -> AsyncIterator[str]:
        yield "asynchronous generator"

    @breaker.with_fallback("fallback")
    def with_fallback() -> str:
        return "no fallback"

    async def acalled() -> str:
        return "acall"

    async def in_a_loop() -> list[object]:
        async with breaker:
            got = [await coroutine(), await breaker.acall(acalled)]
        return got + [item async for item in asynchronous_generator()]

    with breaker:
        pass
    with breaker.permit():
        pass
    breaker.check()
    return [plain(), with_fallback(), *generator(), breaker.call(str, "call"), *asyncio.run(in_a_loop())]


@pytest.mark.usefixtures("switched")
@pytest.mark.parametrize("state", [State.OPEN, State.HALF_OPEN, State.ISOLATED])
@pytest.mark.parametrize("key", [None, "eu"])
def test_no_call_is_rejected_however_it_is_made(store: Store, state: State, key: str | None) -> None:
    """Guarded functions of each kind, blocks, permits, checks, calls, fuses by key, and past an isolation."""
    family = CircuitBreaker("db", store=store)
    breaker = family if key is None else family.for_key(key)
    store._apply_override(breaker.name, state.code, 0, "", "")
    expected = ["plain", "no fallback", "generator", "call", "coroutine", "acall", "asynchronous generator"]
    assert expected == use_all_ways(breaker)


@pytest.mark.usefixtures("switched")
def test_it_decides_and_counts_as_ever(store: Store) -> None:
    """Other processes see the fuse open by its failures, as they would without the switch, and obey it."""
    breaker = CircuitBreaker("db", store=store, threshold=3)
    trip(breaker)
    fail(breaker, 2)
    told = store.snapshot()["db"]
    assert (State.OPEN, 3, 1, 2) == (told.state, told.failures, told.trips, told.rejections)


@pytest.mark.usefixtures("switched")
def test_it_is_said_once_when_the_first_breaker_is_made(caplog: pytest.LogCaptureFixture) -> None:
    """And by each breaker that is asked."""
    breakers = [CircuitBreaker(name) for name in ("a", "b")]
    (record,) = caplog.records
    says = (
        "FUSEBOARD_SHADOW=1: the breakers of this process reject no calls. "
        "They still decide, count and write the journal."
    )
    assert ("WARNING", says) == (record.levelname, record.getMessage())
    for breaker in breakers:
        assert breaker.explain().startswith("Rejects no calls, because FUSEBOARD_SHADOW is set. ")
        assert breaker.for_key(7).explain().startswith("Rejects no calls, because FUSEBOARD_SHADOW is set. ")


@pytest.mark.parametrize(
    ("text", "is_shadow"),
    [("1", True), ("true", True), ("Yes", True), (" ON ", True), ("0", False), ("False", False), ("no", False),
     ("off", False), ("", False), (" ", False)],
)  # fmt: skip
def test_it_is_written_as_people_write_it(monkeypatch: pytest.MonkeyPatch, text: str, *, is_shadow: bool) -> None:
    """Yes and no, in the words of other tools; nothing is no."""
    monkeypatch.setenv("FUSEBOARD_SHADOW", text)
    assert is_shadow == ("FUSEBOARD_SHADOW" in CircuitBreaker("db").explain())


@pytest.mark.parametrize("text", ["2", "ture", "none"])
def test_what_is_neither_yes_nor_no_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Where a breaker is made, as any variable that makes no sense: who means to switch must not believe it is done."""
    monkeypatch.setenv("FUSEBOARD_SHADOW", text)
    with pytest.raises(ValueError, match=f"^environment variable FUSEBOARD_SHADOW='{text}' must be 1 or 0, true or "):
        CircuitBreaker("db")


@pytest.mark.parametrize(
    "variable", ["FUSEBOARD_DISABLED", "FUSEBOARD_SHADOWS", "FUSEBOARD_ENABLED", "FUSEBOARD_SHADW"]
)
def test_other_names_for_it_lead_to_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str
) -> None:
    """Whoever needs it has no time to look it up."""
    monkeypatch.setenv(variable, "1")
    CircuitBreaker("db")
    assert caplog.messages[0].endswith("Did you mean FUSEBOARD_SHADOW?")


def test_nothing_is_said_at_import_and_other_processes_reject(folder: Path) -> None:
    """It is of one process: it says so in its log, and the fuse that it opens rejects the calls of another one."""
    program = (
        "import fuseboard, sys; print('imported', file=sys.stderr, flush=True)\n"
        "breaker = fuseboard.CircuitBreaker('db', threshold=1, store=fuseboard.Store.shared('shop', fuses=8))\n"
        "def boom(): raise OSError\n"
        "for _ in range(3):\n"
        "    try: breaker.call(boom)\n"
        "    except OSError: pass\n"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], env={"FUSEBOARD_DIR": str(folder), "FUSEBOARD_SHADOW": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported, switch, *_ = done.stderr.splitlines()
    assert ("imported", True) == (imported, switch.startswith("FUSEBOARD_SHADOW=1: the breakers"))
    assert State.OPEN is CircuitBreaker("db", store=Store.shared("shop", fuses=8)).state


def test_the_switch_does_not_travel(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """One that is pickled goes by the environment in which it arrives; it stays a shadow where the code says so."""
    assert folder
    monkeypatch.setenv("FUSEBOARD_SHADOW", "1")
    store = Store.shared("shop", fuses=8)
    written = [pickle.dumps(CircuitBreaker("db", store=store, shadow=shadow)) for shadow in (False, True)]
    monkeypatch.delenv("FUSEBOARD_SHADOW")
    real, shadow = (pickle.loads(text) for text in written)  # noqa: S301 - ours
    assert ("Rejects no calls" in real.explain(), "the breaker is a shadow" in shadow.explain()) == (False, True)
