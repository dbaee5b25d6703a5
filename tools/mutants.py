"""Show that the models of fuseboard-core catch what they should: break the protocol on purpose, and expect a failure.

Each patch in crates/fuseboard-core/mutants breaks one thing in the shipped code. Its first line names the models that
must notice: "# file::test file::test". A mutant is caught if each of these models fails when loom explores it, in its
short form or in its full one. The mutant must build, and without it the models must pass in the form in which they
caught it.

Some mutant must name each model made by hand: a model that none names might be unable to fail. Pairs are judged by
one check, so not every beginning needs a mutant. The exit code is 1 if a mutant survives, does not build or no longer
applies, or if no mutant names a model.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
CRATE = Path("crates/fuseboard-core")
FILES = ("Cargo.lock", "clippy.toml", "rust-toolchain.toml")
MODELS = "models"
PAIRS = "pairs"
FULL = {"FUSEBOARD_MODELS": "full"}
FAILED = 101  # what a Rust test binary exits with when a test fails


class MutantError(Exception):
    """What keeps a mutant from being judged, or it from being caught."""


@dataclass(frozen=True)
class Mutant:
    """A patch and the models that must catch it."""

    patch: Path
    models: tuple[str, ...]

    @classmethod
    def read(cls, patch: Path) -> Mutant:
        """Read the names of the models from the patch's first line."""
        first = patch.read_text(encoding="utf-8").partition("\n")[0]
        if not re.fullmatch(r"#( \w+::\w+)+", first):
            raise MutantError(f"{patch.name}: the first line must be '# file::test ...', not {first!r}")
        return cls(patch, tuple(first.split()[1:]))


def check_names(mutants: list[Mutant]) -> None:
    """Raises if there is a model made by hand that no mutant names."""
    named = {model for mutant in mutants for model in mutant.models}
    tests = {
        f"{path.stem}::{test}"
        for path in (ROOT / CRATE / "tests" / MODELS).glob("*.rs")
        for test in re.findall(r"#\[test\]\s+fn (\w+)", path.read_text(encoding="utf-8"))
        if path.stem != PAIRS
    }
    idle = sorted(tests - named)
    if idle:
        raise MutantError(f"models that no mutant names: {', '.join(idle)}")


