"""The rooms of the package and of the crates: arrows point down only, and no circle of files.

An import counts wherever it stands: in a function too, where it is only made later, and under ``TYPE_CHECKING``,
because who reads the file needs what it names. The compiled module counts as no file: what it calls is handed in.
"""

import ast
import graphlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import fuseboard

PACKAGE = Path(fuseboard.__file__).parent
FLOORS = (
    ("errors", "_state", "_validation", "_functions", "_once", "_forks"),
    ("_events",),
    ("_policy",),
    ("_store",),
    ("_breaker",),
    ("_package",),
    ("__init__",),
    ("testing",),
    ("pytest_plugin", "demo"),
    ("cli",),
    ("__main__",),
)
"""From the ground up: a room may import what stands on its own floor and below."""

COMPILED = ["_core"]

Graph = dict[str, set[str]]


def graph_of(package: Path) -> Graph:
    """By file, as its path without the suffix: the files of the package that it imports."""
    files = {path.relative_to(package).with_suffix("").as_posix(): path for path in package.rglob("*.py")}
    return {name: {_file_of(inside, files) for inside in _imports(path, package.name)} for name, path in files.items()}


def _imports(path: Path, package: str) -> Iterator[list[str]]:
    """What is imported of the package: its dotted name, without the package's own."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import, which this test does not read"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, *inside = name.split(".")
            if top == package and COMPILED != inside[:1]:
                yield inside


def _file_of(inside: list[str], files: Iterable[str]) -> str:
    """The file that is meant: a module, a folder's ``__init__``, or the one in which the last name stands."""
    for parts in (inside, [*inside, "__init__"], inside[:-1], [*inside[:-1], "__init__"]):
        if "/".join(parts) in files:
            return "/".join(parts)
    raise AssertionError(f"no file for {inside}")


def circle_in(graph: Graph) -> list[str]:
    """A circle of files, the first one again at its end; none if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def upward(graph: Graph, floors: tuple[tuple[str, ...], ...] = FLOORS) -> list[tuple[str, str]]:
    """The imports that lead up: who imports, and what."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    room_of = {name: name.partition("/")[0] for name in graph}
    return [(name, found) for name in graph for found in graph[name] if floor[room_of[found]] > floor[room_of[name]]]


def test_arrows_point_down_only() -> None:
    """Each room stands on a floor, and imports nothing from above."""
    graph = graph_of(PACKAGE)
    assert {name.partition("/")[0] for name in graph} <= {room for floor in FLOORS for room in floor}
    assert [] == upward(graph)
    # The control: the package is read at all.
    assert {"_store/store", "_policy/settings", "_validation"} <= graph["_breaker/breaker"]


def test_no_circle_of_files() -> None:
    """Also none among the files of one room."""
    assert [] == circle_in(graph_of(PACKAGE))


@pytest.mark.parametrize(
    "wrong",
    [
        "from fuseboard._breaker import breaker",
        "from fuseboard._breaker.breaker import CircuitBreaker",
        "import fuseboard._breaker.breaker",
        "def later() -> None:\n    from fuseboard._breaker.breaker import CircuitBreaker",
        "if TYPE_CHECKING:\n    from fuseboard._breaker.breaker import CircuitBreaker",
        "from fuseboard import CircuitBreaker",
        "import fuseboard",
    ],
)
def test_an_import_from_above_is_found_wherever_it_stands(tmp_path: Path, wrong: str) -> None:
    """The control of the two tests above: such a line leads up, and makes a circle."""
    package = tmp_path / "fuseboard"
    for name, text in {
        "__init__": "from fuseboard._breaker.breaker import CircuitBreaker",
        "_breaker/__init__": "",
        "_breaker/breaker": "from fuseboard._validation import shown",
        "_validation": "import re",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{name}.py").write_text(text)
    assert ([], []) == (upward(graph_of(package)), circle_in(graph_of(package)))
    (package / "_validation.py").write_text(wrong)
    assert ["_validation"] == [name for name, _ in upward(graph_of(package))]
    assert "_validation" in circle_in(graph_of(package))


CRATES = Path(__file__).parents[1] / "crates"
TEST_MODULE = re.compile(r"\n#\[cfg\([^\n]*test[^\n]*\)\]\nmod tests\b.*", re.DOTALL)
RUST_PATH = re.compile(r"(?<![\w:])(\w+(?:::\w+)*)(::\{)?")


def graph_of_crate(src: Path) -> Graph:
    """By file, as its module's path: the files of the crate that its paths lead into. Unit tests do not count."""
    files = {_module(path.relative_to(src)): path for path in src.rglob("*.rs") if path.stem != "tests"}
    return {module: set(_paths(module, path, files)) - {module} for module, path in files.items()}


def _module(path: Path) -> str:
    return path.parent.as_posix() if path.name == "mod.rs" else path.with_suffix("").as_posix()


def _paths(module: str, path: Path, files: Iterable[str]) -> Iterator[str]:
    """The files that are meant by the paths in a file: by those that begin with ``crate``, ``super`` or a submodule."""
    text = re.sub(r"//[^\n]*", "", TEST_MODULE.sub("", path.read_text(encoding="utf-8")))
    is_folder = path.name == "mod.rs"
    begins = {"crate": "", "self": module, "super": module.rpartition("/")[0]}
    for found in RUST_PATH.finditer(text):
        first, *rest = found[1].split("::")
        if not rest and not found[2]:
            continue
        if first in begins:
            inside = [*filter(None, begins[first].split("/")), *rest]
        elif is_folder and f"{module}/{first}" in files:
            inside = [*module.split("/"), first, *rest]
        else:
            continue
        names = re.findall(r"\w+", _group(text, found.end())) if found[2] else []
        for parts in [inside, *([*inside, name] for name in names)]:
            yield from _longest(parts, files)


def _group(text: str, begin: int) -> str:
    """What stands in the braces of a ``use`` that begin there."""
    depth = 1
    for end in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[begin:end]
    raise AssertionError("a brace is open at the end")


def _longest(parts: list[str], files: Iterable[str]) -> Iterator[str]:
    """The file in which a path ends, or the nearest one on the way to there."""
    ways = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    yield from [way for way in ways if way in files][:1]


@pytest.mark.parametrize("crate", ["core", "shm", "py"])
def test_no_circle_of_files_in_a_crate(crate: str) -> None:
    """As in the package. The control: the files are read at all, and one more line makes a circle."""
    graph = graph_of_crate(CRATES / f"fuseboard-{crate}/src")
    assert [] == circle_in(graph)
    user, used = next((user, next(iter(used))) for user, used in graph.items() if used)
    assert [] != circle_in(graph | {used: graph[used] | {user}})


@pytest.mark.parametrize(
    "wrong",
    [
        "use crate::word::Word;",
        "use crate::{log::Log, word::Word};",
        "fn later() -> crate::word::Word { todo!() }",
        "use super::word;",
    ],
)
def test_a_path_that_makes_a_circle_is_found(tmp_path: Path, wrong: str) -> None:
    """The control of the reader of Rust: ``word`` uses ``state``, which uses ``word``."""
    (tmp_path / "word.rs").write_text(
        "use crate::state::State;\n\n#[cfg(test)]\nmod tests {\n use crate::log::Log;\n}\n"
    )
    (tmp_path / "log.rs").write_text("use crate::word::Word;\n")
    (tmp_path / "state.rs").write_text("// crate::word\n")
    assert [] == circle_in(graph_of_crate(tmp_path))
    (tmp_path / "state.rs").write_text(wrong)
    assert "state" in circle_in(graph_of_crate(tmp_path))
