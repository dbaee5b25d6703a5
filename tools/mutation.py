"""Mutation testing: break the shipped code in every small way a tool can think of, and see what the tests notice.

`core` and `shm` go through cargo-mutants (`cargo install --locked cargo-mutants`), which reads .cargo/mutants.toml;
`python` through mutmut, in a copy under target/mutation, because mutmut knows only packages that lie in src/. These
mutants are made by machines; those of the loom models are made by hand, lie in crates/fuseboard-core/mutants and are
judged by tools/mutants.py (`make model`). Survivors are explained in docs/explanation/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target/mutation"
QUICK = {
    "core": ["--lib", *(f"--test={name}" for name in ["machine", "edges", "journal"])],
    "shm": [
        "--lib",
        *(f"--test={name}" for name in ["create", "open_errors", "fork", "host", "journal", "store", "threads"]),
    ],
}
MUTMUT = """
[tool.mutmut]
source_paths = ["src/fuseboard"]
only_mutate = ["src/fuseboard/_*.py", "src/fuseboard/errors.py", "src/fuseboard/testing.py"]
# These start interpreters elsewhere, where mutmut does not find what it is to do.
pytest_add_cli_args = [
    "-p", "no:cacheprovider", "--ignore=tests/unit/test_pytest_plugin.py", "--ignore=tests/unit/test_store_folder.py",
]
pytest_add_cli_args_test_selection = ["tests/unit", "tests/contract", "tests/regressions"]
"""


def run(command: list[str], folder: Path, **environment: str) -> int:
    """Runs a command; its exit code."""
    return subprocess.run(command, cwd=folder, env=os.environ | environment, check=False).returncode


def rust(part: str, more: list[str]) -> int:
    """Breaks a crate. Fewer random cases than usual: a mutant that these do not catch is worth a test of its own."""
    command = ["cargo", "mutants", "--package", f"fuseboard-{part}", "--output", str(WORK / part), *more]
    return run(
        [*command, "--", "--locked", *QUICK[part]],
        ROOT,
        PROPTEST_CASES="64",
        PROPTEST_MAX_SHRINK_ITERS="0",
        CARGO_PROFILE_DEV_DEBUG="0",
    )


def python(more: list[str]) -> int:
    """Breaks the package, in a copy in which it lies where mutmut looks for it."""
    folder = WORK / "python"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "python/fuseboard", folder / "src/fuseboard", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + MUTMUT
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    # Before the installed package, also for pytest's plugins, which are loaded first; Python forgets what is not there.
    mutated = folder / "mutants/src"
    mutated.mkdir(parents=True)
    code = run([sys.executable, "-m", "mutmut", "run", *more], folder, PYTHONPATH=str(mutated))
    run([sys.executable, "-m", "mutmut", "results"], folder)
    return code


def main() -> int:
    """Does what the command line asks for; the largest exit code of the tools that did it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["all", *QUICK, "python"], help="any further arguments go to the part's tool")
    options, more = parser.parse_known_args()
    # All of them, whatever survives in the first.
    parts = [*QUICK, "python"] if options.part == "all" else [options.part]
    return max([python(more) if part == "python" else rust(part, more) for part in parts])


if __name__ == "__main__":
    raise SystemExit(main())
