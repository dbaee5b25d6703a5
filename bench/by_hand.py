"""A guard written by hand in C, built where there is a compiler: what any guard costs at least."""

import importlib.machinery
import importlib.util
import mmap
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "guard by hand, in C"
_SOURCE = Path(__file__).with_suffix(".c")
_FOLDER = Path(__file__).parent.parent / "target/by_hand"
_PATIENCE = 120


def can_be_built() -> bool:
    """Whether there is a C compiler, and the interpreter's headers."""
    return shutil.which("cc") is not None and (Path(sysconfig.get_path("include")) / "Python.h").exists()


def memory() -> mmap.mmap:
    """What a guard looks at and counts in, shared with children that are forked later."""
    return mmap.mmap(-1, mmap.PAGESIZE)


def guard(function: Callable[..., Any], words: mmap.mmap | None = None) -> Callable[..., Any]:
    """The function, guarded; by memory of its own unless some is given, which it keeps.

    Raises:
        subprocess.CalledProcessError: it does not compile.
    """
    guarded: Callable[..., Any] = _module().guard(function, words or memory())
    return guarded


def _module() -> Any:
    library = _FOLDER / f"by_hand{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not library.exists() or library.stat().st_mtime < _SOURCE.stat().st_mtime:
        _FOLDER.mkdir(parents=True, exist_ok=True)
        draft = library.with_suffix(".draft")
        command = [
            "cc",
            "-O3",
            "-fPIC",
            "-shared",
            f"-I{sysconfig.get_path('include')}",
            str(_SOURCE),
            "-o",
            str(draft),
        ]
        subprocess.run(command, check=True, timeout=_PATIENCE)  # noqa: S603 - our own source
        draft.replace(library)  # whole, or not at all: another process may be about to load it
    loader = importlib.machinery.ExtensionFileLoader("by_hand", str(library))
    spec = importlib.util.spec_from_loader("by_hand", loader)
    assert spec is not None  # noqa: S101 - for the type checker
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
