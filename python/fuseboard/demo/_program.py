"""The demo from start to end: two acts in a temporary folder, then the verdict."""

import contextlib
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fuseboard import Store, StoreOpenError
from fuseboard.demo import _figures, _promises, _report
from fuseboard.demo._crew import Crew, DemoError
from fuseboard.demo._picture import Picture
from fuseboard.demo._plan import DEADLINE_SECONDS, TABLE_FUSES, Plan
from fuseboard.demo._stage import Stage, View
from fuseboard.demo._story import Story, Timetable
from fuseboard.demo._view import view

_SHARED = "one table for all workers"
_PRIVATE = "the same outage, with a table per process"
_INTERRUPTED = 130


def run(plan: Plan, *, plain: bool, as_json: bool) -> int:
    """Runs the demo and returns its exit code: 0 if all promises held, 1 if not, 130 if interrupted."""
    console = Console(stderr=as_json, highlight=False)
    began = time.monotonic()
    try:
        with _ended_by_signals(), _folder() as folder, view(console, plain=plain) as shown:
            deadline = began + DEADLINE_SECONDS
            first = _act(Picture(plan, 1, _SHARED, shared=True), folder, shown, deadline)
            second = _act(Picture(plan, 2, _PRIVATE, shared=False), folder, shown, deadline, first.timetable)
    except KeyboardInterrupt:
        console.print(Text("\nInterrupted; every process of the demo has been ended."))
        return _INTERRUPTED
    except (DemoError, StoreOpenError) as fault:
        print(f"fuseboard demo: {fault}", file=sys.stderr)
        return 1
    report = _conclude(plan, first, second, time.monotonic() - began)
    if as_json:
        print(_report.as_json(report))
    else:
        _report.show(report, console)
    return 1 if report.failed else 0


def _act(picture: Picture, folder: Path, shown: View, deadline: float, timetable: Timetable | None = None) -> Story:
    with contextlib.ExitStack() as stack:
        store = None
        if picture.shared:
            store = stack.enter_context(Store.shared(f"demo-{secrets.token_hex(4)}", fuses=TABLE_FUSES, strict=True))
        crew = stack.enter_context(Crew(folder))
        shown.draw(picture)
        story = Story(Stage(picture, crew, shown, store, deadline), timetable)
        story.play()
    return story


def _conclude(plan: Plan, first: Story, second: Story, seconds: float) -> _report.Report:
    shared, private = _figures.count(first), _figures.count(second)
    return _report.Report(plan, shared, private, _promises.judge(plan, shared, private), seconds)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder of our own that tables lie in, here and in the children; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="fuseboard-demo-") as folder:
        before = os.environ.get("FUSEBOARD_DIR")
        os.environ["FUSEBOARD_DIR"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["FUSEBOARD_DIR"]
            else:
                os.environ["FUSEBOARD_DIR"] = before


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Makes a request to end (SIGTERM, SIGHUP) unwind like a Ctrl-C, so that children and folder go too.

    Windows has no SIGHUP. There the demo ends before it has a child: it finds no shared table.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    requests = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, interrupt) for number in requests}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
