"""What ``help()`` and editors show: every public name has words, and the stub and the compiled module say the same."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fuseboard
from fuseboard import _core

STUB = Path(fuseboard.__file__).with_name("_core.pyi")
CLASSES = [getattr(fuseboard, name) for name in fuseboard.__all__ if isinstance(getattr(fuseboard, name), type)]


def is_told_by_its_class(cls: type, name: str) -> bool:
    """Whether the list of attributes or arguments in the class's docstring has it: a slot has no place for words."""
    return any(re.search(rf"^ +{name}: ", each.__doc__ or "", re.MULTILINE) for each in cls.__mro__)


def members() -> Iterator[tuple[type, str]]:
    """What people may use of the classes in ``fuseboard.__all__``, but for what Python's own classes give them."""
    for cls in CLASSES:
        for name in dir(cls):
            owner = next((each for each in cls.__mro__ if name in vars(each)), object)
            if not name.startswith("_") and owner.__module__.startswith("fuseboard"):
                yield cls, name


@pytest.mark.parametrize("name", fuseboard.__all__)
def test_every_public_name_has_words(name: str) -> None:
    """A class or function says what it is for."""
    assert getattr(fuseboard, name).__doc__


@pytest.mark.parametrize(("cls", "name"), [*members()], ids=lambda it: it if isinstance(it, str) else it.__name__)
def test_every_public_member_has_words(cls: type, name: str) -> None:
    """Inherited and compiled ones too; an attribute that is a slot has them in its class."""
    assert inspect.getdoc(inspect.getattr_static(cls, name)) or is_told_by_its_class(cls, name)


def stubbed() -> Iterator[tuple[str, str]]:
    """Names in the stub that have a docstring there, and what it says. Private ones may say other things to us.

    What is only there for type checkers has no counterpart in the compiled module.
    """
    for node in ast.parse(STUB.read_text()).body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or "type_check_only" in map(
            ast.unparse, node.decorator_list
        ):
            continue
        inside = [each for each in node.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
        for path, each in [(node.name, node), *((f"{node.name}.{each.name}", each) for each in inside)]:
            words = ast.get_docstring(each)
            if words:
                yield path, words


@pytest.mark.parametrize(("path", "words"), [pytest.param(path, words, id=path) for path, words in stubbed()])
def test_the_stub_and_the_compiled_module_say_the_same(path: str, words: str) -> None:
    """Word for word: who reads the one need not read the other."""
    found: Any = _core
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    assert words == inspect.cleandoc(found.__doc__)


def test_there_is_something_to_compare() -> None:
    """The tests above find the names that there are."""
    paths, found = [path for path, _ in stubbed()], [(cls.__name__, name) for cls, name in members()]
    assert {"Store.snapshot", "FuseSnapshot.late_outcomes", "Breaker.state", "check_name"} <= set(paths)
    assert {("Store", "snapshot"), ("CircuitBreaker", "state"), ("Settings", "window")} <= set(found)
