"""The module that makes a breaker: whose it is, whichever program it runs in."""

import os
import sys
from types import FrameType

_MAIN = ("__main__", "__mp_main__")
"""What the first module of a program is called: in it, and in the processes that ``multiprocessing`` spawns."""
_PACKAGE = __name__.partition(".")[0]


def module_name() -> str | None:
    """The module of the nearest frame outside the package; None where there is none, as in an interactive shell."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if not isinstance(name, str) or name.partition(".")[0] != _PACKAGE:
            name = _main(frame) if name in _MAIN else name
            # A file's name may hold bytes that are no text.
            return name.encode(errors="replace").decode() if isinstance(name, str) else None
        frame = frame.f_back
    return None


def _main(frame: FrameType) -> str | None:
    """What the first module of a program would be called if another one imported it.

    By ``python -m shop.work`` it is ``shop.work``, by ``python work.py`` it is ``work``. A shell and ``python -c`` have
    none.
    """
    name = getattr(frame.f_globals.get("__spec__"), "name", None)
    if isinstance(name, str) and name not in _MAIN:
        return name.removesuffix(".__main__")
    file = frame.f_globals.get("__file__")
    if not isinstance(file, str) or file.startswith("<"):  # such as <stdin>
        return None
    # No `pathlib`: it is slow to import, and in a process that is out of file descriptors it cannot be.
    stem = _stem(file)
    if stem == "__main__":
        # A folder or an archive that is run as a program is called as it is.
        try:
            stem = _stem(os.path.dirname(os.path.abspath(file)))  # noqa: PTH100, PTH120 - see above
        except OSError:  # the working directory was removed
            return None
    return stem or None


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - see above
