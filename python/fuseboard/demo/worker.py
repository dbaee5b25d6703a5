"""A worker process: what a service would contain, in a loop. ``python -m fuseboard.demo.worker TASK``."""

import json
import sys
import time

import httpx

from fuseboard import CircuitBreaker, CircuitOpenError, State, Store, Transition
from fuseboard.demo import _lifeline
from fuseboard.demo._messages import Called, Changed, Outcome, PrivateFuse, Task, send
from fuseboard.demo._plan import FUSE, PATIENCE_SECONDS, TABLE_FUSES


class Caller:
    """Calls the server under a breaker and tells how each call ended."""

    def __init__(self, task: Task, store: Store, client: httpx.Client) -> None:
        self._task, self._store, self._client = task, store, client
        self._headers = {"X-Seat": str(task.seat), "X-Life": str(task.life)}
        self._probing = False
        self._number = 0
        self._breaker = CircuitBreaker(
            FUSE,
            threshold=task.threshold,
            window=task.window,
            reset_timeout=task.reset_timeout,
            probe_timeout=task.probe_timeout,
            clear_on_success=False,
            on_transition=self._send_change,
            store=store,
        )
        self._pay = self._breaker(self._post)

    def run(self) -> None:
        """Calls at the task's pace, for ever."""
        period = 1 / self._task.calls_per_second
        due = time.monotonic()
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            self._call()
            due = max(due + period, time.monotonic())

    def _post(self) -> None:
        # Only probes pass a half-open fuse, so a call that finds it so is one. The server counts them by this header.
        self._probing = self._breaker.state is State.HALF_OPEN
        headers = {**self._headers, "X-Probe": str(int(self._probing))}
        self._client.post("/pay", headers=headers).raise_for_status()

    def _call(self) -> None:
        began = time.monotonic()
        self._probing = False
        try:
            self._pay()
        except CircuitOpenError:
            outcome = Outcome.REJECTED
        except httpx.HTTPError:
            outcome = Outcome.PROBE_FAILED if self._probing else Outcome.FAILED
        else:
            outcome = Outcome.PROBE_GOOD if self._probing else Outcome.GOOD
        ended = time.monotonic()
        self._number += 1
        send(Called(self._task.seat, self._task.life, self._number, outcome, began, ended, self._private_fuse()))

    def _private_fuse(self) -> PrivateFuse | None:
        if self._task.store is not None:
            return None  # the conductor reads the table itself
        fuse = self._store.snapshot()[FUSE]
        return PrivateFuse(fuse.state.value, fuse.rejections, fuse.trips)

    def _send_change(self, transition: Transition) -> None:
        before, after = transition.before.value, transition.after.value
        send(Changed(self._task.seat, self._task.life, before, after, transition.error))


def _main() -> None:
    _lifeline.tie()
    task = Task(**json.loads(sys.argv[1]))
    _lifeline.follow_parent()
    if task.store is None:
        store = Store.private(fuses=TABLE_FUSES)
    else:
        store = Store.shared(task.store, fuses=TABLE_FUSES, strict=True)
    # Proxies of the environment are not for a server on the loopback interface.
    with httpx.Client(base_url=task.url, timeout=PATIENCE_SECONDS, trust_env=False) as client:
        Caller(task, store, client).run()


if __name__ == "__main__":
    _main()
