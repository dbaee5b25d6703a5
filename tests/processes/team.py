"""Teams of processes: the test's side of the pipes. What the processes run is in :mod:`workers`."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from multiprocessing import connection
from typing import Any, Self

from workers import PATIENCE, Post, main


class WorkerFailedError(AssertionError):
    """A worker raised something, or died of its own. The message is its traceback."""


class Worker:
    """One process of a team."""

    def __init__(self, process: Any, pipe: connection.Connection, shared: Any) -> None:
        self.process = process
        self.pipe = pipe
        # The system forgets what a spawned process is to share once nobody holds it here.
        self._shared = shared

    @property
    def pid(self) -> int:
        """The process's id."""
        return int(self.process.pid)

    def tell(self, *message: Any) -> None:
        """Sends a message, which the worker hears."""
        self.pipe.send(message)

    def hear(self, patience: float = PATIENCE) -> Any:
        """What the worker says next, or returns.

        Raises:
            TimeoutError: it says nothing for ``patience`` seconds.
            WorkerFailedError: it raised something or died.
        """
        if not self.pipe.poll(patience):
            raise TimeoutError(f"process {self.pid} said nothing for {patience} s")
        try:
            sound, value = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join(PATIENCE)
            raise WorkerFailedError(f"process {self.pid} died with {self.process.exitcode}") from None
        if not sound:
            raise WorkerFailedError(value)
        return value

    def ask(self, *message: Any) -> Any:
        """Sends a message and hears the answer."""
        self.tell(*message)
        return self.hear()

    def end(self) -> None:
        """Waits until the process has ended."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, f"process {self.pid} does not end"

    def kill(self) -> None:
        """Kills the process with SIGKILL, wherever it is, and waits until nobody has its pid any more."""
        self.process.kill()
        self.end()

    def kill_unburied(self) -> None:
        """Kills the process and leaves it as a zombie, as a parent does that does not wait for it: its pid lives on."""
        self.process.kill()
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def stop(self) -> None:
        """Stops the process wherever it is, until it may :meth:`go_on`."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """Lets a stopped process go on."""
        os.kill(self.pid, signal.SIGCONT)


def _wait_for_other_threads() -> None:
    """A thread of an earlier test may still be ending. One that goes on is a fault of that test."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(PATIENCE)
    if threading.active_count() > 1:
        raise RuntimeError(f"fork needs a process without threads; there are {threading.enumerate()}")


class Team:
    """Processes that do not outlive the block."""

    def __init__(self, method: str) -> None:
        self.method = method
        self._context = multiprocessing.get_context(method)
        self._workers: list[Worker] = []

    def start(self, size: int, target: Callable[..., Any], *args: Any) -> list[Worker]:
        """Starts ``size`` processes that run ``target(post, *args)`` and can meet each other."""
        if self.method == "fork":
            _wait_for_other_threads()
        shared = self._context.Barrier(size), self._context.RawValue("d", 0.0)  # type: ignore[attr-defined]
        return [self._start_one(Post(index, size, *shared), target, args) for index in range(size)]

    def run(self, size: int, target: Callable[..., Any], *args: Any) -> list[Any]:
        """Starts processes and returns what each returned, in their order."""
        return self.results(self.start(size, target, *args))

    def one(self, target: Callable[..., Any], *args: Any) -> Any:
        """Runs one process and returns what it returned."""
        return self.run(1, target, *args)[0]

    def results(self, workers: list[Worker]) -> list[Any]:
        """What each worker returned; raises as soon as one of them has failed."""
        results: dict[int, Any] = {}
        while len(results) < len(workers):
            waiting = {worker.pipe: index for index, worker in enumerate(workers) if index not in results}
            ready = connection.wait(list(waiting), PATIENCE)
            if not ready:
                raise TimeoutError(f"{len(waiting)} processes said nothing for {PATIENCE} s")
            for pipe in ready:
                index = waiting[pipe]  # type: ignore[index]
                results[index] = workers[index].hear()
        for worker in workers:
            worker.end()
        return [results[index] for index in range(len(workers))]

    def bury(self, worker: Worker) -> None:
        """Kills a worker and forgets it: of those that are replaced all the time, none must leave anything open."""
        worker.kill()
        worker.process.close()
        worker.pipe.close()
        self._workers.remove(worker)

    def _start_one(self, post: Post, target: Callable[..., Any], args: tuple[Any, ...]) -> Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=main, args=(post, theirs, target, args), daemon=True)  # type: ignore[attr-defined]
        with _no_main_module():
            process.start()
        theirs.close()
        worker = Worker(process, ours, (post.barrier, post.start_time))
        self._workers.append(worker)
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Keeps a spawned process from importing pytest, which is the main module here: it takes half a second."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before
