"""The table of the process's own that a store falls back to: its clock, its size, and what is said of it."""

from pathlib import Path
from typing import Any, Self

import pytest

from fuseboard import Store
from fuseboard.testing import Clock


class Cramped(Store):
    """A store of a process that may not map much."""

    @classmethod
    def _make(cls, name: str | None, folder: str | None, fuses: int, *rest: Any) -> Self:
        if name is None and fuses > 1024:
            raise MemoryError
        return super()._make(name, folder, fuses, *rest)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that cannot be had."""
    monkeypatch.setenv("FUSEBOARD_DIR", "/proc/nowhere")
    return "/proc/nowhere"


def test_a_fallback_has_the_size_and_the_clock_that_were_asked_for(nowhere: str) -> None:
    """T12: but for its reach it is the store that was wanted."""
    clock = Clock()
    store = Store.shared("shop", fuses=4, failures=8, clock=clock)
    clock.advance(5)
    assert (4, 8, 1005.0) == (store.fuse_capacity, store.failure_capacity, store.now())
    assert store.fault is not None
    assert nowhere in store.fault.path


@pytest.mark.usefixtures("nowhere")
def test_a_fallback_for_which_there_is_no_memory_is_smaller() -> None:
    """Goal 1: it keeps the failures that thresholds count on, and gives up fuses."""
    clock = Clock()
    store = Cramped.shared("shop", fuses=2048, failures=8, clock=clock)
    clock.advance(5)
    assert (1024, 8, 1005.0) == (store.fuse_capacity, store.failure_capacity, store.now())


def test_a_store_that_is_too_small_says_so_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """T08: never resize; however often somebody asks for more, it is said once."""
    assert folder.is_dir()
    with Store.shared("shop", fuses=1, failures=2):
        for _ in range(3):
            Store.shared("shop", fuses=16, failures=2)
    (record,) = caplog.records
    assert record.getMessage().endswith("A table is never resized; choose another name for a larger one.")
