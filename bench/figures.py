"""The figures of a whole run: rows of several processes put together, and what is read off them."""

import dataclasses
import statistics
from collections.abc import Iterable

from bench.measure import Kind, Row


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A table.

    Attributes:
        title: its heading.
        bare: the row that the others are measured over; None where there is none.
        yardstick: the row whose cost over ``bare`` (or in all) the others' is divided by; None where there is none.
        unit: of its figures.
        unit_ns: how many nanoseconds that is.
    """

    title: str
    bare: str | None = None
    yardstick: str | None = None
    unit: str = "ns"
    unit_ns: float = 1.0


GROUPS = {
    "sync": Group("A guarded call, closed", "bare call", "functools.partial"),
    "async": Group("A guarded coroutine, awaited, closed", "bare await", "empty async decorator"),
    "with": Group("A call in a `with` block, closed", "bare call", "functools.partial"),
    "async with": Group("A call in an `async with` block, closed", "bare call", "empty async context manager class"),
    "rejected": Group("A rejected call, raised and caught", None, "fresh exception of our shape"),
    "failed": Group("A failing call that is recorded, raised and caught", "bare failure"),
    "live": Group("A failure that is recorded, by the failures that are live", "bare failure"),
    "store": Group("Readings", "empty loop"),
    "one of many": Group("Calls by one fuse, of so many in use", "bare call"),
    "many": Group("Reading many fuses, for each of them"),
    "start": Group("Before the first call, in fresh processes", unit="ms", unit_ns=1e6),
}
"""By key. The tables by the number of fuses come from :func:`group`."""


def group(key: str) -> Group:
    """The table of this key."""
    if key.startswith("fuses "):
        return Group(
            f"Calls by {key.removeprefix('fuses ')} fuses in turn", "bare call, in turn", "functools.partial, in turn"
        )
    return GROUPS[key]


@dataclasses.dataclass(slots=True)
class Figure:
    """A row of a table, from all the processes that measured it.

    Attributes:
        group: the table's key.
        name: the row.
        kind: whose it is.
        bests_ns: the least nanoseconds in each process.
        median_ns: of all samples of all processes.
        over_ns: what it takes over the table's bare row, at least.
        ratio: that, or what it takes in all, divided by the yardstick's.
        fault: why there are no figures.
    """

    group: str
    name: str
    kind: Kind
    bests_ns: list[float]
    median_ns: float | None
    over_ns: float | None = None
    ratio: float | None = None
    fault: str | None = None

    @property
    def best_ns(self) -> float:
        """The least of all."""
        return min(self.bests_ns)


class Figures:
    """All rows of a run, found by table and name."""

    def __init__(self, runs: Iterable[list[Row]]) -> None:
        collected: dict[tuple[str, str], list[Row]] = {}
        for rows in runs:
            for row in rows:
                collected.setdefault((row.group, row.name), []).append(row)
        self._by_name = {key: _joined(rows) for key, rows in collected.items()}
        for figure in self._by_name.values():
            if figure.bests_ns:
                self._compare(figure)

    def _compare(self, figure: Figure) -> None:
        """Measures a row over the bare one, and by the yardstick."""
        table = group(figure.group)
        bare = self.get(figure.group, table.bare)
        yardstick = self.get(figure.group, table.yardstick)
        if bare is not None and figure is not bare:
            figure.over_ns = figure.best_ns - bare.best_ns
        if yardstick is not None and figure is not bare:
            less = bare.best_ns if bare else 0.0
            figure.ratio = (figure.best_ns - less) / (yardstick.best_ns - less)

    def get(self, key: str, name: str | None) -> Figure | None:
        """A row with figures, if there is one."""
        figure = self._by_name.get((key, name or ""))
        return figure if figure is not None and figure.bests_ns else None

    def groups(self) -> list[str]:
        """The tables' keys, in the order in which they are shown."""
        order = list(GROUPS)
        keys = dict.fromkeys(key for key, _ in self._by_name)
        return sorted(keys, key=lambda key: order.index(key if key in GROUPS else "one of many"))

    def of(self, key: str) -> list[Figure]:
        """A table's rows: yardsticks and ours first, then the peers from the fastest on, then the faults."""
        rows = [figure for figure in self._by_name.values() if figure.group == key]
        peers = [figure for figure in rows if figure.kind == "peer" and figure.bests_ns]
        faults = [figure for figure in rows if not figure.bests_ns]
        others = [figure for figure in rows if figure.kind != "peer"]
        others.sort(key=lambda figure: figure.kind == "ours")
        return [*others, *sorted(peers, key=lambda figure: figure.best_ns), *faults]

    def all(self) -> list[Figure]:
        """Every row."""
        return [figure for key in self.groups() for figure in self.of(key)]


def _joined(rows: list[Row]) -> Figure:
    """One row of all the processes'."""
    samples = [row.samples_ns for row in rows if row.samples_ns]
    fault = next((row.fault for row in rows if row.fault), None)
    median = statistics.median(sample for run in samples for sample in run) if samples else None
    return Figure(rows[0].group, rows[0].name, rows[0].kind, [min(run) for run in samples], median, fault=fault)
