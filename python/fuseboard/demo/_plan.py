"""The demo's numbers, the same in both acts."""

import dataclasses

MIN_WORKERS = 2
MAX_WORKERS = 8
MAX_THRESHOLD = 20

FUSE = "payments"
"""The fuse that all workers call by."""

TABLE_FUSES = 8
"""Room in each table; one fuse is used."""

GOOD_CALLS = 10
"""Calls in a row that each worker makes before its traffic counts as flowing."""

SLACK_SECONDS = 3.0
"""What a promise about time allows for a machine that is busy with other things."""

PATIENCE_SECONDS = 30.0
"""How long any one thing may be waited for."""

DEADLINE_SECONDS = 100
"""How long the demo may take before it gives up."""

LIFETIME_SECONDS = 120
"""How long any child of it may live, whatever happens."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many workers there are, and by which settings they decide.

    ``clear_on_success`` is off: a good answer sent just before the outage may arrive after the first failures, and must
    not clear them if the count is to be exact.
    """

    workers: int = 4
    threshold: int = 5
    window: float = 10.0
    reset_timeout: float = 2.0
    probe_timeout: float = 1.5
    calls_per_second: float = 20.0

    @property
    def most_let_through(self) -> int:
        """Failures that may reach the server: up to the threshold, and what the others had in flight at that moment."""
        return self.threshold + self.workers - 1
