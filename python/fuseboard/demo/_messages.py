"""What the demo's processes tell the conductor, and the orders it gives the server: one JSON object a line.

All children write to one pipe. A line is far shorter than ``PIPE_BUF``, so the kernel keeps it whole, and a process
that is killed has told a thing or has not.
"""

import dataclasses
import enum
import json
import os
from typing import Any

HEALTHY, OUTAGE, RECOVERED = "healthy", "outage", "recovered"
"""The phases of the server."""

HOLD_ANY, HOLD_PROBE = "any", "probe"
"""Which request the server is to keep unanswered: the next one, or the next probe."""


class Outcome(enum.StrEnum):
    """How a worker's call ended."""

    GOOD = "good"
    FAILED = "failed"
    REJECTED = "rejected"
    PROBE_GOOD = "probe-good"
    PROBE_FAILED = "probe-failed"

    @property
    def found_open(self) -> bool:
        """Whether the call found the fuse open: it was rejected, or it was the probe, whose time had come."""
        return self not in (Outcome.GOOD, Outcome.FAILED)


@dataclasses.dataclass(frozen=True, slots=True)
class PrivateFuse:
    """The fuse of a worker that has a table of its own, as its snapshot tells it."""

    state: str
    rejections: int
    trips: int


@dataclasses.dataclass(frozen=True, slots=True)
class Called:
    """A worker's call has ended. Times are seconds of the host's monotonic clock."""

    seat: int
    life: int
    number: int
    outcome: Outcome
    began: float
    ended: float
    private: PrivateFuse | None


@dataclasses.dataclass(frozen=True, slots=True)
class Changed:
    """A worker's breaker was told of a transition."""

    seat: int
    life: int
    before: str
    after: str
    error: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Listening:
    """The server is ready."""

    port: int


@dataclasses.dataclass(frozen=True, slots=True)
class Arrived:
    """A request has reached the server."""

    seat: int
    life: int
    phase: str
    probe: bool
    held: bool
    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Requests:
    """What has reached the server in one phase.

    Attributes:
        phase: the phase.
        requests: all requests.
        probes: those that were probes.
        after_restart: those that were not, from workers that replaced a killed one.
    """

    phase: str
    requests: int
    probes: int
    after_restart: int


Message = Called | Changed | Listening | Arrived | Requests


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What the server is to do at once: change its phase, hold a request or none, release those, count all."""

    phase: str | None = None
    hold: str | None = None
    release: bool = False
    count_requests: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What a worker is to do: its argument. ``store`` names the shared store; None is for one of its own."""

    seat: int
    life: int
    url: str
    store: str | None
    threshold: int
    window: float
    reset_timeout: float
    probe_timeout: float
    calls_per_second: float


_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in (Called, Changed, Listening, Arrived, Requests)}


def send(message: Message) -> None:
    """Tells the conductor, from a child: its standard output is the pipe."""
    os.write(1, encode(message))


def encode(message: Message) -> bytes:
    """A message as one line."""
    return json.dumps([type(message).__name__, dataclasses.asdict(message)]).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line."""
    name, fields = json.loads(line)
    return _KINDS[name](**_typed(fields))


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    if "outcome" in fields:
        fields["outcome"] = Outcome(fields["outcome"])
    if fields.get("private"):
        fields["private"] = PrivateFuse(**fields["private"])
    return fields
