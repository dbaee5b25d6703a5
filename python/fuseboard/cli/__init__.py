"""The command line: ``fuseboard``.

Exit codes: 0 for success, 1 if a command could not do its work or a promise did not hold, 2 for wrong use, 130 if
interrupted.
"""

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence

from fuseboard import demo
from fuseboard.cli import _journal, _show, _streams

_INTERRUPTED = 130
_EPILOG = """\
environment:
  FUSEBOARD_STORE   the store to use if none is named (default: default)
  FUSEBOARD_DIR     the folder of the tables (default: a private one in shared memory)
"""


def main(argv: Sequence[str] | None = None, *, program: str = "fuseboard") -> int:
    """Runs a command and returns its exit code.

    Args:
        argv: the arguments; None for those of this process.
        program: what the user called, for lines on usage.

    Raises:
        SystemExit: after ``--help`` and ``--version``, and for arguments that make no sense.
    """
    with _streams.escaping():
        try:
            return _run(argv, program)
        except KeyboardInterrupt:
            return _INTERRUPTED
        except OSError as fault:
            return _streams.give_up(fault)


def _run(argv: Sequence[str] | None, program: str) -> int:
    try:
        options = _parser(program).parse_args(argv)
        code: int = options.run(options)
    finally:
        sys.stdout.flush()  # here, where a reader who has left (`| head`) can still be forgiven
    return code


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="A circuit breaker that all processes of a host share. Its state stays when they end.",
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
