"""``fuseboard journal``: what happened to a store's fuses."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fuseboard._events.transition import Transition
from fuseboard._store.store import Store
from fuseboard.cli import _render, _stores, _streams

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_LOOK = 1.0
"""Seconds after which it looks whether the table was removed, where nothing happens."""

_DESCRIPTION = """\
Shows the latest 2,048 transitions (changes of state) of the fuses in one of this user's stores, oldest first.
It also shows those of processes that have ended. You can run it while services run.

Times are in UTC. If the clock of the host is set to another time, the times of earlier transitions are
wrong by the same amount.
"""


def add_command(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "journal",
        help="show what happened to the fuses of a store",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _stores.add_option(parser)
    parser.add_argument(
        "--follow",
        action="store_true",
        help="also show new transitions as they come, until Ctrl-C (default: print and exit)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object a line, with `at` in seconds of the host's clock (default: plain lines of text)",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    def show(name: str, store: Store) -> None:
        # Ctrl-C is how one ends it, so no error.
        with contextlib.suppress(KeyboardInterrupt):
            _print(name, store, options)

    return _stores.with_store(options, show)


def _print(name: str, store: Store, options: argparse.Namespace) -> None:
    found = False
    for made in _followed(store) if options.follow else store.journal():
        found = True
        print(_line(made, as_json=options.json), flush=options.follow)
    if store.journal_dropped:
        dropped = f"{store.journal_dropped} others were dropped: they were too old, or their fuse was removed"
        print(f"fuseboard journal: {dropped}", file=sys.stderr)
    if not found:
        path = _render.printable(str(store.path))
        print(
            f"fuseboard journal: store {name!r} has no transition in its journal; its table is {path}", file=sys.stderr
        )


def _line(made: Transition, *, as_json: bool) -> str:
    if as_json:
        return _render.transition_as_json(made)
    return _render.transition_as_line(made, _streams.encoding())


def _followed(store: Store) -> Iterator[Transition]:
    """Those that were and those to come, without a gap in between."""
    stream, reported_lost, was_removed = store.events("oldest"), 0, False
    while True:
        made = stream.take(_LOOK)
        if was_removed is not store.is_removed:
            was_removed = not was_removed
            _say("the table was removed; waiting for another one" if was_removed else f"continues with {store.path}")
        if stream.lost > reported_lost:
            _say(f"{stream.lost - reported_lost} transitions were dropped before they were read")
            reported_lost = stream.lost
        if made is not None:
            yield made


def _say(words: str) -> None:
    print(f"fuseboard journal: {_render.printable(words)}", file=sys.stderr)