class Copy:
    """A copy of the crate, alone in a workspace of its own, to be broken and mended. Holds no state but its files."""

    def __init__(self, folder: Path, target: Path, timeout: float) -> None:
        self.crate = folder / CRATE
        self.folder = folder
        self.timeout = timeout
        self.environment = os.environ | {
            "RUSTFLAGS": "--cfg fuseboard_loom",
            "CARGO_TARGET_DIR": str(target),
            "CARGO_PROFILE_LOOM_OPT_LEVEL": "1",
            "CARGO_PROFILE_LOOM_INCREMENTAL": "true",
            "RUST_BACKTRACE": "0",
        }
        folder.mkdir()
        for name in FILES:
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, folder / name)
        workspace = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
        workspace = re.sub(r"(?m)^members = .*$", f'members = ["{CRATE}"]', workspace)
        (folder / "Cargo.toml").write_text(workspace, encoding="utf-8")
        # Plain copies, with new times: cargo takes what an earlier run built of a mutant for current otherwise.
        shutil.copytree(ROOT / CRATE, self.crate, copy_function=shutil.copyfile)

    def mend(self) -> None:
        """Put the shipped sources back, with new times, so that cargo builds them again."""
        shutil.rmtree(self.crate / "src")
        shutil.copytree(ROOT / CRATE / "src", self.crate / "src", copy_function=shutil.copyfile)

    def break_by(self, patch: Path) -> None:
        """Apply a patch to the shipped sources."""
        self.mend()
        command = ["patch", "-p1", "--batch", "--fuzz=1", "--no-backup-if-mismatch", "-i", str(patch)]
        done = subprocess.run(command, cwd=self.crate, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MutantError(f"does not apply: {done.stdout.strip()}")

    def build(self) -> Path:
        """Build the models; the path of their program."""
        command = ["cargo", "test", "-p", CRATE.name, "--profile", "loom", "--test", MODELS, "--no-run"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        program = re.search(r"Executable .*\((.+)\)", done.stderr)
        if done.returncode != 0 or program is None:
            errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
            raise MutantError(f"does not build: {'; '.join(errors)}")
        return self.folder / program[1]

    def explore(self, program: Path, test: str, form: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run one model to its end or its first failure."""
        command = [str(program), "--exact", test, "--nocapture"]
        environment = self.environment | form
        try:
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=self.timeout
            )
        except subprocess.TimeoutExpired:
            raise MutantError(f"{test} is not done after {self.timeout:.0f} s") from None


def faults_of_shipped(copy: Copy, models: set[str], form: dict[str, str], pool: ThreadPoolExecutor) -> dict[str, str]:
    """Run models on the shipped code; for each that does not pass there, or does not exist, what it said."""
    copy.mend()
    program = copy.build()
    print(f"{len(models)} models on the shipped code{', in their full form' if form else ''}", flush=True)
    faults = {}
    tests = sorted(models)
    for test, done in zip(tests, pool.map(lambda test: copy.explore(program, test, form), tests), strict=True):
        if done.returncode != 0 or "1 passed" not in done.stdout:
            faults[test] = f"{test} does not pass on the shipped code:\n{done.stdout}{done.stderr}"
            print(faults[test], file=sys.stderr)
    return faults


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the models that caught it in their full form only, and what to say."""

    is_caught: bool
    words: str
    full: frozenset[str] = frozenset()


def judge(copy: Copy, mutant: Mutant, faults: dict[str, str]) -> Verdict:
    """Break the code and expect the model to fail."""
    for test in mutant.models:
        if test in faults:
            raise MutantError(f"not judged: {test} does not pass on the shipped code")
    copy.break_by(mutant.patch)
    start = time.monotonic()
    program = copy.build()
    forms = {test: failed_in(copy, program, test) for test in mutant.models}
    named = ", ".join(f"{test}{form}" for test, form in forms.items())
    full = frozenset(test for test, form in forms.items() if form)
    return Verdict(True, f"caught by {named}, {time.monotonic() - start:.1f} s", full)


def failed_in(copy: Copy, program: Path, test: str) -> str:
    """Which form of a model fails on a mutant: nothing for the short one; raises where neither does."""
    for form, name in (({}, ""), (FULL, " (full)")):
        done = copy.explore(program, test, form)
        if done.returncode == FAILED and "panicked at" in done.stdout + done.stderr:
            return name
        if done.returncode != 0:
            raise MutantError(f"ended with {done.returncode}, not with a failed test:\n{done.stderr}")
    raise MutantError(f"SURVIVED {test}")


def run(mutants: list[Mutant], target: Path, timeout: float, *, trust: bool) -> int:
    """Judge the mutants, one a core at once, a line each in their order; how many were not caught."""
    jobs = range(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="fuseboard-mutants-") as folder, ThreadPoolExecutor(len(jobs)) as pool:
        copies = [Copy(Path(folder, str(job)), target / str(job), timeout) for job in jobs]
        models = {model for mutant in mutants for model in mutant.models}
        faults = {} if trust else faults_of_shipped(copies[0], models, {}, pool)
        idle: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            idle.put(copy)

        def verdict_on(mutant: Mutant) -> Verdict:
            copy = idle.get()
            try:
                return judge(copy, mutant, faults)
            except MutantError as error:
                return Verdict(False, str(error))
            finally:
                idle.put(copy)

        missed, full = 0, set[str]()
        for number, (mutant, verdict) in enumerate(zip(mutants, pool.map(verdict_on, mutants), strict=True), 1):
            missed += not verdict.is_caught
            full |= verdict.full
            print(f"[{number}/{len(mutants)}] {mutant.patch.stem}: {verdict.words}", flush=True)
        # Few models need their full form, which takes minutes. What these say is worth nothing if they fail anyway.
        if full and not trust:
            missed += len(faults_of_shipped(copies[0], full, FULL, pool))
    return missed


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="mutants to judge, by name without .patch; default: all")
    parser.add_argument(
        "--target-dir", type=Path, default=ROOT / "target/mutants", help="where to build; default: %(default)s"
    )
    parser.add_argument(
        "--timeout", type=float, default=300, metavar="SECONDS", help="per model; default: %(default)s s"
    )
    parser.add_argument("--trust-shipped", action="store_true", help="the models just passed on the shipped code")
    return parser.parse_args()


def main() -> int:
    """Judge what the command line asks for; the exit code."""
    options = parse()
    patches = sorted((ROOT / CRATE / "mutants").glob("*.patch"))
    unknown = set(options.names) - {patch.stem for patch in patches}
    if unknown or not patches:
        print(f"no such mutant: {', '.join(sorted(unknown)) or 'there are none'}", file=sys.stderr)
        return 2
    try:
        every = [Mutant.read(patch) for patch in patches]
        check_names(every)
        mutants = [mutant for mutant in every if not options.names or mutant.patch.stem in options.names]
        missed = run(mutants, options.target_dir.resolve(), options.timeout, trust=options.trust_shipped)
    except MutantError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(mutants) - missed} of {len(mutants)} mutants caught")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
