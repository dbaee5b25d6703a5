"""Workers of other processes wait for a fuse."""

import os
import signal

from team import Team
from waiting_scenes import handle, wait
from workers import FUSE

from fuseboard import CircuitBreaker, Store


def test_who_waits_hears_of_another_process_that_closes_the_fuse(team: Team, host: str) -> None:
    """An isolated fuse, which only an operator gives free."""
    operators = CircuitBreaker(FUSE, store=Store.shared(host, strict=True))
    operators.isolate()
    workers = team.start(2, wait, host)
    assert ["waits"] * 2 == [worker.hear() for worker in workers]
    operators.reset()
    assert [True] * 2 == team.results(workers)


def test_ctrl_c_ends_a_wait(team: Team, host: str) -> None:
    """One without a timeout too."""
    store = Store.shared(host, strict=True)
    CircuitBreaker(FUSE, store=store).isolate()
    before = store.snapshot()
    (worker,) = team.start(1, wait, host)
    assert "waits" == worker.hear()
    os.kill(worker.pid, signal.SIGINT)
    assert ["interrupted"] == team.results([worker])
    assert before == store.snapshot()


def test_workers_that_wait_handle_every_message_once(team: Team, host: str) -> None:
    """R06: one of them probes, the others wait on; nobody counts a failure, and no message is lost."""
    store = Store.shared(host, strict=True)
    store.set_open(FUSE)
    workers = team.start(4, handle, host, 5)
    assert ["waits"] * 4 == [worker.hear() for worker in workers]
    rejected = sum(team.results(workers))
    seen = store.snapshot()[FUSE]
    assert (20, 0, 1, rejected) == (seen.successes, seen.failures, seen.closes, seen.rejections)
