"""Parts of ``fuseboard demo`` that need no processes: the order of its lines, how figures are judged, what is shown."""

import io
import itertools
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("httpx")
pytest.importorskip("rich")

from rich.console import Console

from fuseboard import demo
from fuseboard.demo import _report, _screen
from fuseboard.demo._figures import Figures, count
from fuseboard.demo._messages import (
    HEALTHY,
    OUTAGE,
    RECOVERED,
    Arrived,
    Called,
    Changed,
    Listening,
    Message,
    Outcome,
    Requests,
)
from fuseboard.demo._picture import Entry, Picture
from fuseboard.demo._plan import Plan
from fuseboard.demo._promises import judge
from fuseboard.demo._stage import Stage
from fuseboard.demo._story import Story
from fuseboard.demo._view import PlainView, view

FIGURES = Figures(
    outage_seconds=8.0, sick_requests=13, let_through=8, let_through_after_restart=0, probes=5, rejections=583, trips=6,
    alarms=1, restarts=6, first_call_after_kill="rejected", first_calls=("rejected",) * 4, calls_to_find_open=1,
    seconds_to_find_open=0.0001, probe_gap_seconds=0.07, rival_probes=0, closing_probes=1, closes=1, flowing=4,
)  # fmt: skip


class Batches:
    """A crew whose children have told all this, in batches."""

    def __init__(self, batches: Sequence[Sequence[Message]]) -> None:
        self._batches = iter(batches)

    def start(self, *_arguments: str) -> SimpleNamespace:
        """Starts nobody."""
        return SimpleNamespace(pid=1)

    def check(self) -> None:
        """All is well."""

    def messages(self, _wait_seconds: float) -> Sequence[Message]:
        """The next batch."""
        return next(self._batches)


class Lines:
    """A view that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, entry: Entry) -> None:
        """Keeps the line."""
        self.said.append(entry.text)

    def draw(self, picture: Picture) -> None:
        """Draws nothing."""


class SomeStore:
    """A store in which nothing happens."""

    name = "demo"

    def snapshot(self) -> dict[str, object]:
        """No fuse yet."""
        return {}

    def now(self) -> float:
        """Some time."""
        return 0.0


def stage_of(batches: Sequence[Sequence[Message]]) -> tuple[Stage, Lines]:
    """A stage on which children have told this."""
    lines = Lines()
    crew = cast("Any", Batches([[Listening(1)], *batches]))
    picture = Picture(Plan(), 1, "", shared=True)
    return Stage(picture, crew, lines, cast("Any", SomeStore()), deadline=float("inf")), lines


def called(number: int, outcome: Outcome, *, seat: int = 0, life: int = 1) -> Called:
    """A call that took a second, one after the other."""
    return Called(seat, life, number, outcome, float(number), number + 1.0, None)


def test_what_is_waited_for_is_said_before_what_came_later() -> None:
    """A probe goes out before it fails, though the conductor hears of both at once."""
    probe = Arrived(0, 0, OUTAGE, probe=True, held=False, at=1.0)
    stage, lines = stage_of([[probe, Changed(0, 0, "half-open", "open", None)], []])
    stage.wait_for(lambda: bool(stage.picture.probes), "a probe")
    stage.say("The next probe goes out")
    with pytest.raises(StopIteration):
        stage.wait_for(lambda: False, "the end")
    assert ["The next probe goes out", "fuse: half-open -> open (seen by worker 1)"] == lines.said


def test_the_next_probe_is_waited_for_before_the_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prober was killed; another worker probes long before the replacement has started."""
    held = Arrived(0, 0, OUTAGE, probe=True, held=True, at=1.0)
    probe = Arrived(1, 0, OUTAGE, probe=True, held=False, at=2.0)
    stage, lines = stage_of(
        [[held], *[[]] * 100, [probe], [Changed(1, 0, "half-open", "open", None)], [called(1, Outcome.REJECTED)]]
    )
    for seat in range(2):
        stage.start_worker(seat)
    monkeypatch.setattr(stage, "kill_worker", stage.picture.bury)
    monkeypatch.setattr(stage, "order", lambda _order: None)
    story = Story(stage)
    monkeypatch.setattr(story, "_pause", lambda _seconds: None)
    story._kill_prober()
    words = [re.sub(r" \S+ s after| -9 \d+", "", line) for line in lines.said]
    assert [
        "Worker 1 is killed while it probes: kill",
        "The next probe goes out the kill",
        "fuse: half-open -> open (seen by worker 2)",
    ] == words


