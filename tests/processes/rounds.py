"""What the rounds of a trip came to: the reports of all callers put together, and what they must say."""

from typing import Any


def rounds_of(reports: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The reports of all processes put together, round by round."""
    rounds = []
    for own in zip(*reports, strict=True):
        together = {key: sum(report[key] for report in own) for key in ("failed", "rejected")}
        together |= {key: [word for report in own for word in report[key]] for key in ("events", "logged")}
        rounds.append(together | {key: own[0][key] for key in ("state", "counters")})
    return rounds


def without_one_trip(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rounds that did not end open after exactly one transition, one event and one line in the log."""
    return [each for each in rounds if (["open"], ["open"], "open") != (each["events"], each["logged"], each["state"])]


def expected_counters(each: dict[str, Any], threshold: int) -> dict[str, int]:
    """Exactly ``threshold`` failures count towards the trip; those under way at that instant are late (R09)."""
    none = dict.fromkeys(("successes", "ignored", "probes", "closes"), 0)
    late = each["failed"] - threshold
    return none | {"failures": each["failed"], "rejections": each["rejected"], "late_outcomes": late, "trips": 1}
