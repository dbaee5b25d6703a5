"""What the breaker of a key takes of a process: ``python -m bench.keys``. The table and the keys are apart."""

import gc
import subprocess
import sys
from pathlib import Path

from bench.__main__ import tables
from fuseboard import CircuitBreaker, Store
from fuseboard._store import registry

KEYS = 50_000
KINDS = ("a store that is given", "the default store")


def anonymous_bytes() -> int:
    """What this process has of its own, and shares with no other: a shared table is no part of it."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def bytes_of_a_key(kind: str, keys: int) -> int:
    """Bytes for the breaker of one key that has made a call."""
    with tables(), Store.shared("bench-keys", fuses=2 * keys, failures=16, strict=True) as store:
        breaker = CircuitBreaker("tenants", store=store if kind == KINDS[0] else None)
        registry.replace_default(store)
        names = [f"tenant-{number}" for number in range(keys)]
        breaker.for_key("first").call(int)
        before = anonymous_bytes()
        for name in names:
            breaker.for_key(name).call(int)
        return (anonymous_bytes() - before) // keys


def main() -> None:
    """Measures each kind in a process of its own, or the one that it was told to."""
    if len(sys.argv) > 1:
        print(bytes_of_a_key(sys.argv[1], KEYS))
        return
    for kind in KINDS:
        command = [sys.executable, "-m", "bench.keys", kind]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - ourselves
        print(f"{int(done.stdout):,} bytes for a key of a breaker on {kind}")


if __name__ == "__main__":
    main()
