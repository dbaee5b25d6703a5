"""``fuseboard show``: what stands in a store."""

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from fuseboard._store.store import Store
from fuseboard.cli import _render, _stores, _streams

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_DESCRIPTION = """\
Shows all fuses of one of this user's stores. You can run it while services run.

columns:
  FUSE      the name, cut to fit the terminal; complete in a pipe and with --json
  STATE     closed, open, half-open, ramping, isolated or disabled
  SECONDS   how long the fuse has been in this state
  WINDOW    failures in the window that still count
  GOOD      calls that succeeded; this column and the next ones count all processes of the host
  FAILED    calls that failed
  REJECTED  calls that were rejected
  PROBES    calls that were let through to test the service
  OPENED    how often a failure opened the fuse: trips, and failed probes

A store that does not exist yet is not created: start the service first.
"""


def add_command(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "show",
        help="show the fuses of a store",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _stores.add_option(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, times in seconds (default: a table)"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    def show(name: str, store: Store) -> None:
        fuses = store.snapshot()  # before its clock is read, so that no age is below zero
        view = _render.StoreView(name, str(store.path), store.now(), fuses)
        if options.json:
            print(_render.as_json(view))
        else:
            columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            print(_render.as_table(view, columns, _streams.encoding()))

    return _stores.with_store(options, show)
