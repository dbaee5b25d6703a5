"""The command line: ``fuseboard``.

Exit codes: 0 for success, 1 if a command could not do its work or a promise did not hold, 2 for wrong use.
"""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Sequence

from fuseboard.cli import _journal, _show, demo

_EPILOG = """\
environment:
  FUSEBOARD_STORE   the store to use where none is named (default: default)
  FUSEBOARD_DIR     the folder that tables lie in (default: a private one in shared memory)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code.

    Args:
        argv: the arguments; None for those of this process.

    Raises:
        SystemExit: after ``--help`` and ``--version``, and for arguments that make no sense.
    """
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except OSError as fault:
        # Whoever read our output may have left, as `| head` does, which needs no word.
        if not isinstance(fault, BrokenPipeError):
            print(f"fuseboard: {fault}", file=sys.stderr)
        # The interpreter would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fuseboard",
        description="A circuit breaker whose state outlives its callers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = importlib.metadata.version("fuseboard")
    parser.add_argument("--version", action="version", version=f"fuseboard {version}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True)
    _show.add_command(commands)
    _journal.add_command(commands)
    demo.add_command(commands)
    return parser
