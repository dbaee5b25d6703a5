"""Our aims, and which of them a run reaches. Nothing here fails: a machine's speed is no promise of a test."""

import dataclasses
import sys
from collections.abc import Callable, Iterator

from bench.figures import Figures
from bench.ours import LIVE, SHARED
from bench.processes import BY_HAND, ONE, OWN, PARTIAL, Crowd
from bench.start import IMPORT_BEHIND

IN_TURN = "fuseboard, guard, in turn"

STEADY = 1.1
"""How many times as much still counts as the same: two runs of one thing differ by as much."""


@dataclasses.dataclass(frozen=True, slots=True)
class Aim:
    """One aim.

    Attributes:
        what: what is aimed at.
        at_most: the limit in words.
        found: what was found in this run.
        limit: the limit as a number, in this run.
        unit: of both.
        spread: the least and the most ``found / limit``, process by process; None where one process measured it.
    """

    what: str
    at_most: str
    found: float
    limit: float
    unit: str = "ns"
    spread: tuple[float, float] | None = None

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.found <= self.limit


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """How an aim is read off the rows ``names`` of the table ``key``: both functions take their least nanoseconds."""

    what: str
    at_most: str
    key: str
    names: tuple[str, ...]
    found: Callable[..., float]
    limit: Callable[..., float]
    unit: str = "ns"


def _over(bare: float, _yardstick: float, ours: float) -> float:
    return ours - bare


def _times(factor: float) -> Callable[[float, float, float], float]:
    return lambda bare, yardstick, _ours: factor * (yardstick - bare)


def _ours(*bests: float) -> float:
    return bests[-1]


def _most_over(bare: float, *others: float) -> float:
    return max(others) - bare


def _fixed(limit: float) -> Callable[..., float]:
    return lambda *_bests: limit


_PARTIAL = ("bare call", "functools.partial")
_RECORDED = tuple(f"guarded failure, {live:,} live" for live in LIVE)
# Before CPython 3.12 a guarded function is entered by its code: that is compared with what else is written in Python.
_GUARD = (
    ("functools.partial", _PARTIAL, 1.0)
    if sys.version_info >= (3, 12)
    else ("half of an empty decorator", ("bare call", "empty decorator"), 0.5)
)
RULES = (
    _Rule("guard, over the bare call", _GUARD[0], "sync", (*_GUARD[1], SHARED), _over, _times(_GUARD[2])),
    _Rule("... a failure rate", "3 x partial", "sync", (*_PARTIAL, f"{SHARED}, failure rate"), _over, _times(3)),
    _Rule("... a slow rate", "3 x partial", "sync", (*_PARTIAL, f"{SHARED}, slow rate"), _over, _times(3)),
    _Rule(
        "async guard, over the bare await",
        "an empty async decorator",
        "async",
        ("bare await", "empty async decorator", SHARED),
        _over,
        _times(1),
    ),
    _Rule("`with breaker:`, over the bare call", "4 x partial", "with", (*_PARTIAL, SHARED), _over, _times(4)),
    _Rule(
        "`async with breaker:`",
        "an empty async context manager class + 100 ns",
        "async with",
        ("empty async context manager class", SHARED),
        _ours,
        lambda empty, _ours: empty + 100,
    ),
    _Rule(
        "rejected call, raised and caught",
        "1.5 x a fresh exception of the same shape",
        "rejected",
        ("fresh exception of our shape", SHARED),
        _ours,
        lambda fresh, _ours: 1.5 * fresh,
    ),
    _Rule("`store.state(name)`", "100 ns", "store", ("store.state(name)",), _ours, _fixed(100)),
    _Rule("state by the compiled handle", "40 ns", "store", ("the compiled handle's state()",), _ours, _fixed(40)),
    _Rule("`breaker.state`", "40 ns", "store", ("breaker.state",), _ours, _fixed(40)),
    _Rule(
        "recorded failure, over raising it",
        "300 ns",
        "failed",
        ("bare failure", SHARED),
        lambda a, b: b - a,
        _fixed(300),
    ),
    _Rule("... whatever the live failures", "300 ns", "live", ("bare failure", *_RECORDED), _most_over, _fixed(300)),
    _Rule(
        f"... with {LIVE[-1]:,} live",
        f"{STEADY} x that with none",
        "live",
        ("bare failure", _RECORDED[0], _RECORDED[-1]),
        _over,
        _times(STEADY),
    ),
    _Rule(f"`{IMPORT_BEHIND}`", "10 ms", "start", (IMPORT_BEHIND,), _ours, _fixed(10e6), "ms"),
    _Rule("opening a store", "1 ms", "start", ("fuseboard, opening a store",), _ours, _fixed(1e6), "ms"),
    _Rule("making a store", "20 ms", "start", ("fuseboard, making a store",), _ours, _fixed(20e6), "ms"),
)


