"""Runs the benchmarks: ``python -m bench``."""

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import many, plots, processes, start
from bench.figures import Figures
from bench.measure import EFFORTS, Row
from bench.redis_server import redis_server
from bench.report import Run, as_markdown, write

ROOT = Path(__file__).parent.parent
PARTS = ("calls", "fuses", "processes", "start")
PATIENCE = 3_600
"""Seconds within which a process that measures must end."""
EXAMPLES = """\
examples:
  python -m bench                              all of it, about eight minutes; needs 300 MB of memory
  python -m bench --effort quick               a look, about a minute
  python -m bench --only '^async: '            guarded coroutines, with their yardsticks
  python -m bench --only 'fuseboard|grit'      us and one peer
  python -m bench --parts calls,start          two of the four parts
"""


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures what a guarded call costs, beside its yardsticks and every peer, all in the same run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--effort", choices=EFFORTS, default="full", help="how much is measured (default full)")
    parser.add_argument("--quick", dest="effort", action="store_const", const="quick", help="short for --effort quick")
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="calls whose 'table: row' matches; part calls alone"
    )
    parser.add_argument("--parts", default=None, metavar="PARTS", help=f"some of {','.join(PARTS)} (default all)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where results go (default docs/explanation/speed for a full run of all parts, else target/bench)",
    )
    found = parser.parse_args()
    found.parts = found.parts.split(",") if found.parts else ["calls"] if found.only else list(PARTS)
    unknown = set(found.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {unknown.pop()!r}; there are {', '.join(PARTS)}")
    whole = found.effort == "full" and found.parts == list(PARTS)
    found.output = found.output or ROOT / ("docs/explanation/speed" if whole else "target/bench")
    return found


@contextlib.contextmanager
def tables() -> Iterator[None]:
    """A folder in memory for the tables, taken away afterwards."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        before = os.environ.get("FUSEBOARD_DIR")
        os.environ["FUSEBOARD_DIR"] = folder
        yield
        os.environ.pop("FUSEBOARD_DIR")
        if before is not None:
            os.environ["FUSEBOARD_DIR"] = before


def suite(name: str, effort: str, only: str = "") -> list[Row]:
    """The rows of a suite, measured by a fresh process."""
    command = [sys.executable, "-m", "bench.worker", name, effort, only]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)  # noqa: S603
    return [Row(**row) for row in json.loads(done.stdout)]


def say(text: str) -> None:
    """Says what is going on."""
    print(f"\n{text}", file=sys.stderr, flush=True)


def measure(chosen: argparse.Namespace, redis: str | None) -> Run:
    """Measures all that was asked for."""
    effort, runs = EFFORTS[chosen.effort], []
    if redis is None:
        say("no redis-server here, or no pybreaker and client for it: pybreaker with Redis is not measured")
    for number in range(1, effort.runs + 1 if "calls" in chosen.parts else 1):
        say(f"calls, process {number} of {effort.runs}")
        runs.append(suite("calls", chosen.effort, chosen.only))
    crowds, sizes = [], []
    if "fuses" in chosen.parts:
        say("many fuses")
        runs.append(suite("many", chosen.effort))
        sizes = many.sizes()
    if "start" in chosen.parts:
        say("starts")
        runs.append(start.run(effort))
    if "processes" in chosen.parts:
        say("many processes")
        crowds = processes.run(effort)
    return Run(chosen.effort, Figures(runs), crowds, sizes, redis)


def main() -> None:
    """Measures, prints and writes."""
    chosen, begin = options(), time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that tables and server go away then, too
    # Nothing to ask it with where the peers are not installed. Other packages may have brought the client.
    has_peer = all(map(importlib.util.find_spec, ("redis", "pybreaker")))
    server = redis_server() if has_peer else contextlib.nullcontext()
    with tables(), server as redis:
        run = measure(chosen, redis)
    written = write(run, chosen.output)
    try:
        written += plots.draw(run, chosen.output)
    except plots.CannotDrawError as error:
        say(str(error))
    print(as_markdown(run))
    say(f"{time.monotonic() - begin:.0f} s; wrote {', '.join(path.name for path in written)} to {chosen.output}")


if __name__ == "__main__":
    main()
