"""Threads that open the default store at the same time must find one table, also where it falls back.

Found in ``Store.shared``, which looks into the registry, opens the table with the interpreter lock released, and then
writes the registry: each of several threads got a private table of its own, with a warning each. And in ``_resolve``,
which links a breaker to the default store it saw a while ago.
"""

import logging
import threading
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Store
from fuseboard._store import registry
from helpers import fail

ROUNDS = 30
THREADS = 8


def fail_together(breakers: list[CircuitBreaker]) -> None:
    """Lets each breaker's first call, a failure, happen at once."""
    barrier = threading.Barrier(len(breakers), timeout=30)

    def work(breaker: CircuitBreaker) -> None:
        barrier.wait()
        fail(breaker)

    threads = [threading.Thread(target=work, args=(breaker,)) for breaker in breakers]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def test_a_fallback_is_one_table_with_one_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T12, R03: exactly one warning, and all failures of the process are counted together."""
    folder.chmod(0o755)
    monkeypatch.setenv("FUSEBOARD_STORE", "shop")
    seen = []
    for _ in range(ROUNDS):
        registry.shared.clear()
        registry.replace_default(None)
        caplog.clear()
        fail_together([CircuitBreaker("db", threshold=200) for _ in range(THREADS)])
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        seen.append((len(warnings), Store.default().snapshot()["db"].failures))
    assert [(1, THREADS)] * ROUNDS == seen


class _Replacing(logging.Handler):
    """What another thread might do while a breaker looks its fuse up: replaces the default store."""

    def emit(self, record: logging.LogRecord) -> None:
        assert record.name == "fuseboard"
        registry.replace_default(Store.private())


def test_a_breaker_that_looks_its_fuse_up_while_the_default_is_replaced_moves_on() -> None:
    """A look-up that is overtaken by a replacement must not link the breaker to the store of before for ever."""
    CircuitBreaker("db", threshold=2).call(int)
    breaker = CircuitBreaker("db", threshold=3)
    handler = _Replacing()
    logging.getLogger("fuseboard").addHandler(handler)
    try:
        breaker.call(int)
    finally:
        logging.getLogger("fuseboard").removeHandler(handler)
    breaker.call(int)
    assert "db" in Store.default().all_states()