def aims(figures: Figures, crowds: list[Crowd]) -> list[Aim]:
    """Every aim whose rows are there."""
    found = [aim for rule in RULES if (aim := _judged(rule, figures)) is not None]
    return [*found, *_of_fuses(figures), *_of_crowds(crowds)]


def _judged(rule: _Rule, figures: Figures) -> Aim | None:
    """A rule in this run."""
    rows = [figure for name in rule.names if (figure := figures.get(rule.key, name)) is not None]
    if len(rows) < len(rule.names):
        return None
    bests = [row.best_ns for row in rows]
    processes = list(zip(*(row.bests_ns for row in rows), strict=True))
    shares = [rule.found(*process) / rule.limit(*process) for process in processes]
    spread = (min(shares), max(shares)) if len(shares) > 1 else None
    unit_ns = 1e6 if rule.unit == "ms" else 1.0
    return Aim(rule.what, rule.at_most, rule.found(*bests) / unit_ns, rule.limit(*bests) / unit_ns, rule.unit, spread)


def _of_fuses(figures: Figures) -> Iterator[Aim]:
    """The aims about many fuses: what a call takes, and what a reading of all does."""
    guards = [row.over_ns for row in figures.of("one of many") if row.kind == "ours" and row.over_ns is not None]
    keys = [key for key in figures.groups() if key.startswith("fuses ")]
    in_turn = [row.over_ns for key in keys if (row := figures.get(key, IN_TURN)) and row.over_ns is not None]
    for what, over in (("one of them", guards), ("in turn", in_turn)):
        if over:
            most = keys[-1].removeprefix("fuses ")
            yield Aim(f"guard with {most} fuses, {what}", f"{STEADY} x that with one", over[-1], STEADY * over[0])
    for row in figures.of("many")[-3:]:
        if row.name.startswith("all_states"):
            yield Aim(f"{row.name}, for each", "100 ns", row.best_ns, 100.0)


def _of_crowds(crowds: list[Crowd]) -> Iterator[Aim]:
    """The aim that more processes get no less done: at the worst step, how many times as much as the larger crowd.

    What the machine takes from `functools.partial` as processes are added is not ours, and what all count in one place,
    in one order, costs any guard the way of one cache line from core to core.
    """
    for what in dict.fromkeys(crowd.what for crowd in crowds if crowd.what.startswith(("guarded", "recorded"))):
        for fuses in (ONE, OWN):
            counts_in_one_place = fuses == ONE and what != "guarded call"
            yardstick = (BY_HAND, ONE) if counts_in_one_place else (PARTIAL, OWN)
            fall, machine = _fall(crowds, what, fuses), _fall(crowds, *yardstick) or 1.0
            if fall is not None:
                name = f"{what}, {fuses}: throughput of fewer processes"
                yield Aim(name, f"{STEADY} x the {yardstick[0]}'s", fall, STEADY * max(1.0, machine), "x")


def _fall(crowds: list[Crowd], what: str, fuses: str) -> float | None:
    """How many times as much a crowd got done as one that is larger, at worst; None unless there are two sizes."""
    rows = [crowd.calls_per_second for crowd in crowds if (crowd.what, crowd.fuses) == (what, fuses)]
    return max((max(rows[:place]) / rows[place] for place in range(1, len(rows))), default=None)
