"""Guarded functions that travel by value: cloudpickle, which joblib and loky, Dask, Ray and Spark use."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from fuseboard import CircuitBreaker, CircuitOpenError, Store

ANSWERED = 2
"""Which of the functions has a fallback."""


def sent(function: Callable[..., Any]) -> Any:
    """The function as another process gets it, if it is one that has no name there."""
    return cloudpickle.loads(cloudpickle.dumps(function))


def make(store: Store) -> tuple[CircuitBreaker, list[Callable[..., Any]]]:
    """Local functions of several kinds, guarded."""
    breaker = CircuitBreaker("db", threshold=1, store=store)

    @breaker
    def plain(number: int, other: int = 2) -> tuple[int, int]:
        return number, other

    @breaker
    async def coroutine(number: int, other: int = 2) -> tuple[int, int]:
        return number, other

    @breaker.with_fallback("no")
    def answered(number: int, other: int = 2) -> tuple[int, int]:
        return number, other

    return breaker, [plain, coroutine, answered]


def run(function: Callable[..., Any]) -> object:
    """What a call comes to, awaited where it must be."""
    result = function(1)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


@pytest.mark.parametrize("index", range(3))
def test_it_does_what_it_did(index: int) -> None:
    """It returns what it returned, counts on the same fuse, and is rejected with the others."""
    with Store.shared(f"pickled-{index}") as store:
        breaker, functions = make(store)
        function = sent(functions[index])
        assert (1, 2) == run(function)
        assert 1 == store.snapshot()["db"].successes
        breaker.permit().failure()
        if index == ANSWERED:
            assert "no" == run(function)
        else:
            with pytest.raises(CircuitOpenError):
                run(function)


def test_it_goes_through_twice() -> None:
    """What was unpickled can be sent on."""
    with Store.shared("pickled-twice") as store:
        assert (1, 2) == run(sent(sent(make(store)[1][0])))


def test_on_a_private_store_it_is_refused_in_words() -> None:
    """It would have a fuse of its own there, and nobody would know."""
    for function in make(Store.private())[1]:
        with pytest.raises(
            TypeError, match="breaker 'db' cannot be pickled, because its private store belongs to this process"
        ):
            sent(function)


PROGRAM = """
from fuseboard import CircuitBreaker, Store

breaker = CircuitBreaker("db", store=Store.shared("pickled-joblib"))

@breaker
def charge(card):
    return "charged " + card

if __name__ == "__main__":
    from joblib import Parallel, delayed
    print(Parallel(n_jobs=2, backend="loky")(delayed(charge)(card) for card in ("one", "two")))
    print(breaker.store.snapshot()["db"].successes)
"""


def test_joblib_sends_a_script_s_function_to_its_workers(tmp_path: Path) -> None:
    """A script's own functions have no name elsewhere; the workers share the fuse with the script."""
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, script], capture_output=True, text=True, timeout=100, check=True
    )
    assert "['charged one', 'charged two']\n2\n" == done.stdout
