"""A process that measures calls and says its rows as JSON: ``python -m bench.worker SUITE EFFORT [ONLY]``."""

import dataclasses
import json
import logging
import re
import sys

from bench import calls, many
from bench.measure import EFFORTS, Row
from bench.ours import FAILURES
from fuseboard import Store


def rows(suite: str, effort: str, only: str) -> list[Row]:
    """The rows of a suite, ``calls`` or ``many``."""
    if suite == "many":
        return many.run(EFFORTS[effort])
    pattern = re.compile(only)
    with (
        Store.shared("bench", failures=FAILURES, strict=True) as shared,
        Store.private(failures=FAILURES) as private,
    ):
        return calls.run(shared, private, EFFORTS[effort], lambda group, name: bool(pattern.search(f"{group}: {name}")))


def main() -> None:
    """Measures and prints."""
    logging.disable(logging.CRITICAL)
    suite, effort, *only = sys.argv[1:]
    found = rows(suite, effort, only[0] if only else "")
    print(json.dumps([dataclasses.asdict(row) for row in found]))


if __name__ == "__main__":
    main()
