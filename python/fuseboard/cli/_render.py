"""Snapshots and transitions as text: lines for people, JSON for programs. Pure."""

import dataclasses
import json
import unicodedata
from collections.abc import Mapping

from fuseboard._core import FuseSnapshot
from fuseboard._events.transition import Transition, in_utc

_HEAD = ("FUSE", "STATE", "SECONDS", "WINDOW", "GOOD", "FAILED", "REJECTED", "PROBES", "OPENED")

_GAP = 2
_CUT = "..."
_SHORTEST_NAME = 12
_LONG_NAME = 40

_COUNTERS = (
    "generation",
    "window_failures",
    "successes",
    "failures",
    "ignored",
    "rejections",
    "late_outcomes",
    "probes",
    "trips",
    "closes",
    "settings_changes",
    "failed_probes",
    "slow",
)

_EMPTY = """\
Store {store!r} has no fuses yet; its table is {path}
A fuse appears at the first call of its breaker. If you expect some, check that the service runs as this user,
with the same store name (--store or FUSEBOARD_STORE) and the same FUSEBOARD_DIR."""


@dataclasses.dataclass(frozen=True, slots=True)
class StoreView:
    """A store at one moment: its name, where its table lies, its clock, and its fuses by name."""

    store: str
    path: str
    now: float
    fuses: Mapping[str, FuseSnapshot]


def as_table(view: StoreView, columns: int | None = None, encoding: str = "utf-8") -> str:
    """Which store it is, then the fuses by name, one a line; or what to look at if there are none.

    Names are shortened in their middle where lines would not fit into so many columns. Where there is no limit, as in a
    pipe, all are whole, and one that is very long moves its own line alone.
    """
    path = printable(view.path, encoding)
    if not view.fuses:
        return _EMPTY.format(store=view.store, path=path)
    rows = [_HEAD, *(_row(view.now, view.fuses[name], encoding) for name in sorted(view.fuses))]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    if columns is None:
        widths[0] = min(widths[0], _LONG_NAME)
    else:
        beside = sum(_GAP + width for width in widths[1:])
        widths[0] = min(widths[0], max(_SHORTEST_NAME, columns - beside))
        rows = [(_shortened(row[0], widths[0]), *row[1:]) for row in rows]
    return "\n".join([f"store {view.store!r}, table {path}", *(_line(row, widths) for row in rows)])


def as_json(view: StoreView) -> str:
    """One object: the store's name and path, its clock, and the fuses by name, with all counters. Times in seconds."""
    described = {name: _facts(view.now, view.fuses[name]) for name in sorted(view.fuses)}
    return json.dumps({"store": view.store, "path": view.path, "now": view.now, "fuses": described}, indent=2)


def transition_as_line(made: Transition, encoding: str = "utf-8") -> str:
    """A transition for people: the time of day in UTC, the fuse, both states, why, and by which process."""
    process = "" if made.pid is None else f" by process {made.pid}"
    fuse, reason = printable(made.fuse, encoding), printable(made._reason, encoding)
    return f"{in_utc(made.time)}  {fuse}: {made.before.value} -> {made.after.value} ({reason}){process}"


def transition_as_json(made: Transition) -> str:
    """A transition as one object on one line."""
    words = {"before": made.before.value, "after": made.after.value, "cause": made.cause.value}
    facts = {"at": made.at, "fuse": made.fuse, **words, "error": made.error, "pid": made.pid}
    said = {"until": made.until, "who": made.who, "why": made.why}
    return json.dumps({"time": in_utc(made.time), **facts, **said, "generation": made.generation})


def printable(text: str, encoding: str = "utf-8") -> str:
    r"""A name, a path or a message as a terminal may show it.

    They may be any text: what would move the cursor or break the line is escaped (``\x1b``), and so is what the
    encoding lacks (``\u0444``). JSON has the text itself.
    """
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _row(now: float, fuse: FuseSnapshot, encoding: str) -> tuple[str, ...]:
    age = "-" if fuse.since is None else f"{max(0.0, now - fuse.since):.1f}"
    counters = (fuse.window_failures, fuse.successes, fuse.failures, fuse.rejections, fuse.probes, fuse.trips)
    return (printable(fuse.name, encoding), fuse.state.value, age, *map(str, counters))


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    words = 2
    left = [cell + " " * (width - _width(cell)) for cell, width in zip(row[:words], widths[:words], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(row[words:], widths[words:], strict=True)]
    return (" " * _GAP).join(left + right)


def _shortened(name: str, width: int) -> str:
    """A name in so many columns: its beginning and, since keys stand there, its end."""
    if _width(name) <= width:
        return name
    head, tail = (width - _width(_CUT) + 1) // 2, (width - _width(_CUT)) // 2
    return f"{_within(name, head)}{_CUT}{_within(name[::-1], tail)[::-1]}"


def _within(text: str, width: int) -> str:
    """As much of a text's beginning as takes so many columns."""
    for length in range(len(text), -1, -1):
        if _width(text[:length]) <= width:
            break
    return text[:length]


def _width(text: str) -> int:
    """How many columns of a terminal a text takes: two for each wide character, none for a mark on another one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _facts(now: float, fuse: FuseSnapshot) -> dict[str, object]:
    def age(moment: float | None) -> float | None:
        return None if moment is None else round(max(0.0, now - moment), 6)

    left = None if fuse.until is None else round(max(0.0, fuse.until - now), 6)
    times = {"for_seconds": age(fuse.since), "last_failure_seconds_ago": age(fuse.last_failure)}
    override = {"override_ends_in_seconds": left, "who": fuse.who, "why": fuse.why}
    return {
        "state": fuse.state.value,
        "module": fuse.module,
        **times,
        **override,
        **{counter: getattr(fuse, counter) for counter in _COUNTERS},
    }
