"""What `make wheels` refuses: a wheel with other files than it should have, or one that says where it was built."""

import zipfile
from pathlib import Path

import pytest
from wheel_build import SYSTEMS
from wheel_checks import IN_DIST_INFO, named_folders, wrong_names

MODULE = "fuseboard/_core.cpython-312-x86_64-linux-gnu.so"
RIGHT = {
    "fuseboard/__init__.py",
    "fuseboard/py.typed",
    MODULE,
    *(f"fuseboard-1.0.dist-info/{name}" for name in IN_DIST_INFO),
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The sources of a package with two files."""
    folder = tmp_path / "fuseboard"
    folder.mkdir()
    for name in ("__init__.py", "py.typed"):
        (folder / name).touch()
    return folder


def wheel(folder: Path, names: set[str], text: str = "") -> Path:
    """A wheel with files of these names, each with this text."""
    file = folder / "fuseboard-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(file, "w") as content:
        for name in names:
            content.writestr(name, text)
    return file


def test_a_wheel_holds_the_package_and_one_compiled_module(package: Path, tmp_path: Path) -> None:
    """This one does."""
    assert wrong_names(wheel(tmp_path, RIGHT), package, "3.12", SYSTEMS["x86_64"]) == []


@pytest.mark.parametrize(
    "name",
    [
        "fuseboard/_core.cpython-311-x86_64-linux-gnu.so",
        "fuseboard/_core.cpython-312-x86_64-linux-musl.so",
        "fuseboard/left_over.py",
        "tests/test_state.py",
    ],
)
def test_a_wheel_holds_nothing_else(package: Path, tmp_path: Path, name: str) -> None:
    """Such as a module that a development build left there, or tests."""
    found = wrong_names(wheel(tmp_path, RIGHT | {name}), package, "3.12", SYSTEMS["x86_64"])
    assert [f"{name} should not be there"] == found


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_wheel_lacks_nothing(package: Path, tmp_path: Path, name: str) -> None:
    """Neither of the package nor of what describes it."""
    found = wrong_names(wheel(tmp_path, RIGHT - {name}), package, "3.12", SYSTEMS["x86_64"])
    assert [f"{name} is missing"] == found


def test_a_wheel_does_not_say_where_it_was_built(tmp_path: Path) -> None:
    """A folder of that machine tells users nothing, and makes each build another one."""
    folder = Path("/somewhere/sources")
    assert named_folders(wheel(tmp_path, {MODULE}, "/cargo/pyo3/lib.rs"), {folder}) == []
    found = named_folders(wheel(tmp_path, {MODULE}, "/somewhere/sources/lib.rs"), {folder})
    assert [f"{MODULE} names {folder}"] == found
