"""How an act looks while it runs: a live view in a terminal, lines elsewhere."""

import contextlib
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fuseboard.demo import _screen
from fuseboard.demo._picture import Entry, Picture
from fuseboard.demo._stage import View

_FRAME_SECONDS = 0.1


def view(console: Console, *, plain: bool) -> contextlib.AbstractContextManager[View]:
    """The view that suits a console: a live one, unless lines are wanted or it can neither move a cursor nor draw."""
    is_canvas = console.is_terminal and not console.is_dumb_terminal and _screen.can_be_shown(console.encoding)
    if plain or not is_canvas:
        return contextlib.nullcontext(PlainView(console))
    return LiveView(console)


class LiveView:
    """Draws the picture again and again in its place. A context manager; the terminal is whole again after it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._next_frame = 0.0

    def say(self, entry: Entry) -> None:
        """Nothing to do: the picture holds the line."""

    def draw(self, picture: Picture) -> None:
        """Draws, unless it has only just done so."""
        now = time.monotonic()
        if now >= self._next_frame:
            self._next_frame = now + _FRAME_SECONDS
            self._live.update(_screen.screen(picture, *self._console.size), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._live.stop()


class PlainView:
    """Prints each line of the timeline as it comes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._act = 0

    def say(self, entry: Entry) -> None:
        """Prints the line."""
        self._console.print(Text(f"{entry.at:5.1f} s  {entry.text}"), soft_wrap=True)

    def draw(self, picture: Picture) -> None:
        """Prints the title of an act when it begins."""
        if picture.number != self._act:
            self._act = picture.number
            self._console.print(Text(f"\nAct {picture.number} of 2: {picture.title}"), soft_wrap=True)
