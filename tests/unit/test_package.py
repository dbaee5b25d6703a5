"""What the package hands in to the compiled part, which imports nothing of it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Store, _core, _package

STUB = Path(_core.__file__).parent / "_core.pyi"
BY_ITSELF = """
import importlib.util, sys

spec = importlib.util.spec_from_file_location("fuseboard._core", sys.argv[1])
core = importlib.util.module_from_spec(spec)
spec.loader.exec_module(core)
store = core.Store(None, None, 1, 1)
asked = [
    lambda: core.FuseState(None),
    lambda: core.check_name(7),
    lambda: core.Breaker()._admit(),
    lambda: core.Breaker().state,
    lambda: store.state("db").state,
    lambda: core.guard(core.Breaker(), int)(),
]
for ask in asked:
    try:
        print(repr(ask()))
    except RuntimeError as error:
        print(error)
"""


@pytest.fixture
def restored() -> Iterator[None]:
    """Afterwards the package is handed in as it was."""
    yield
    _core.install(_package._Package())


class Recorder:
    """The package, but for what is missing; notes what is asked for."""

    def __init__(self, missing: str | None = None) -> None:
        self.asked: set[str] = set()
        self.missing = missing

    def __getattr__(self, name: str) -> object:
        if name == self.missing:
            raise AttributeError(name)
        self.asked.add(name)
        return getattr(_package._Package(), name)


def names_of_the_protocol() -> set[str]:
    """What ``_core.Package`` has, by the stub."""
    classes = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ClassDef)]
    (protocol,) = [node for node in classes if node.name == "Package"]
    return {node.name for node in protocol.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.usefixtures("restored")
def test_the_protocol_has_what_is_taken_and_no_more() -> None:
    """So mypy, which compares the package with the protocol, compares it with the compiled part."""
    recorder = Recorder()
    _core.install(recorder)  # type: ignore[arg-type]
    assert names_of_the_protocol() == recorder.asked


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name", sorted(names_of_the_protocol()))
def test_a_package_that_lacks_something_is_refused(name: str) -> None:
    """And what was handed in before stays."""
    with pytest.raises(AttributeError, match=name):
        _core.install(Recorder(missing=name))  # type: ignore[arg-type]
    assert 1 == CircuitBreaker("db", store=Store.private()).call(lambda: 1)


def test_the_compiled_part_by_itself_says_that_it_is_of_no_use() -> None:
    """Nothing crashes, and a guarded call goes on (goal 1)."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", BY_ITSELF, _core.__file__], capture_output=True, text=True, check=False, timeout=60
    )
    refused = "fuseboard._core is of no use by itself: import fuseboard, which tells it what to call"
    answers = done.stdout.splitlines()
    assert (0, 6) == (done.returncode, len(answers)), done.stderr
    assert [refused] * 2 == answers[:2]
    assert answers[2].startswith("<fuseboard._core.Permit object")
    assert [refused, refused, "0"] == answers[3:]
