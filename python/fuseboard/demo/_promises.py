"""What the demo promises, held against what was counted. Pure."""

import dataclasses

from fuseboard.demo._figures import Figures
from fuseboard.demo._messages import Outcome
from fuseboard.demo._plan import SLACK_SECONDS, Plan


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """A promise, what was measured, and whether it was kept."""

    promise: str
    measured: str
    held: bool


def judge(plan: Plan, shared: Figures, private: Figures) -> list[Verdict]:
    """All promises, in the order of the story."""
    return [*_of_the_trip(plan, shared), *_of_restarts(shared), *_of_probes(plan, shared), *_compared(shared, private)]


def _of_the_trip(plan: Plan, shared: Figures) -> list[Verdict]:
    most = plan.most_let_through
    return [
        Verdict(
            f"an outage costs at most {most} failures: the threshold of {plan.threshold} and what was in flight",
            f"{shared.let_through}",
            shared.let_through <= most,
        ),
        Verdict("the host raises one alarm, not one per worker", f"{shared.alarms}", shared.alarms == 1),
    ]


def _of_restarts(shared: Figures) -> list[Verdict]:
    # On a busy machine a replacement may come when a probe is due, and be the host's prober.
    after_one, after_all = (shared.first_call_after_kill,), shared.first_calls
    return [
        Verdict(
            "killed in mid-call: the replacement's first call finds the fuse open: rejected, or a probe",
            _firsts(after_one),
            _found_open(after_one),
        ),
        Verdict(
            "all workers killed: so does each replacement's",
            _firsts(after_all),
            _found_open(after_all),
        ),
        Verdict(
            "no restarted worker lets a failure through",
            f"{shared.let_through_after_restart}",
            shared.let_through_after_restart == 0,
        ),
    ]


def _of_probes(plan: Plan, shared: Figures) -> list[Verdict]:
    gap = shared.probe_gap_seconds
    workers = plan.workers
    return [
        Verdict("while a probe is out nobody else probes", f"{shared.rival_probes}", shared.rival_probes == 0),
        Verdict(
            f"a prober killed in mid-probe costs at most {plan.probe_timeout:g} s (and {SLACK_SECONDS:g} s of slack)",
            "no probe" if gap is None else f"{gap:.2f} s",
            gap is not None and gap <= plan.probe_timeout + SLACK_SECONDS,
        ),
        Verdict(
            "one probe closes the fuse for everybody",
            f"{shared.closing_probes} probe, {shared.flowing} of {workers} flow",
            (shared.closing_probes, shared.closes, shared.flowing) == (1, 1, workers),
        ),
    ]


def _compared(shared: Figures, private: Figures) -> list[Verdict]:
    return [
        Verdict(
            "a breaker per process lets more failures through",
            f"{private.let_through} against {shared.let_through}",
            private.let_through > shared.let_through,
        ),
        Verdict(
            "... and again after each restart",
            f"{private.let_through_after_restart} against {shared.let_through_after_restart}",
            private.let_through_after_restart > shared.let_through_after_restart,
        ),
    ]


def _found_open(first_calls: tuple[str, ...]) -> bool:
    return all(Outcome(outcome).found_open for outcome in first_calls)


def _firsts(first_calls: tuple[str, ...]) -> str:
    return ", ".join(f"{first_calls.count(outcome)} {outcome}" for outcome in sorted(set(first_calls), reverse=True))
