"""Whose a fuse is: the module that made it, whichever program it ran in."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuseboard import CircuitBreaker, Store
from fuseboard._store import registry

CALL = "from fuseboard import CircuitBreaker\nCircuitBreaker('payments').call(int)\n"
SEEN = "from fuseboard import Store\nprint(Store.default().snapshot()['payments'].module)\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with two services: a package with three modules, and two programs of one file each."""
    for name in ("shop", "billing"):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(CALL)
        (package / "payments.py").write_text(CALL)
        (package / "web.py").write_text(f"import {name}.payments\n")
        (package / "breakers.py").write_text(
            "from fuseboard import CircuitBreaker\n"
            "class Breaker(CircuitBreaker):\n"
            "    def __init__(self, name):\n"
            "        super().__init__(name)\n"
            "def make(name):\n"
            "    return CircuitBreaker(name)\n"
        )
    (tmp_path / "work.py").write_text(CALL)
    (tmp_path / "imports.py").write_text("import shop.payments\n")
    (tmp_path / "spawns.py").write_text(
        "import multiprocessing\n"
        f"def work():\n    {CALL.replace(chr(10), '; ')}\n"
        "if __name__ == '__main__':\n"
        "    child = multiprocessing.get_context('spawn').Process(target=work)\n"
        "    child.start(); child.join()\n"
    )
    return tmp_path


Runs = Callable[..., str]


@pytest.fixture
def runs(home: Path) -> Runs:
    """Runs Python as a service of this user's, all in one folder of tables; what it wrote to its log."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own programs
            [sys.executable, *arguments], cwd=home, input=stdin, capture_output=True, text=True, check=True,
            env={"FUSEBOARD_DIR": str(home / "tables"), **environment},
        )  # fmt: skip
        return done.stderr + done.stdout

    return run


@pytest.mark.parametrize(
    ("program", "module"),
    [
        (["-m", "shop.payments"], "shop.payments"),
        (["-m", "shop.web"], "shop.payments"),
        (["imports.py"], "shop.payments"),
        (["-c", "import shop.payments"], "shop.payments"),
        (["-m", "shop"], "shop"),
        (["shop"], "shop"),
        (["work.py"], "work"),
        (["-m", "work"], "work"),
        (["spawns.py"], "spawns"),
        (["-c", "import shop.breakers; shop.breakers.make('payments').call(int)"], "shop.breakers"),
        (["-c", "import shop.breakers; shop.breakers.Breaker('payments').call(int)"], "shop.breakers"),
        (["-c", CALL], "None"),
        (["-c", "from fuseboard import *; CircuitBreaker('payments').reset()"], "None"),
    ],
)
def test_the_module_is_the_one_whose_code_makes_the_breaker(runs: Runs, program: list[str], module: str) -> None:
    """As it is imported, whichever program imports it; a program of one file is called as if it were imported."""
    runs(*program)
    assert module == runs("-c", SEEN).strip()


def test_a_folder_that_is_run_where_one_is_is_called_as_it_is(runs: Runs, home: Path) -> None:
    """``python .`` is ``python shop`` from within."""
    program = "import os, runpy; os.chdir('shop'); runpy.run_path('.', run_name='__main__')"
    runs("-c", program)
    assert (home / "shop").is_dir()
    assert "shop" == runs("-c", SEEN).strip()


def test_a_shell_has_none(runs: Runs) -> None:
    """Nor has what comes by a pipe: it is whoever's who types it."""
    runs("-i", stdin=CALL)
    runs("-", stdin=CALL)
    assert "None" == runs("-c", SEEN).strip()


def test_two_services_in_the_default_store_are_told_how_to_part(runs: Runs) -> None:
    """The second one, once in each of its processes; not the first one, nor an operator in a shell."""
    assert "" == runs("-m", "shop.web") == runs("-m", "shop.payments")
    told = runs("-m", "billing.payments")
    assert "" == runs("-c", CALL) == runs("-i", "-q", stdin=CALL).replace(">>> ", "").strip().replace("0", "")
    assert told.startswith(
        "fuse 'payments': module 'shop.payments' created this fuse in the store 'default', which all "
    )
    assert "and module 'billing.payments' uses it too." in told
    assert 1 == told.count("\n")
    assert "" == runs("-m", "shop.web")


@pytest.mark.parametrize("store", ["billing", "default", ":private:"])
def test_who_has_named_its_store_is_told_nothing(runs: Runs, store: str) -> None:
    """It shares by choice, or with nobody."""
    runs("-m", "shop.payments")
    assert "" == runs("-m", "billing.payments", FUSEBOARD_STORE=store)


