"""The module that makes a breaker, whichever program it runs in. It tells services that share a table by mistake."""

import os
import sys
from types import FrameType

_MAIN = ("__main__", "__mp_main__")
"""Names of a program's first module: in the program, and in the processes that ``multiprocessing`` spawns."""
_PACKAGE = __name__.partition(".")[0]


def module_name() -> str | None:
    """The module of the nearest frame outside the package; None where there is none, as in an interactive shell."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if not isinstance(name, str) or name.partition(".")[0] != _PACKAGE:
            name = _main(frame) if name in _MAIN else name
            # A file's name may have bytes that are not text.
            return name.encode(errors="replace").decode() if isinstance(name, str) else None
        frame = frame.f_back
    return None


def _main(frame: FrameType) -> str | None:
    """The name that a program's first module would have if another module imported it.

    ``python -m shop.work`` gives ``shop.work``, ``python work.py`` gives ``work``. A shell and ``python -c`` give None.
    """
    name = getattr(frame.f_globals.get("__spec__"), "name", None)
    if isinstance(name, str) and name not in _MAIN:
        return name.removesuffix(".__main__")
    file = frame.f_globals.get("__file__")
    if not isinstance(file, str) or file.startswith("<"):  # such as <stdin>
        return None
    # No `pathlib`: it is slow to import, and a process that is out of file descriptors cannot import it.
    stem = _stem(file)
    if stem == "__main__":
        # A folder or an archive that runs as a program: its own name.
        try:
            stem = _stem(os.path.dirname(os.path.abspath(file)))  # noqa: PTH100, PTH120 - see above
        except OSError:  # the working directory was removed
            return None
    return stem or None


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - see above
