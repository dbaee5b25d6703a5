"""A store that is open already is still asked for by arguments, and closed by what it was opened with."""

import gc
import weakref
from pathlib import Path

import pytest

from fuseboard import Store
from fuseboard._store import registry


@pytest.mark.parametrize(("argument", "value"), [("fuses", 0), ("failures", 4096), ("fuses", "8")])
@pytest.mark.usefixtures("folder")
def test_arguments_are_checked_for_an_open_store_too(argument: str, value: object) -> None:
    """What the docstring says it raises does not hang on who was first."""
    Store.shared("shop")
    with pytest.raises((TypeError, ValueError), match=f"^{argument} must be "):
        Store.shared("shop", **{argument: value})


@pytest.mark.usefixtures("folder")
def test_a_wish_for_more_is_told_for_an_open_store_too(caplog: pytest.LogCaptureFixture) -> None:
    """T08: a later opener that asked for more is warned, in the same process as in another."""
    Store.shared("shop", failures=16)
    assert 16 == Store.shared("shop", failures=64).failure_capacity
    (record,) = caplog.records
    assert record.getMessage().startswith("store 'shop' was created for 1024 fuses and 16 failures; ")


def test_a_store_closes_whatever_the_environment_says_by_then(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``close`` lets go of the table it was opened on, though ``FUSEBOARD_DIR`` names another folder now."""
    store = Store.shared("shop")
    monkeypatch.delenv("FUSEBOARD_DIR")
    store.close()
    reference = weakref.ref(store)
    del store
    gc.collect()
    assert reference() is None
    assert ("shop", str(folder)) not in registry.shared
