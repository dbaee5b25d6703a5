"""The store that a command is about."""

import argparse
import sys
from collections.abc import Callable

from fuseboard._store import registry
from fuseboard._store.store import Store
from fuseboard._validation import store_name
from fuseboard.cli import _render, _whose
from fuseboard.errors import StoreOpenError


def add_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--store``."""
    parser.add_argument(
        "--store", metavar="NAME", help="the store's name (default: default; environment: FUSEBOARD_STORE)"
    )


def with_store(options: argparse.Namespace, work: Callable[[str, Store], None]) -> int:
    """Opens the store that the options name, to read it, and calls ``work(name, store)``; the command's exit code.

    It makes neither a table nor its folder: a command that only reads must not choose the size of a table that a
    service is about to make, and the service cannot use a folder that root has made.
    """
    name = options.store or registry.default_name()
    if name == registry.PRIVATE:
        hint = "FUSEBOARD_STORE names a private store, which no other process can see; use --store NAME"
        return _complain(options, 2, hint)
    try:
        store_name("store name", name)
        store = Store.existing(name)
    except ValueError as fault:
        return _complain(options, 2, f"{fault}; use another --store NAME or FUSEBOARD_STORE")
    except StoreOpenError as fault:
        return _complain(options, 1, _whose.words(options.command, options.store, fault))
    with store:
        work(name, store)
    return 0


def _complain(options: argparse.Namespace, code: int, message: str) -> int:
    print(f"fuseboard {options.command}: {_render.printable(message)}", file=sys.stderr)
    return code
