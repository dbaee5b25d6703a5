"""Which table a store asks for: its name, folder, sizes and clock."""

import os
from dataclasses import dataclass

from fuseboard import _core
from fuseboard._policy.policies import MAX_THRESHOLD
from fuseboard._validation import shown, whole

DEFAULT_FUSES = 1024
DEFAULT_FAILURES = 256
LEAST_FAILURES = 16
"""The least default for the failures of a fuse that are counted: three times what the default settings need."""
MAX_FUSES = 1 << 20


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table, as somebody asks for it."""

    name: str | None
    """The shared store's name; None for a table of the process's own."""
    folder: str | None
    """Where it lies; None for the default folder."""
    fuses: int
    failures: int
    clock: _core.Clock | None
    make: bool = True
    """Whether the table is made if it does not exist."""
    writable: bool = True
    is_folder_given: bool = False
    """Whether the caller named the folder, and not the environment; the message of an error says what to change."""

    def __post_init__(self) -> None:
        whole("fuses", self.fuses, MAX_FUSES)
        whole("failures", self.failures, MAX_THRESHOLD)
        clock: object = self.clock
        if clock is not None and not isinstance(clock, _core.Clock):
            kind = type(clock).__name__
            raise TypeError(f"clock must be a fuseboard.testing.Clock or None, got {kind}: {shown(clock)}")


def default_failures(fuses: int) -> int:
    """How many failures of a fuse a store counts by default. The more fuses, the fewer: 2 MiB in all, or more."""
    places = 1 << (fuses - 1).bit_length()
    return min(DEFAULT_FAILURES, max(LEAST_FAILURES, DEFAULT_FUSES * DEFAULT_FAILURES // places))


def folder_path(folder: object) -> str:
    """A folder's path as text.

    Raises:
        TypeError: it is no path.
    """
    try:
        return os.fsdecode(folder)  # type: ignore[arg-type]
    except TypeError:
        kind = type(folder).__name__
        raise TypeError(f"folder must be an absolute path or None, got {kind}: {shown(folder)}") from None
