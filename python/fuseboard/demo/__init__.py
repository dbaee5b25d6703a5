"""``fuseboard demo``: the promises, kept before your eyes by real processes, real sockets and real kills.

One program, four kinds of process. The *conductor* (this one) starts an HTTP *server* on the loopback interface and a
crew of *workers* that call it, lets the server fall sick, kills workers, and watches. The *server* counts what really
reaches it. The story is told twice on one timetable: with one table for all workers, then with one per process.

Read ``_story`` for what happens, ``worker`` for what a service would contain, ``_promises`` for what is checked.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from fuseboard.demo._plan import MAX_THRESHOLD, MAX_WORKERS, MIN_WORKERS, Plan

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_DESCRIPTION = """\
Runs a server that fails, and workers that call it through one circuit breaker. Kills one worker,
then all workers, then a worker in the middle of its probe. Then does the same with a breaker per
process, and compares what reached the server. Takes half a minute, uses only 127.0.0.1 and a
temporary folder, and leaves nothing behind.

Exit code: 0 if all promises held, 1 if not, 2 for wrong use, 130 if interrupted.
"""

_EXTRA = {"httpx": "httpx>=0.27", "rich": "rich>=13"}
"""What the extra ``demo`` asks for, by module. Named one by one, so that it can be had from wherever we came."""


def add_command(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser. Needs nothing of the extra."""
    parser = commands.add_parser(
        "demo",
        help="watch workers die while the state of their fuse stays",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="No option has an environment variable.",
    )
    parser.add_argument(
        "--workers", metavar="N", type=_whole(MIN_WORKERS, MAX_WORKERS), default=Plan.workers,
        help="worker processes, %(type)s (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", metavar="N", type=_whole(1, MAX_THRESHOLD), default=Plan.threshold,
        help="failures that open the fuse, %(type)s (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--plain", action="store_true", help="print lines (default: a live view, in a terminal)")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the figures as one JSON object, progress to stderr (default: a table)",
    )
    parser.set_defaults(run=_run)


class _whole:  # noqa: N801 - reads as a type, which is what argparse calls it
    """A whole number from ``least`` to ``most``."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, text: str) -> int:
        """Converts the argument."""
        if not text.isdecimal() or not self.least <= int(text) <= self.most:
            raise argparse.ArgumentTypeError(f"must be a whole number {self!r}, got {text!r}")
        return int(text)

    def __repr__(self) -> str:
        return f"from {self.least} to {self.most}"


def _run(options: argparse.Namespace) -> int:
    try:
        import httpx  # noqa: F401, PLC0415 - the workers need it; its absence is to show here

        from fuseboard.demo import _program  # noqa: PLC0415 - needs rich
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        wanted = " ".join(f"'{requirement}'" for requirement in _EXTRA.values())
        print(f"fuseboard demo: needs {package}: {sys.executable} -m pip install {wanted}", file=sys.stderr)
        return 2
    plan = Plan(workers=options.workers, threshold=options.threshold)
    return _program.run(plan, plain=options.plain, as_json=options.json)