def in_module(name: str, **arguments: Any) -> CircuitBreaker:
    """A breaker that a module of this name makes."""
    names: dict[str, Any] = {"__name__": name, "CircuitBreaker": CircuitBreaker, "arguments": arguments}
    exec("made = CircuitBreaker('db', **arguments)", names)  # noqa: S102 - our own program
    made: CircuitBreaker = names["made"]
    return made


@pytest.fixture
def default_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that all programs of this user have if nobody names one."""
    assert folder
    monkeypatch.delenv("FUSEBOARD_STORE", raising=False)
    registry.replace_default(None)
    return Store.default()


def test_it_is_told_once_for_two_modules_however_many_breakers_they_make(
    default_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """And for all keys of one together."""
    assert default_store.is_shared
    for _ in range(5):
        for module in ("shop", "billing"):
            breaker = in_module(module)
            breaker.call(int)
            breaker.for_key(7).call(int)
            breaker.for_key(8).call(int)
    (message,) = caplog.messages
    assert message.startswith("fuse 'db': module 'shop' created this fuse in the store 'default'")
    in_module("mail").call(int)
    assert 2 == len(caplog.messages)


def test_a_store_that_was_given_is_shared_by_choice(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The snapshot says who made the fuse."""
    for module in ("shop", "billing"):
        in_module(module, store=store).call(int)
    assert ([], "shop") == (caplog.messages, store.snapshot()["db"].module)


def test_who_makes_no_call_makes_no_fuse(store: Store) -> None:
    """A breaker that is only looked at or commanded, and a raw operation, are nobody's."""
    breaker = in_module("shop", store=store)
    breaker.isolate()
    breaker.reset()
    store.record_failure("db", 1)
    assert None is store.snapshot()["db"].module
    breaker.call(int)
    assert "shop" == store.snapshot()["db"].module


def test_a_fuse_that_was_removed_or_forgotten_is_the_next_ones(store: Store) -> None:
    """R28: its maker goes with it; and ``reset_all`` forgets it too, until a breaker comes anew."""
    in_module("shop", store=store).call(int)
    assert store.remove("db")
    in_module("billing", store=store).call(int)
    assert "billing" == store.snapshot()["db"].module
    store.reset_all()
    store.record_success("db")
    assert None is store.snapshot()["db"].module
    in_module("mail", store=store).call(int)
    assert "mail" == store.snapshot()["db"].module


@pytest.mark.parametrize(
    ("module", "seen"),
    [("p" * 55, "p" * 55), ("p" * 56, "p" * 46 + "~"), ("é" * 30, "é" * 23 + "~"), ("a\udc80b", "a?b"), ("", None)],
)
def test_any_name_of_a_module_has_a_place(store: Store, module: str, seen: str | None) -> None:
    """Of a long one its beginning and a hash; what is no text is written as question marks."""
    in_module(module, store=store).call(int)
    found = store.snapshot()["db"].module
    assert seen == (found and found[: len(seen or "")])
    assert len((found or "").encode()) <= 55


def test_a_breaker_that_was_pickled_is_of_the_module_that_made_it(folder: Path) -> None:
    """Not of the one whose code unpickles it, such as that of a pool of processes."""
    assert folder
    store = Store.shared("shop", fuses=8)
    pickle.loads(pickle.dumps(in_module("shop", store=store))).call(int)  # noqa: S301 - ours
    assert "shop" == store.snapshot()["db"].module


def test_code_without_a_module_is_nobodys(store: Store) -> None:
    """Such as a template that is run with names of its own."""
    names: dict[str, Any] = {"CircuitBreaker": CircuitBreaker, "store": store, "__name__": None}
    exec("CircuitBreaker('db', store=store).call(int)", names)  # noqa: S102 - our own program
    assert None is store.snapshot()["db"].module


def test_a_programs_own_breaker_is_made_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal 1: in a process that is out of file descriptors an import fails, and a breaker is made all the same."""
    monkeypatch.setitem(sys.modules, "pathlib", None)
    program = {"__name__": "__main__", "__file__": "jobs/nightly.py", "CircuitBreaker": CircuitBreaker}
    exec("made = CircuitBreaker('db')", program)  # noqa: S102 - ours
    assert "nightly" == program["made"]._definition.module  # type: ignore[attr-defined]
