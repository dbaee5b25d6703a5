"""What processes leave behind in the table is there for those that come after them."""

from pathlib import Path
from typing import Any

import pytest
from caller import obey
from team import Team, Worker
from workers import FUSE

from fuseboard import Store

SETTINGS = {"threshold": 3, "window": 60, "reset_timeout": 60.0}


def callers(team: Team, host: str, size: int = 1, *, manual: bool = False, **settings: Any) -> list[Worker]:
    """Processes that do as they are told."""
    workers = team.start(size, obey, host, SETTINGS | settings, manual)
    assert ["ready"] * size == [worker.hear() for worker in workers]
    return workers


def leave(workers: list[Worker], farewell: str) -> None:
    """Ends all processes: by SIGKILL, or in good order."""
    for worker in workers:
        if farewell == "killed":
            worker.kill()
        else:
            worker.tell("leave")
            worker.end()


def trip(worker: Worker) -> None:
    """Fails until the fuse opens."""
    assert ["failed"] * 3 == [worker.ask("call", "failure") for _ in range(3)]


@pytest.mark.parametrize("farewell", ["killed", "in good order"])
def test_processes_that_replace_all_others_find_the_fuse_open(team: Team, host: str, farewell: str) -> None:
    """Goal 2: their very first call is rejected, by the state that the dead ones left and when they left it."""
    workers = callers(team, host, 3)
    trip(workers[0])
    before = workers[0].ask("state")
    leave(workers, farewell)
    newcomers = callers(team, host, 3)
    assert ["open"] * 3 == [worker.ask("call", "success") for worker in newcomers]
    assert [before] * 3 == [worker.ask("state") for worker in newcomers]


def test_state_survives_when_no_process_has_the_table_open(forked: Team, host: str, folder: Path) -> None:
    """Goal 2: no owner keeps the table alive; counters survive too."""
    workers = callers(forked, host, 2)
    trip(workers[0])
    before, counters = workers[0].ask("state"), workers[0].ask("counters")
    leave(workers, "killed")
    assert str(folder) not in Path("/proc/self/maps").read_text()
    (newcomer,) = callers(forked, host)
    assert before == newcomer.ask("state")
    assert counters == newcomer.ask("counters")
    assert [f"{host}.v2"] == [".".join(file.name.split(".")[:2]) for file in folder.iterdir()]


def test_a_table_of_another_name_is_another(forked: Team, host: str) -> None:
    """Control: what the newcomers find is not closed or open by default; it comes from the table."""
    workers = callers(forked, host)
    trip(workers[0])
    leave(workers, "killed")
    (newcomer,) = callers(forked, f"{host}-other")
    assert "done" == newcomer.ask("call", "success")


def test_failures_of_dead_processes_count(forked: Team, host: str) -> None:
    """R03: the window is the host's, so a worker that dies of each failure still trips the fuse."""
    for _ in range(3):
        (worker,) = callers(forked, host)
        assert "closed" == worker.ask("state")[0]
        assert "failed" == worker.ask("call", "failure")
        worker.kill()
    (newcomer,) = callers(forked, host)
    assert "open" == newcomer.ask("call", "success")


def test_a_call_whose_process_was_killed_counts_neither_way(forked: Team, host: str) -> None:
    """Goal 2: nothing is in flight in the table, so nothing is left over (T07)."""
    for _ in range(3):
        (worker,) = callers(forked, host)
        assert "admitted" == worker.ask("begin", "call")
        worker.kill()
    (newcomer,) = callers(forked, host)
    assert 0 == newcomer.ask("window")
    assert {0} == set(newcomer.ask("counters").values())


@pytest.mark.parametrize(
    ("word", "state", "answer"), [("isolate", "isolated", "isolated"), ("disable", "disabled", "failed")]
)
def test_an_operators_word_outlives_restarts_and_registration(
    team: Team, host: str, word: str, state: str, answer: str
) -> None:
    """R12: no newcomer, no other settings, no raw operation and no outcome undoes it; ``reset`` does."""
    workers = callers(team, host)
    workers[0].ask("command", word)
    leave(workers, "killed")
    (newcomer,) = callers(team, host, threshold=1, reset_timeout=0.001)
    for operation in ("set_closed", "set_open", "set_half_open", "record_success"):
        newcomer.ask("raw", operation, FUSE)
    assert newcomer.ask("raw", "record_failure", FUSE, 60) >= 1
    assert [answer] * 5 == [newcomer.ask("call", "failure") for _ in range(5)]
    assert state == newcomer.ask("state")[0]
    newcomer.ask("command", "reset")
    assert "done" == newcomer.ask("call", "success")


def test_a_fuse_left_half_open_by_dead_processes_can_be_probed_and_closed(forked: Team, host: str) -> None:
    """R07, R11: when all of them die with all probes out, newcomers get permits at once or at the deadline."""
    workers = callers(forked, host, 2, manual=True, probes=2, success_threshold=2)
    trip(workers[0])
    for worker in workers:
        worker.ask("advance", 60)
        assert "admitted" == worker.ask("begin", "probe")
    leave(workers, "killed")
    newcomers = callers(forked, host, 2, manual=True, probes=2, success_threshold=2)
    for newcomer in newcomers:
        newcomer.ask("advance", 120)
    assert ["done", "done"] == [newcomer.ask("call", "success") for newcomer in newcomers]
    assert "closed" == newcomers[0].ask("state")[0]


def test_newcomers_that_make_the_table_at_once_share_it(team: Team, host: str, folder: Path) -> None:
    """T08: one of them makes it, whole, and all have the same one; nothing else is left in the folder."""
    workers = callers(team, host, 8)
    assert list(range(1, 9)) == [worker.ask("raw", "record_failure", FUSE, 60) for worker in workers]
    assert 1 == len(list(folder.iterdir()))


def test_the_test_itself_opens_no_table(host: str, folder: Path) -> None:
    """Control: a table that this process has open is seen in its memory map."""
    store = Store.shared(host, strict=True)
    assert str(folder) in Path("/proc/self/maps").read_text()
    store.close()
