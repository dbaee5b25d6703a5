"""The benchmarks run, and measure what they say. How fast anything is, no test says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import timers, versions
from bench.aims import RULES
from bench.figures import Figures, group
from bench.instructions import Instructions, write
from bench.measure import TINY, Subject, measure
from bench.yardsticks import ServiceError, failing, plain

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 100


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the smallest run there is has written its results to."""
    folder = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "bench", "--effort", "tiny", "--output", str(folder)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FUSEBOARD_")}
    done = subprocess.run(  # noqa: S603 - ours
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(results: Path) -> Any:
    """What that run wrote for programs."""
    return json.loads((results / "results.json").read_text())


def test_everything_of_ours_and_every_yardstick_yields_a_positive_number(found: Any) -> None:
    """No figure is missing, and none is made up of nothing."""
    rows = [row for row in found["figures"] if row["kind"] != "peer"]
    assert len(rows) >= 60
    assert [] == [
        row["name"] for row in rows if row["fault"] or not (row["median_ns"] > 0 and min(row["bests_ns"]) > 0)
    ]
    assert [] == [
        crowd for crowd in found["crowds"] if not (crowd["calls_per_second"] > 0 and crowd["processor_ns"] > 0)
    ]
    assert [] == [size for size in found["sizes"] if not size["bytes_per_fuse"] > 0]


def test_every_peer_is_measured_or_it_is_said_why_not(found: Any) -> None:
    """Peers are an extra: without it each of their rows says so."""
    rows = [row for row in found["figures"] if row["kind"] == "peer"]
    names = {row["name"] for row in rows}
    assert {"pybreaker", "circuitbreaker", "aiobreaker", "purgatory", "fluxgate", "interlock-cb"} <= names
    assert {"nopanic", "hyx", "lasier", "pyresilience", "grit-toolkit", "pybreaker, Redis"} <= names
    assert [] == [row["name"] for row in rows if bool(row["bests_ns"]) == bool(row["fault"])]


def test_every_aim_is_judged(found: Any) -> None:
    """An aim whose rows were renamed would silently not be looked at."""
    judged = {aim["what"] for aim in found["aims"]}
    assert {rule.what for rule in RULES} <= judged
    assert {"guard with 10 fuses, in turn", "all_states(), 10 fuses, for each"} <= judged
    assert 8 == sum("throughput" in what for what in judged)


def test_the_report_holds_every_row(results: Path, found: Any) -> None:
    """What was measured, people can read."""
    report = (results / "results.md").read_text()
    assert [] == [row["name"] for row in found["figures"] if row["name"] not in report]
    assert [] == [row["group"] for row in found["figures"] if f"## {group(row['group']).title}" not in report]


def test_runs_of_two_pythons_stand_side_by_side(results: Path, found: Any, tmp_path: Path) -> None:
    """Every row of ours and every yardstick has a cell for each run, and a run that counted nothing says so."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "results.json").write_text((results / "results.json").read_text())
    write({"bare call": Instructions(0, 100), "guard, shared store": Instructions(80, 350)}, other)
    page = versions.as_markdown([versions.load(results), versions.load(other)])
    rows = [row for row in found["figures"] if row["group"] in versions.SHOWN and row["kind"] != "peer"]
    bare = {group(row["group"]).bare for row in rows}
    assert [] == [row["name"] for row in rows if row["name"] not in bare and f"| {row['name']} | " not in page]
    assert "| guard, shared store | not counted | 250 (80) |" in page
    assert f"| {found['machine']['python']} | {found['machine']['python']} |" in page


def test_the_published_page_is_of_the_published_runs() -> None:
    """Nobody wrote a figure into it by hand."""
    folder = ROOT / "docs/explanation/speed"
    runs = [versions.load(folder / name) for name in ("3.11", "3.13", "3.14")]
    assert versions.as_markdown(runs) == (folder / "versions.md").read_text()


def test_a_call_that_does_not_raise_is_not_timed_as_one_that_does() -> None:
    """Else a breaker whose fuse never opened would pass for one that rejects fast."""
    with pytest.raises(RuntimeError, match="returned instead of raising"):
        timers.of_raise(plain, ValueError)(1)


def test_a_peers_fault_is_a_row_and_ours_is_an_error() -> None:
    """A peer that breaks does not stop the others; ours that breaks is no result."""
    timer = timers.of_call(failing)
    (row,) = measure([Subject("sync", "broken", "peer", timer)], TINY)
    assert "ServiceError: " == row.fault
    with pytest.raises(ServiceError):
        measure([Subject("sync", "broken", "ours", timer)], TINY)


def test_figures_are_over_the_bare_row_and_by_the_yardstick() -> None:
    """Two processes' samples make one row: the least of each, the median of all, the difference, the ratio."""
    rows = [
        measure([Subject("sync", name, "yardstick", lambda count, ns=ns: count * ns / 1e9)], TINY)
        for name, ns in (("bare call", 20), ("bare call", 10), ("functools.partial", 30), ("another", 50))
    ]
    figures = Figures(rows)
    another = figures.get("sync", "another")
    bare = figures.get("sync", "bare call")
    assert another is not None
    assert bare is not None
    assert [20, 10, 15] == pytest.approx([*bare.bests_ns, bare.median_ns])
    assert [40, 2] == pytest.approx([another.over_ns, another.ratio])


def test_what_a_key_takes_of_a_process_is_about_a_kibibyte() -> None:
    """All but the fuse is shared. It counts bytes, which hang on no machine but for the allocator's rounding."""
    program = "from bench import keys; print(*(keys.bytes_of_a_key(kind, 10_000) for kind in keys.KINDS))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    given, default = map(int, done.stdout.split())
    assert 448 < given < 1_100
    assert 448 < default < 1_280
