"""The figures of an act: what was counted, none of it computed from what should be."""

import dataclasses

from fuseboard.demo._messages import OUTAGE, RECOVERED, Outcome
from fuseboard.demo._picture import Life
from fuseboard.demo._story import Story


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """One act in figures. Counted by the server, by the workers' tables, or from what the workers told.

    Attributes:
        outage_seconds: how long the server was sick.
        sick_requests: requests that reached it while it was (the server's count).
        let_through: those that were not probes: failures that a closed fuse let through.
        let_through_after_restart: those of them from workers that replaced a killed one.
        probes: those that were probes.
        rejections: calls rejected without a request (the tables' count).
        trips: times that a failure, a probe's included, opened a fuse (the tables' count).
        alarms: closed to open, as often as any worker was told of it.
        restarts: workers that replaced a killed one.
        first_calls: how the first calls of those that replaced all ended.
        first_call_after_kill: how the first call of the one that replaced the worker killed in mid-call ended.
        calls_to_find_open: the most calls that a replacement needed to find its fuse open, by a rejection or as its
            prober; None if none did.
        seconds_to_find_open: the longest time from the beginning of a replacement's first call to that one's end.
        probe_gap_seconds: from the kill of a prober in mid-probe to the next probe.
        rival_probes: probes of others while that prober lived.
        closing_probes: probes that reached the server when it was well again.
        closes: times that a probe closed the shared fuse; None with private ones.
        flowing: workers whose calls passed at the end.
    """

    outage_seconds: float
    sick_requests: int
    let_through: int
    let_through_after_restart: int
    probes: int
    rejections: int
    trips: int
    alarms: int
    restarts: int
    first_call_after_kill: str
    first_calls: tuple[str, ...]
    calls_to_find_open: int | None
    seconds_to_find_open: float | None
    probe_gap_seconds: float | None
    rival_probes: int | None
    closing_probes: int
    closes: int | None
    flowing: int


def count(story: Story) -> Figures:
    """The figures of an act that has been played."""
    picture = story.picture
    sick, well = picture.requests[OUTAGE], picture.requests[RECOVERED]
    found_open = _found_open(story.replaced_one + story.replaced_all)
    return Figures(
        outage_seconds=round(story.outage_seconds, 2),
        sick_requests=sick.requests,
        let_through=sick.requests - sick.probes,
        let_through_after_restart=sick.after_restart,
        probes=sick.probes,
        rejections=picture.total("rejections"),
        trips=picture.total("trips"),
        alarms=picture.alarms,
        restarts=sum(life.number > 0 for life in picture.lives),
        first_call_after_kill=_firsts(story.replaced_one)[0],
        first_calls=_firsts(story.replaced_all),
        calls_to_find_open=max((calls for calls, _ in found_open), default=None),
        seconds_to_find_open=max((seconds for _, seconds in found_open), default=None),
        probe_gap_seconds=None if story.probe_gap is None else round(story.probe_gap, 3),
        rival_probes=story.rival_probes,
        closing_probes=well.probes,
        closes=picture.fuse.closes if picture.fuse else None,
        flowing=sum(life.last is Outcome.GOOD for life in picture.current.values()),
    )


def _firsts(lives: list[Life]) -> tuple[str, ...]:
    return tuple(life.first.outcome.value for life in lives if life.first)


def _found_open(lives: list[Life]) -> list[tuple[int, float]]:
    """How many calls, and seconds since its first began, each worker needed until one found the fuse open."""
    found = [(life.first, life.found_open) for life in lives]
    return [(call.number, round(call.ended - first.began, 4)) for first, call in found if first and call]
