"""A picture as something rich can draw, 80 columns by 24 lines or more. Pure."""

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fuseboard._state import State
from fuseboard.demo._messages import OUTAGE, Outcome
from fuseboard.demo._picture import KILLED, Life, Picture
from fuseboard.demo._plan import FUSE

_GLYPHS = {
    Outcome.GOOD.value: ("●", "green"),
    Outcome.FAILED.value: ("✗", "bold red"),
    Outcome.REJECTED.value: ("○", "yellow"),
    Outcome.PROBE_GOOD.value: ("◆", "bold green"),
    Outcome.PROBE_FAILED.value: ("◆", "bold magenta"),
    KILLED: ("†", "bold white on red"),
}
_STATES = {
    State.CLOSED.value: "bold white on green4",
    State.OPEN.value: "bold white on red3",
    State.HALF_OPEN.value: "bold black on yellow",
}
_TONES = {"note": "", "bad": "bold red", "good": "green", "fuse": "cyan"}
_FIXED_LINES = 12
_LEAST_LINES = 4


def can_be_shown(encoding: str) -> bool:
    """Whether an encoding has the signs that calls are drawn with."""
    try:
        "".join(sign for sign, _ in _GLYPHS.values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def screen(picture: Picture, width: int, height: int) -> RenderableType:
    """The whole screen."""
    lines = max(_LEAST_LINES, height - _FIXED_LINES - picture.plan.workers)
    return Group(
        _title(picture, width),
        _banners(picture),
        _workers(picture, width),
        _legend(),
        _counters(picture),
        _timeline(picture, lines),
    )


def _title(picture: Picture, width: int) -> Text:
    left, right = f" Act {picture.number} of 2: {picture.title}", f"{picture.elapsed:.1f} s "
    return Text(left + right.rjust(width - len(left)), style="bold reverse", no_wrap=True)


def _banners(picture: Picture) -> Table:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(_fuse(picture), _server(picture))
    return grid


def _fuse(picture: Picture) -> Panel:
    if not picture.shared:
        states = [life.private.state for life in picture.current.values() if life.private]
        words = [f"{states.count(state.value)} {state.value}" for state in State if state.value in states]
        return _banner(f"{picture.plan.workers} FUSES", "bold white on grey37", ", ".join(words), "one per process")
    state = picture.fuse.state if picture.fuse else State.CLOSED
    word = " ".join(state.value.upper())
    return _banner(word, _STATES[state.value], _fuse_hint(picture, state), f"fuse {FUSE!r}, one for the host")


def _fuse_hint(picture: Picture, state: State) -> str:
    if state is State.OPEN:
        left = max(0.0, picture.plan.reset_timeout - picture.fuse_age)
        return f"calls are rejected; probe in {left:.1f} s"
    return "a probe is out; others are rejected" if state is State.HALF_OPEN else "calls pass"


def _server(picture: Picture) -> Panel:
    sick = picture.phase == OUTAGE
    word = "S I C K" if sick else "H E A L T H Y"
    style = _STATES[State.OPEN.value if sick else State.CLOSED.value]
    hint = f"answers {500 if sick else 200}; {picture.arrivals[picture.phase]} requests"
    return _banner(word, style, hint, f"server 127.0.0.1:{picture.port or '...'}")


def _banner(word: str, style: str, hint: str, title: str) -> Panel:
    block = Text(f"\n{word}\n", style=style, justify="center")
    content = Group(Padding(block, style=style), Text(hint, justify="center", no_wrap=True))
    return Panel(content, title=title, box=box.ROUNDED, padding=0, border_style=style.rpartition(" ")[2])


def _workers(picture: Picture, width: int) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), show_header=False)
    for column_width in (8, 11, 9):
        table.add_column(width=column_width, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True)
    room = max(10, width - 8 - 11 - 9 - 8)
    for seat in sorted(picture.strips):
        life = picture.current.get(seat)
        table.add_row(
            f"worker {seat + 1}", _pid(life), _private_state(life), _strip(list(picture.strips[seat])[-room:])
        )
    return table


def _pid(life: Life | None) -> Text:
    return Text("killed", style="bold red") if life is None else Text(f"pid {life.pid}", style="dim")


def _private_state(life: Life | None) -> Text:
    if life is None or life.private is None:
        return Text(f"{life.calls} calls" if life else "", style="dim")
    return Text(life.private.state, style=_STATES.get(life.private.state, ""))


def _strip(outcomes: list[str]) -> Text:
    strip = Text(no_wrap=True)
    for outcome in outcomes:
        strip.append(*_GLYPHS[outcome])
    return strip


def _counters(picture: Picture) -> Text:
    probes = sum(probe.phase == OUTAGE for probe in picture.probes)
    line = Text(" ", no_wrap=True)
    for word, number in (
        ("let through", picture.arrivals[OUTAGE] - probes),
        ("probes", probes),
        ("rejected", picture.total("rejections")),
        ("trips", picture.total("trips")),
        ("alarms", picture.alarms),
        ("restarts", sum(life.number > 0 for life in picture.lives)),
    ):
        line.append(f"{word} ").append(f"{number}   ", "bold")
    return line


def _legend() -> Text:
    legend = Text(" ", no_wrap=True)
    for outcome, word in (("good", "good"), ("failed", "failed"), ("rejected", "rejected at once")):
        legend.append(*_GLYPHS[outcome]).append(f" {word}   ", "dim")
    legend.append(*_GLYPHS["probe-failed"]).append(" probe   ", "dim")
    return legend.append(*_GLYPHS[KILLED]).append(" killed, replaced", "dim")


def _timeline(picture: Picture, lines: int) -> Panel:
    entries = picture.timeline[-lines:]
    text = Text("\n", no_wrap=True, overflow="ellipsis").join(
        Text(f"{entry.at:5.1f} s  {entry.text}", style=_TONES[entry.tone]) for entry in entries
    )
    text.append("\n" * (lines - len(entries)))
    text.no_wrap, text.overflow = True, "ellipsis"
    return Panel(text, title="what happens", box=box.ROUNDED, padding=(0, 1), height=lines + 2, border_style="dim")
