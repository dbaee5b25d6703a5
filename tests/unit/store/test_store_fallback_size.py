"""The table of the process's own that a store falls back to: its clock, its size, and what is said of it."""

from pathlib import Path
from typing import Any, Self

import pytest

from fuseboard import CircuitBreaker, Settings, Store
from fuseboard._store.table_spec import TableSpec, default_failures
from fuseboard.testing import Clock


class Cramped(Store):
    """A store of a process that may not map much."""

    @classmethod
    def _make(cls, spec: TableSpec, **how: Any) -> Self:
        if spec.name is None and spec.fuses > 1024:
            raise MemoryError
        return super()._make(spec, **how)


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
    assert record.getMessage().endswith("A table is never resized. For a larger table, use another store name.")


@pytest.mark.parametrize(
    ("fuses", "failures"),
    [(1, 256), (1024, 256), (1025, 128), (2048, 128), (4096, 64), (10_000, 16), (100_000, 16), (1 << 20, 16)],
)
def test_failures_that_nobody_asked_for_shrink_with_many_fuses(fuses: int, failures: int) -> None:
    """T13: half as many with each doubling; never fewer than three times what the default settings need."""
    assert failures == default_failures(fuses)
    store = Store.private(fuses=fuses)
    assert failures == store.failure_capacity >= 3 * Settings().threshold
    CircuitBreaker("db", store=store)


def test_ten_thousand_fuses_leave_most_of_a_containers_memory() -> None:
    """T13: 64 MB is what a container has, and the table is not all that wants to be in it."""
    assert 64_000_000 / 2 > Store.private(fuses=10_000).size_bytes
    assert 64_000_000 / 2 < Store.private(fuses=10_000, failures=256).size_bytes, "what is said counts"


def test_who_does_not_say_how_many_failures_is_not_told_that_there_are_few(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """T08: of a table that was made with few, only whoever needs more hears: by what it asks for, or by a threshold."""
    assert folder
    with Store.shared("shop", fuses=1024, failures=8):
        store = Store.shared("shop")
        CircuitBreaker("db", store=store).call(int)
        assert [] == caplog.messages
        CircuitBreaker("db", store=store, threshold=100)
        assert (
            "breaker 'db': its threshold is 8, not 100, because store 'shop' counts at most 8 failures per fuse"
            in caplog.text
        )


def test_a_threshold_says_what_store_to_make() -> None:
    """Where a store was made for very many fuses, and nobody said how many failures."""
    many = Store.private(fuses=10_000)
    with pytest.raises(ValueError, match=r"at most 16, .*, got 17; .*=Store\.shared\(name, failures=17\)$"):
        CircuitBreaker("db", store=many, threshold=17)
