"""What happened to one table, and whether it can have come about by the rules."""

import collections
import dataclasses
from collections.abc import Iterator

from checker import Operation, Verdict, linearize
from draws import AnyNumbers, PolicyNumbers
from fuse_model import FAILURE, FuseModel
from player import COUNTERS, FUSES
from policy_model import DEMAND, PolicyModel

from fuseboard.testing import Clock


@dataclasses.dataclass
class History:
    """What happened to one table."""

    seed: int
    mix: str
    numbers: AnyNumbers
    fuses: dict[str, list[Operation]]
    told: dict[str, dict[int, tuple[int, int]]]
    """What the journal tells of each fuse: states before and after, by the generation that began."""
    figures: collections.Counter[str]

    def verdicts(self, model_class: type[FuseModel] = FuseModel) -> Iterator[tuple[str, Verdict]]:
        """For each fuse, whether its operations are linearizable in an order that makes just what the journal tells."""
        if isinstance(self.numbers, PolicyNumbers) and not issubclass(model_class, PolicyModel):
            bases = (PolicyModel,) if model_class is FuseModel else (model_class, PolicyModel)
            model_class = type(model_class.__name__, bases, {})
        for name, operations in self.fuses.items():
            model = model_class(begin=Clock().now_us, **self.numbers._asdict(), told=self.told[name])
            yield name, linearize(operations, model)

    def keeps(self, model_class: type[FuseModel]) -> bool:
        """Whether the operations of all fuses are linearizable by this model."""
        return all(verdict for _, verdict in self.verdicts(model_class))

    def faults(self) -> list[str]:
        """What cannot have come about by the rules."""
        where = f"seed {self.seed}, {self.mix}, {self.numbers}"
        told = [
            f"{where}: fuse {name!r} is not linearizable:\n{verdict.explain(self.fuses[name])}"
            for name, verdict in self.verdicts()
            if not verdict
        ]
        return told + [f"{where}: fuse {name!r}: {fault}" for name in FUSES for fault in miscounted(self.fuses[name])]


def miscounted(operations: list[Operation]) -> list[str]:
    """Counters in snapshots that are not between what was counted before and what can have been counted by then.

    They are promised no more: a counter is added to after its operation, and ``reset_all`` clears them one by one.
    """
    faults = []
    resets = [each.begun for each in operations if each.word == "forget"]
    for seen in operations:
        if seen.word != "snapshot" or seen.answer is None or any(begun < (seen.ended or 0) for begun in resets):
            continue
        for name, value in zip(COUNTERS, seen.argument, strict=True):
            least = sum(_counts(each, name) for each in operations if each.ended and each.ended < seen.begun)
            most = sum(_may_count(each, name) for each in operations if each.begun < (seen.ended or 0))
            if not least <= value <= most:
                faults.append(f"{name} is {value}, not from {least} to {most}, at {seen.begun}")
    return faults


def _counts(operation: Operation, name: str) -> bool:
    answer = operation.answer or ()
    if operation.word == "admit":
        return name == {2: "probes", 3: "rejections"}.get(answer[0])
    if operation.word == "settle" and len(operation.argument) == 2:  # not one that was thrown away
        outcome = FAILURE if operation.argument[1] == DEMAND else operation.argument[1]
        return name in (COUNTERS[outcome], {2: "trips", 1: "closes", 6: "closes"}.get(answer[1]))
    return False


def _may_count(operation: Operation, name: str) -> bool:
    if operation.answer is not None:
        return _counts(operation, name)
    return name in {"admit": ("probes", "rejections"), "settle": COUNTERS}.get(operation.word, ())
