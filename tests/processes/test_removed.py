"""A table that is removed, or cannot be had for a moment, under processes that use it (rule T12)."""

import os
import resource
from pathlib import Path

import pytest
import removed_scenes
from team import Team
from workers import open_store

from fuseboard import CircuitBreaker


def unlink_tables(folder: Path) -> None:
    """What cleaners of temporary files do, and logind at a logout."""
    for table in folder.iterdir():
        table.unlink()


def test_an_operator_is_told_that_workers_use_a_removed_table(
    spawned: Team, host: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever makes the table anew is told of each process that does not share it yet, and of none that has gone."""
    workers = spawned.start(2, removed_scenes.call_until_told, host)
    pids = [worker.hear() for worker in workers]
    assert caplog.messages == []
    unlink_tables(folder)
    CircuitBreaker("db", store=open_store(host)).isolate()
    (message,) = [text for text in caplog.messages if "was removed while" in text]
    assert f"({', '.join(map(str, sorted(pids)))})" in message
    for worker in workers:
        worker.tell("end")
    assert [("closed", True)] * 2 == [(seen["state"], seen["removed"]) for seen in spawned.results(workers)]
    unlink_tables(folder)
    caplog.clear()
    assert open_store(f"{host}-2").is_shared
    assert [] == caplog.messages


def test_an_operator_is_told_so_where_a_link_leads_to_the_folder(  # noqa: PLR0913, PLR0917 - fixtures
    spawned: Team,
    host: str,
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system calls a table by its path without symbolic links, such as /run for /var/run."""
    link = tmp_path / "link"
    link.symlink_to(folder.parent)
    monkeypatch.setenv("FUSEBOARD_DIR", str(link / folder.name))
    worker = spawned.start(1, removed_scenes.call_until_told, host)[0]
    pid = worker.hear()
    unlink_tables(folder)
    CircuitBreaker("db", store=open_store(host)).isolate()
    worker.tell("end")
    assert 1 == len(spawned.results([worker]))
    assert 1 == len([text for text in caplog.messages if f"were using it ({pid})" in text])


@pytest.mark.parametrize("way", ["fails", "listens", "looks"])
def test_one_worker_that_notices_takes_all_along(spawned: Team, host: str, folder: Path, way: str) -> None:
    """Goal 3: workers that only succeed cannot notice; the first that looks removes their idle fuses."""
    worker = spawned.start(1, removed_scenes.call_until_told, host)[0]
    noticing = spawned.start(1, removed_scenes.notice, host, way)[0]
    assert worker.hear()
    assert "ready" == noticing.hear()
    unlink_tables(folder)
    CircuitBreaker("db", store=open_store(host)).isolate()
    noticing.tell("go")
    assert "noticed" == noticing.hear()
    worker.tell("end")
    (seen,) = spawned.results([worker])
    assert ("isolated", False) == (seen["state"], seen["removed"])


def test_all_that_notice_at_once_end_on_one_table(spawned: Team, host: str, folder: Path) -> None:
    """T08: whoever is first makes it; failures of all count together there, and nothing else is left in the folder."""
    before = open_store(host)
    answers = spawned.run(4, removed_scenes.lose_and_fail, host, str(folder), 5)
    assert before.is_shared
    assert [host] == [path.name.partition(".")[0] for path in folder.iterdir()]
    # The last removal was in the last round; who has failed since then has failed in one table.
    assert [1, 2, 3, 4] == sorted(answers)


def test_a_worker_comes_back_after_a_shortage_and_obeys(spawned: Team, host: str) -> None:
    """Goal 1: a process that had no descriptors for a moment shares a second later, and hears an operator."""
    CircuitBreaker("db", store=open_store(host)).isolate()
    assert {"first": False, "then": "isolated", "shared": True} == spawned.one(removed_scenes.run_short, host)


def test_a_forked_child_comes_back_as_its_parent_does(spawned: Team, host: str) -> None:
    """Each looks for itself, and both go on in the host's table."""
    CircuitBreaker("db", store=open_store(host)).isolate()
    assert {"parent": "isolated", "child": "isolated"} == spawned.one(removed_scenes.fork_while_short, host)


def test_a_shortage_can_be_had_here() -> None:
    """Control: a process without descriptors cannot open anything."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.open("/", os.O_RDONLY)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
