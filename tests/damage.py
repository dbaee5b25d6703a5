"""A table's file as words: what killed processes and accidents leave there."""

import mmap
from pathlib import Path

WORD = 8
STATE_BITS = 16
"""A transition's generation stands above these, in the word that says what is told and in its record."""


def words_of(path: Path) -> memoryview:
    """The words of a table's file, to read and to write."""
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")


def die_untold(path: Path, generation: int) -> None:
    """Leaves a fuse's last transition as a process does that is killed behind it, with its ticket taken or not.

    What stands in the fuse stays. What says that the journal knows of it goes back to nothing, and so does the record.
    """
    words = words_of(path)
    stamped = [place for place, word in enumerate(words) if word >> STATE_BITS == generation]
    _fuse, told = (place for place in stamped if 0 < words[place] & 0xFFFF < 8)
    (record,) = (place for place in stamped if words[place] & 0xFF00)
    words[told] = words[record] = 0
