"""What processes do that follow a store by a cursor they keep in a file. Free of pytest."""

import json
import os
from pathlib import Path

from event_scenes import END, Heard, plain
from workers import Post

from fuseboard import Store


class Diary:
    """A file of transitions, each with the cursor behind it on its line: written in one step, so both or neither."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        whole = path.read_bytes().rpartition(b"\n")[0]
        # A kill may have left half a line, of which nothing is known.
        os.truncate(self._file, len(whole) + 1 if whole else 0)
        self.lines = [json.loads(line) for line in whole.splitlines()]

    @property
    def heard(self) -> list[Heard]:
        """The transitions."""
        return [tuple(line[0]) for line in self.lines]

    def since(self, forgets: int) -> str:
        """The cursor behind the last line; or behind one before it, as of somebody who keeps it too late."""
        lines = self.lines[: len(self.lines) - forgets]
        return str(lines[-1][1]) if lines else "oldest"

    def write(self, heard: Heard, cursor: str) -> None:
        """Adds a line."""
        os.write(self._file, json.dumps([heard, cursor]).encode() + b"\n")


def follow(post: Post, name: str, path: Path, forgets: int) -> bool:
    """Goes on where the diary ends, until it is killed or hears the end; whether it went on at a cursor."""
    diary = Diary(path)
    stream = Store.existing(name).events(diary.since(forgets))
    post.say("at it")
    if diary.heard and diary.heard[-1][0] == END:
        return stream.is_resumed
    for made in stream:
        diary.write(plain(made), stream.cursor)
        if made.fuse == END:
            break
    return stream.is_resumed
