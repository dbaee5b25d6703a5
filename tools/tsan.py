"""Run the tests with real threads under ThreadSanitizer, and see that it reports a race made on purpose.

Needs a nightly toolchain with the sanitizer's runtime. The standard library is used as it comes, without
instrumentation, so what it does between threads is invisible: tools/tsan.supp names the two reports that come of it.
Exits with 0 if nothing was reported and the control was; with 3, saying so, where it cannot run at all.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg fuseboard_tsan"
TESTS = (("fuseboard-core", "models"), ("fuseboard-shm", "threads"))
CONTROL = "race::a_plain_write_beside_the_protocol_is_reported"
REPORTED = 66  # what a program exits with of which ThreadSanitizer had something to report
CANNOT = 3


def output_of(*command: str) -> str | None:
    """What a command says, or None if it cannot be run."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def why_not(toolchain: str) -> str | None:
    """What is missing, if anything."""
    version = output_of("rustc", f"+{toolchain}", "-vV")
    if version is None:
        return f"there is no Rust toolchain {toolchain!r}"
    host, root = host_of(version), output_of("rustc", f"+{toolchain}", "--print", "sysroot")
    if "nightly" not in version:
        return f"the toolchain {toolchain!r} is not a nightly one"
    if not list(Path(str(root).strip()).glob(f"lib/rustlib/{host}/lib/librustc-*_rt.tsan.*")):
        return f"the toolchain {toolchain!r} has no ThreadSanitizer for {host}"
    return None


def host_of(version: str) -> str:
    """The platform that a toolchain builds for."""
    found = re.search(r"^host: (.+)$", version, re.MULTILINE)
    return found[1] if found else "an unknown platform"


class Sanitizer:
    """Builds and runs tests under ThreadSanitizer."""

    def __init__(self, toolchain: str) -> None:
        self.cargo = ["cargo", f"+{toolchain}", "test", "--locked", "--quiet"]
        self.cargo += ["--target", host_of(output_of("rustc", f"+{toolchain}", "-vV") or "")]
        self.environment = os.environ | {
            "RUSTFLAGS": FLAGS,
            "CARGO_TARGET_DIR": str(ROOT / "target/tsan"),
            "TSAN_OPTIONS": f"suppressions={ROOT / 'tools/tsan.supp'} exitcode={REPORTED}",
        }

    def passes(self, package: str, tests: str) -> bool:
        """Runs tests; whether they passed and nothing was reported."""
        command = [*self.cargo, "--package", package, "--test", tests]
        return subprocess.run(command, cwd=ROOT, env=self.environment, check=False).returncode == 0

    def reports(self, package: str, test: str) -> bool:
        """Runs an ignored test; whether a data race was reported in it."""
        command = [*self.cargo, "--package", package, "--test", "threads", "--", "--ignored", "--exact", test]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        told = done.stdout + done.stderr
        return "1 passed" in told and "WARNING: ThreadSanitizer: data race" in told


def main() -> int:
    """Run everything; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toolchain", default="nightly", help="default: %(default)s")
    toolchain = parser.parse_args().toolchain
    missing = why_not(toolchain)
    if missing:
        print(f"NOT RUN: {missing}; nothing is known about data races.", file=sys.stderr)
        return CANNOT
    sanitizer = Sanitizer(toolchain)
    if not all(sanitizer.passes(package, tests) for package, tests in TESTS):
        print("ThreadSanitizer reported something, or a test failed; see above.", file=sys.stderr)
        return 1
    if not sanitizer.reports("fuseboard-shm", CONTROL):
        print("The race made on purpose was not reported: the silence above means nothing.", file=sys.stderr)
        return 1
    print("No data race reported; the one made on purpose was.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
