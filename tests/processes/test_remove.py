"""A fuse that one process removes is removed for all of them (rule R28)."""

from caller import obey
from team import Team, Worker
from workers import FUSE

from fuseboard import Store
from fuseboard.testing import Clock

SETTINGS = {"threshold": 1, "window": 60, "reset_timeout": 10.0}
REST = 61.0


def callers(team: Team, host: str, number: int) -> list[Worker]:
    """Processes that do as they are told, on a table with one place."""
    Store.shared(host, fuses=1, strict=True, clock=Clock()).close()
    workers = team.start(number, obey, host, SETTINGS, True)
    assert ["ready"] * number == [worker.hear() for worker in workers]
    return workers


def hand_over(remover: Worker) -> None:
    """Removes the fuse, and gives its slot to another one."""
    assert remover.ask("raw", "remove", FUSE)
    remover.ask("advance", REST)
    remover.ask("raw", "record_success", "next")


def test_a_handle_of_another_process_never_touches_the_next_fuse(team: Team, host: str) -> None:
    """R28: neither by a call that was under way nor by a new one, which opens the fuse of its own name elsewhere."""
    mine, other = callers(team, host, 2)
    assert "done" == mine.ask("call", "success")
    assert "admitted" == mine.ask("begin", "old")
    hand_over(other)
    assert "failed" == mine.ask("end", "old", "failure")
    mine.ask("advance", REST)
    assert "failed" == mine.ask("call", "failure")
    assert "open" == mine.ask("state")[0]
    for worker in (mine, other):
        assert "closed" == worker.ask("raw", "state", "next").state.value
        assert {0} == set(worker.ask("counters", "next").values())


def test_a_name_that_comes_back_is_one_fuse_for_all(team: Team, host: str) -> None:
    """R28: two processes that held the old fuse and a third that did not meet on the new one."""
    first, second, remover = callers(team, host, 3)
    for worker in (first, second):
        assert "done" == worker.ask("call", "success")
    assert remover.ask("raw", "remove", FUSE)
    for worker in (first, second, remover):
        worker.ask("advance", REST)
    assert "failed" == first.ask("call", "failure")
    assert "open" == second.ask("call", "success")
    assert "open" == remover.ask("call", "success")
    assert 2 == remover.ask("counters")["rejections"]


def test_a_probe_of_another_process_keeps_its_fuse(team: Team, host: str) -> None:
    """R28: what is open or half-open is never removed, whoever asks."""
    mine, other = callers(team, host, 2)
    assert "failed" == mine.ask("call", "failure")
    assert not other.ask("raw", "remove", FUSE)
    mine.ask("advance", 10.0)
    assert "admitted" == mine.ask("begin", "probe")
    assert not other.ask("raw", "remove", FUSE)
    assert "done" == mine.ask("end", "probe", "success")
    assert other.ask("raw", "remove", FUSE)


def test_what_overflowed_in_each_process_becomes_one_fuse_for_all(team: Team, host: str) -> None:
    """T12, R28: four processes, each with a fuse of its own as the table was full, meet on one once there is room."""
    with Store.shared(host, fuses=2, strict=True, clock=Clock()) as store:
        store.set_open("a")
        store.set_open("b")
    workers = team.start(4, obey, host, SETTINGS, True)
    assert ["ready"] * 4 == [worker.hear() for worker in workers]
    for worker in workers:
        assert "done" == worker.ask("call", "success")
    assert {1} == {worker.ask("counters")["successes"] for worker in workers}
    workers[0].ask("raw", "set_closed", "a")
    assert workers[0].ask("raw", "remove", "a")
    for worker in workers:
        worker.ask("advance", REST)
    for worker in workers:
        assert "done" == worker.ask("call", "success")
    assert {4} == {worker.ask("counters")["successes"] for worker in workers}
    assert "failed" == workers[0].ask("call", "failure")
    assert {"open"} == {worker.ask("call", "success") for worker in workers}