@pytest.mark.parametrize(
    ("firsts", "line", "tone"),
    [
        (["rejected"], "Its replacement's first call: rejected. Nothing is forgotten", "good"),
        (["probe-failed"], "Its replacement's first call: probe-failed. Nothing is forgotten", "good"),
        (["failed"], "Its replacement's first call: failed. All is forgotten", "bad"),
        (["rejected", "probe-failed"], "First calls of 2 replacements: rejected, probe-failed. Nothing is", "good"),
        (["rejected", "failed"], "First calls of 2 replacements: rejected, failed. Some is forgotten", "bad"),
        (["failed", "failed"], "First calls of 2 replacements: failed. All is forgotten", "bad"),
    ],
)
def test_a_probe_is_nothing_forgotten(firsts: list[str], line: str, tone: str) -> None:
    """Whoever probes has found the fuse open; it was forgotten where a closed fuse let a failure through."""
    stage, lines = stage_of([])
    lives = [stage.picture.enlist(seat, 1) for seat in range(len(firsts))]
    for life, first in zip(lives, firsts, strict=True):
        life.absorb(called(1, Outcome(first)))
    Story(stage)._say_first(lives)
    assert lines.said[0].startswith(line)
    assert tone == stage.picture.timeline[0].tone


@pytest.mark.parametrize(
    ("outcomes", "calls", "seconds", "held"),
    [
        (["rejected"], 1, 1.0, True),
        (["probe-failed", "rejected"], 1, 1.0, True),
        (["failed", "failed", "rejected"], 3, 3.0, False),
        (["failed", "probe-failed"], 2, 2.0, False),
        (["failed"], None, None, False),
    ],
)
def test_figures_and_promises_say_the_same(
    outcomes: list[str], calls: int | None, seconds: float | None, *, held: bool
) -> None:
    """A replacement that comes when a probe is due is the prober: at its first call it found the fuse open, in both."""
    stage, _ = stage_of([])
    picture = stage.picture
    picture.requests = {phase: Requests(phase, 0, 0, 0) for phase in (HEALTHY, OUTAGE, RECOVERED)}
    life = picture.enlist(0, 1)
    for number, outcome in enumerate(outcomes, 1):
        life.absorb(called(number, Outcome(outcome)))
    story = Story(stage)
    story.replaced_one = story.replaced_all = [life]
    figures = count(story)
    assert (calls, seconds) == (figures.calls_to_find_open, figures.seconds_to_find_open)
    verdicts = [verdict.held for verdict in judge(Plan(), figures, figures) if "killed in mid-call" in verdict.promise]
    assert [held] == verdicts == [figures.calls_to_find_open == 1]


def report(failed: int = 0) -> _report.Report:
    """What remains when a demo has run."""
    private = replace(FIGURES, let_through=46, let_through_after_restart=30, rejections=10**6, closes=None)
    verdicts = judge(Plan(), FIGURES, private)
    for index in range(failed):
        verdicts[index] = replace(verdicts[index], held=False)
    return _report.Report(Plan(), FIGURES, private, verdicts, 26.0)


def shown(columns: int, encoding: str = "utf-8", failed: int = 0) -> list[str]:
    """The lines of a report in so many columns, as a pipe gets them."""
    bytes_ = io.BytesIO()
    stream = io.TextIOWrapper(bytes_, encoding=encoding, errors="strict")
    _report.show(report(failed), Console(file=stream, width=columns, highlight=False))
    stream.flush()
    return bytes_.getvalue().decode(encoding).splitlines()


def line_of(title: str, lines: list[str]) -> int:
    """The number of the line with a title."""
    return [line.rstrip() for line in lines].index(title)


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_the_comparison_is_what_the_last_screen_shows(columns: int) -> None:
    """It is the point of it: whole on 24 rows, of which the shell's prompt takes one."""
    lines = shown(columns)
    promises, comparison = (line_of(title, lines) for title in ("Promises", "One outage, counted"))
    assert promises < comparison
    assert len(lines) - comparison <= 23
    assert "All promises held. 26 s." == lines[-1]


def test_a_promise_that_was_not_kept_is_said_last_and_where_it_stands() -> None:
    """The verdict is the last line."""
    lines = shown(80, failed=2)
    assert 2 == sum(line.startswith("FAILED") for line in lines)
    assert "2 of 10 promises FAILED. 26 s." == lines[-1]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_report_needs_no_character_that_an_encoding_may_lack(encoding: str) -> None:
    """Nothing is escaped in it."""
    assert len(shown(80, encoding)) == len(shown(80))


@pytest.mark.parametrize(("encoding", "lives"), [("utf-8", True), ("latin-1", False), ("ascii", False)])
def test_a_terminal_that_lacks_the_signs_gets_lines(encoding: str, *, lives: bool) -> None:
    """The live view draws with signs that a terminal may not have; its lines are ASCII."""
    assert lives is _screen.can_be_shown(encoding)
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, force_terminal=True, width=80)
    with view(console, plain=False) as found:
        assert lives is not isinstance(found, PlainView)


def test_what_is_said_is_ascii() -> None:
    """In any terminal and any log."""
    folder = Path(demo.__file__).parent
    words = itertools.chain.from_iterable(
        path.read_text().splitlines() for path in folder.glob("*.py") if path.name != "_screen.py"
    )
    assert [] == [line for line in words if not line.isascii()]


def test_what_to_install_is_what_the_extra_asks_for() -> None:
    """It is named in two places."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert list(demo._EXTRA.values()) == project["optional-dependencies"]["demo"]
