"""Mutation testing: break the shipped code in every small way a tool can think of, and see what the tests notice.

`core` and `shm` go through cargo-mutants (`cargo install --locked cargo-mutants`), which reads .cargo/mutants.toml;
`python` through mutmut, in a copy under target/mutation, because mutmut knows only packages that lie in src/; it makes
the mutants, and tools/judge.py judges them, in minutes instead of hours. These mutants are made by machines; those of
the loom models are made by hand, lie in crates/fuseboard-core/mutants and are judged by tools/mutants.py (`make
mutants`). Survivors are explained in docs/history/reliability-diary.md.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target/mutation"
QUICK = {
    "core": ["--lib", *(f"--test={name}" for name in ["machine", "edges", "journal", "looks", "rates", "returns"])],
    "shm": [
        "--lib",
        *(
            f"--test={name}"
            for name in ["create", "fork", "remove", "handles", "host", "journal", "open_errors", "store", "threads"]
        ),
    ],
}
# The first kind starts interpreters elsewhere, where mutmut does not find what it is to do.
TESTS = ["tests/unit", "tests/contract", "tests/regressions"]
# Each looks at what mutmut makes some of: what the collector finds, and what is imported.
DESELECT = [
    "--deselect=tests/unit/breaker/test_fallbacks.py::test_a_rejected_call_with_a_fallback_leaves_nothing_behind",
    "--deselect=tests/unit/test_values.py::test_the_import_brings_nothing_slow",
]
IGNORE = ["--ignore-glob=*/test_pytest_plugin*.py", "--ignore-glob=*/test_store_folder.py"]
SETTINGS = ["-p", "no:cacheprovider", *IGNORE, *DESELECT]
JUDGE = [
    "--rootdir=.",
    "-q",
    "-p",
    "judge",
    "-o",
    "timeout=60",
    "-o",
    "tmp_path_retention_policy=none",
    *SETTINGS,
    *TESTS,
]
MUTMUT = f"""
[tool.mutmut]
source_paths = ["src/fuseboard"]
only_mutate = ["src/fuseboard/_*.py", "src/fuseboard/_*/*.py", "src/fuseboard/errors.py", "src/fuseboard/testing.py"]
pytest_add_cli_args = {json.dumps(SETTINGS)}
pytest_add_cli_args_test_selection = {json.dumps(TESTS)}
"""


def run(command: list[str], folder: Path, **environment: str) -> int:
    """Runs a command; its exit code."""
    return subprocess.run(command, cwd=folder, env=os.environ | environment, check=False).returncode


def rust(part: str, more: list[str]) -> int:
    """Breaks a crate. Fewer random cases than usual: a mutant that these do not catch is worth a test of its own."""
    command = ["cargo", "mutants", "--package", f"fuseboard-{part}", "--output", str(WORK / part), *more]
    # Of building, too: building the models for each mutant takes several times as long as all else.
    return run(
        [*command, "--cargo-arg=--locked", *(f"--cargo-arg={argument}" for argument in QUICK[part])],
        ROOT,
        PROPTEST_CASES="64",
        PROPTEST_MAX_SHRINK_ITERS="0",
        CARGO_PROFILE_DEV_DEBUG="0",
    )


def python(more: list[str]) -> int:
    """Breaks the package; arguments are patterns of mutants' names. 1 if a mutant survives that was to be judged."""
    folder = WORK / "python"
    code = generate(folder)
    if code:
        return code
    names = [name for path in sorted(folder.glob("mutants/src/fuseboard/**/*.py")) for name in mutants(path)]
    names = [name for name in names if not more or any(fnmatch.fnmatchcase(name, pattern) for pattern in more)]
    caught = judge(folder, names)
    survivors = [name for name in names if caught.get(name, "not judged") in {None, "not judged"}]
    print(f"{len(names)} mutants, {len(names) - len(survivors)} caught; to see one: cd {folder} && mutmut show NAME")
    for name in survivors:
        print(f"    {'survived' if name in caught else 'NOT JUDGED'}: {name}")
    return 1 if survivors else 0


def generate(folder: Path) -> int:
    """Lets mutmut make the mutants, in a copy in which the package lies where it looks for it, and time the tests."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "python/fuseboard", folder / "src/fuseboard", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + MUTMUT
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    # Before the installed package, also for pytest's plugins, which are loaded first; Python forgets what is not there.
    mutated = folder / "mutants/src"
    mutated.mkdir(parents=True)
    # It judges as well, so it is given a few to judge: the smallest module's.
    return run([sys.executable, "-m", "mutmut", "run", "fuseboard.testing.*"], folder, PYTHONPATH=str(mutated))


def mutants(path: Path) -> list[str]:
    """The mutants in a file of mutmut's, but for those of a type given to `cast`, which does nothing when run."""
    if not path.with_name(f"{path.name}.spans").exists():
        return []
    spans = json.loads(path.with_name(f"{path.name}.spans").read_text(encoding="utf-8"))["spans"]
    names = json.loads(path.with_name(f"{path.name}.meta").read_text(encoding="utf-8"))["exit_code_by_key"]
    lines = path.read_text(encoding="utf-8").splitlines()

    def uncast(function: str) -> str:
        first, last = spans[function]
        return re.sub(r'\bcast\((None|"[^"]*"),', "cast(", "\n".join(lines[first - 1 : last])).replace(function, "")

    functions = {name: name.rpartition(".")[2] for name in names}
    originals = {name: f"{function.rpartition('__mutmut_')[0]}__mutmut_orig" for name, function in functions.items()}
    return [name for name in names if uncast(functions[name]) != uncast(originals[name])]


def judge(folder: Path, names: list[str]) -> dict[str, str | None]:
    """What caught each mutant, by name, as tools/judge.py says; one process a core."""
    parts = range(os.cpu_count() or 1)
    files = [(folder / f"mutants-{part}", folder / f"verdicts-{part}") for part in parts]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder / "mutants/src"), str(ROOT / "tools")])}
    judges = []
    for part, (mutants, verdicts) in zip(parts, files, strict=True):
        mutants.write_text("\n".join(names[part :: len(parts)]), encoding="utf-8")
        verdicts.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", *JUDGE, f"--mutants={mutants}", f"--verdicts={verdicts}"]
        judges.append(subprocess.Popen(command, cwd=folder / "mutants", env=environment))
    for process in judges:
        process.wait()
    lines = [line for _, verdicts in files if verdicts.exists() for line in verdicts.read_text().splitlines()]
    return dict(json.loads(line) for line in lines)


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
