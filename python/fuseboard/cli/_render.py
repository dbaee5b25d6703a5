"""Snapshots and transitions as text: lines for people, JSON for programs. Pure."""

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping

from fuseboard._core import FuseSnapshot
from fuseboard._journal import Transition

_HEAD = ("FUSE", "STATE", "SECONDS", "WINDOW", "GOOD", "FAILED", "REJECTED", "PROBES", "TRIPS")

_GAP = 2
_SHORTEST_NAME = 12

_COUNTERS = (
    "generation",
    "window_failures",
    "successes",
    "failures",
    "ignored",
    "rejections",
    "late",
    "probes",
    "trips",
    "closes",
    "settings_changes",
    "streak",
)

_EMPTY = """\
Store {store!r} has no fuses yet; its table is {path}
A fuse appears at the first call of its breaker. If you expect some, see that the service runs as this user,
with the same store name (--store or FUSEBOARD_STORE) and the same FUSEBOARD_DIR."""


@dataclasses.dataclass(frozen=True, slots=True)
class StoreView:
    """A store at one moment: its name, where its table lies, its clock, and its fuses by name."""

    store: str
    path: str
    now: float
    fuses: Mapping[str, FuseSnapshot]


def as_table(view: StoreView, columns: int | None = None, encoding: str = "utf-8") -> str:
    """The fuses by name, one a line; or what to look at if there are none.

    SECONDS is how long the fuse has been in its state, WINDOW the failures since its last success or change of state.
    Long names are shortened where lines would not fit into so many columns.
    """
    if not view.fuses:
        return _EMPTY.format(store=view.store, path=printable(view.path, encoding))
    rows = [_HEAD, *(_row(view.now, view.fuses[name], encoding) for name in sorted(view.fuses))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if columns is not None:
        beside = sum(_GAP + width for width in widths[1:])
        widths[0] = min(widths[0], max(_SHORTEST_NAME, columns - beside))
    return "\n".join(_line((_shortened(row[0], widths[0]), *row[1:]), widths) for row in rows)


def as_json(view: StoreView) -> str:
    """One object: the store's name and path, its clock, and the fuses by name, with all counters. Times in seconds."""
    described = {name: _facts(view.now, view.fuses[name]) for name in sorted(view.fuses)}
    return json.dumps({"store": view.store, "path": view.path, "now": view.now, "fuses": described}, indent=2)


def transition_as_line(made: Transition, unix_seconds: float, encoding: str = "utf-8") -> str:
    """A transition for people: the time of day in UTC, the fuse, both states, why, and by which process."""
    why = made.cause.value if made.error is None else f"{made.cause.value}, {printable(made.error, encoding)}"
    who = "" if made.pid is None else f" by process {made.pid}"
    fuse = printable(made.fuse, encoding)
    return f"{_utc(unix_seconds)}  {fuse}: {made.before.value} -> {made.after.value} ({why}){who}"


def transition_as_json(made: Transition, unix_seconds: float) -> str:
    """A transition as one object on one line."""
    words = {"before": made.before.value, "after": made.after.value, "cause": made.cause.value}
    facts = {"at": made.at, "fuse": made.fuse, **words, "error": made.error, "pid": made.pid}
    return json.dumps({"time": _utc(unix_seconds), **facts, "generation": made.generation})


def printable(text: str, encoding: str = "utf-8") -> str:
    r"""A name, a path or a message as a terminal may show it.

    They may be any text: what would move the cursor or break the line is escaped (``\x1b``), and so is what the
    encoding lacks (``\u0444``). JSON has the text itself.
    """
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _utc(unix_seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(unix_seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _row(now: float, fuse: FuseSnapshot, encoding: str) -> tuple[str, ...]:
    age = "-" if fuse.since is None else f"{max(0.0, now - fuse.since):.1f}"
    counters = (fuse.window_failures, fuse.successes, fuse.failures, fuse.rejections, fuse.probes, fuse.trips)
    return (printable(fuse.name, encoding), fuse.state.value, age, *map(str, counters))


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    words, numbers = 2, len(widths)
    left = [row[i].ljust(widths[i]) for i in range(words)]
    right = [row[i].rjust(widths[i]) for i in range(words, numbers)]
    return (" " * _GAP).join(left + right)


def _shortened(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 3]}..."


def _facts(now: float, fuse: FuseSnapshot) -> dict[str, object]:
    def age(moment: float | None) -> float | None:
        return None if moment is None else round(max(0.0, now - moment), 6)

    times = {"for_seconds": age(fuse.since), "last_failure_seconds_ago": age(fuse.last_failure)}
    return {"state": fuse.state.value, **times, **{counter: getattr(fuse, counter) for counter in _COUNTERS}}
