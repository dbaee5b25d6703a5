"""``fuseboard demo``: real processes, real sockets, real kills; so these tests take as long as it does."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_DEMO = [sys.executable, "-m", "fuseboard.cli", "demo"]


@pytest.mark.parametrize("package", ["httpx", "rich"])
def test_without_its_extra_it_says_what_to_install(package: str, tmp_path: Path) -> None:
    """The base package has no dependencies, and the way to the demo's is one line, from wherever the package came."""
    program = f"import sys; sys.modules[{package!r}] = None; from fuseboard.cli import main; sys.exit(main(['demo']))"
    result = _run([sys.executable, "-c", program], tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    way = f"{sys.executable} -m pip install 'httpx>=0.27' 'rich>=13'"
    assert result.stderr == f"fuseboard demo: needs {package}: {way}\n"


def test_the_other_commands_need_no_extra(tmp_path: Path) -> None:
    """Only the demo needs them."""
    program = "import sys; sys.modules.update(httpx=None, rich=None); import fuseboard.cli as c; c.main(['show'])"
    result = _run([sys.executable, "-c", program], tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.timeout(150)
def test_all_promises_hold(tmp_path: Path) -> None:
    """The whole demo: what it counts agrees with itself and with the rules, and a breaker per process fails them."""
    pytest.importorskip("httpx")
    pytest.importorskip("rich")
    result = _run([*_DEMO, "--json"], tmp_path)
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    shared, private, plan = figures["shared"], figures["per_process"], figures["plan"]
    assert figures["ok"]
    assert all(promise["held"] for promise in figures["promises"])
    assert plan["threshold"] <= shared["let_through"] <= plan["threshold"] + plan["workers"] - 1
    assert shared["let_through"] + shared["probes"] == shared["sick_requests"]
    assert tuple(shared[name] for name in ("alarms", "closes", "closing_probes", "let_through_after_restart")) == (
        1,
        1,
        1,
        0,
    )
    assert {"rejected", "probe-failed"} >= {shared["first_call_after_kill"], *shared["first_calls"]}
    assert {"failed"} == {private["first_call_after_kill"], *private["first_calls"]}
    assert private["let_through"] > shared["let_through"]
    assert list(tmp_path.rglob("*")) == [tmp_path / "tables"], "something was left behind"


@pytest.mark.timeout(100)
def test_a_request_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """Children and folder go with the conductor, however it goes."""
    pytest.importorskip("httpx")
    pytest.importorskip("rich")
    command, environment = [*_DEMO, "--plain"], _environment(tmp_path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as conductor:  # noqa: S603 - ours
        assert conductor.stdout is not None
        next(line for line in conductor.stdout if "All is well" in line)
        children = _children(conductor.pid)
        conductor.send_signal(signal.SIGTERM)
        last = conductor.stdout.read()
    assert conductor.returncode == 130
    assert "every process of the demo has been ended" in last
    assert len(children) == 5, "a server and four workers"
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.rglob("*")) == [tmp_path / "tables"]


def test_a_breaker_per_process_would_not_keep_the_promises() -> None:
    """The promises can fail: figures as a breaker per process gives them fail those of restarts, alarms and probes."""
    pytest.importorskip("rich")
    from fuseboard.demo._figures import Figures  # noqa: PLC0415
    from fuseboard.demo._plan import Plan  # noqa: PLC0415
    from fuseboard.demo._promises import judge  # noqa: PLC0415

    figures = Figures(
        outage_seconds=8.0,
        sick_requests=54,
        let_through=46,
        let_through_after_restart=30,
        probes=8,
        rejections=583,
        trips=16,
        alarms=9,
        restarts=6,
        first_call_after_kill="failed",
        first_calls=("failed",) * 4,
        calls_to_find_open=6,
        seconds_to_find_open=0.57,
        probe_gap_seconds=None,
        rival_probes=3,
        closing_probes=4,
        closes=None,
        flowing=4,
    )
    assert {False} == {verdict.held for verdict in judge(Plan(), figures, figures)}


def _run(command: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = _environment(folder)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)  # noqa: S603


def _environment(folder: Path) -> dict[str, str]:
    """An environment in which temporary files go to a folder, tables too where none is named."""
    place = folder / "tables"
    place.mkdir(mode=0o700)
    return {**os.environ, "TMPDIR": str(folder), "FUSEBOARD_DIR": str(place), "FUSEBOARD_STORE": "default"}


def _children(pid: int) -> list[int]:
    """Process ids of those whose parent this is."""
    return [int(entry.parent.name) for entry in Path("/proc").glob("[0-9]*/stat") if _parent(entry) == pid]


def _parent(entry: Path) -> int | None:
    try:
        return int(entry.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None  # it has just ended
