"""The server process: healthy, sick, well again on order, and counting all that reaches it.

``python -m fuseboard.demo.server``: orders come in on standard input, what happens goes out on standard output.
"""

import collections
import contextlib
import json
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fuseboard.demo import _lifeline
from fuseboard.demo._messages import (
    HEALTHY,
    HOLD_ANY,
    HOLD_PROBE,
    OUTAGE,
    RECOVERED,
    Arrived,
    Listening,
    Order,
    Requests,
    send,
)
from fuseboard.demo._plan import LIFETIME_SECONDS

_SLOW_SECONDS = 0.2
_SLOW_EVERY = 4


class Ward:
    """How the server is, and what has reached it. One lock guards it all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phase = HEALTHY
        self._hold: str | None = None
        self._held = threading.Event()
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()

    def obey(self, order: Order) -> None:
        """Does what the conductor says."""
        with self._lock:
            self._phase = order.phase or self._phase
            self._hold = order.hold
            if order.release:
                self._held.set()
                self._held = threading.Event()
        if order.count_requests:
            for phase in (HEALTHY, OUTAGE, RECOVERED):
                send(self._requests(phase))

    def receive(self, seat: int, life: int, *, probe: bool) -> int:
        """Counts a request and returns the status to answer with, after as long as it takes."""
        with self._lock:
            phase, number = self._phase, self._count(life, probe=probe)
            held = self._held if self._is_to_hold(probe=probe) else None
            # Told under the lock, so that what the conductor hears is in the order of what happened.
            send(Arrived(seat, life, phase, probe, held is not None, time.monotonic()))
        if held is not None:
            held.wait(LIFETIME_SECONDS)
        if phase != OUTAGE:
            return 200
        if number % _SLOW_EVERY == 0:
            time.sleep(_SLOW_SECONDS)
        return 500

    def _count(self, life: int, *, probe: bool) -> int:
        kind = "probes" if probe else "after_restart" if life > 0 else "first"
        self._counts[self._phase, kind] += 1
        self._counts[self._phase, "requests"] += 1
        return self._counts[self._phase, "requests"]

    def _is_to_hold(self, *, probe: bool) -> bool:
        wanted = self._hold == HOLD_ANY or (self._hold == HOLD_PROBE and probe)
        if wanted:
            self._hold = None
        return wanted

    def _requests(self, phase: str) -> Requests:
        with self._lock:
            requests, probes, after_restart = (
                self._counts[phase, kind] for kind in ("requests", "probes", "after_restart")
            )
        return Requests(phase, requests, probes, after_restart)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay, as between real services
    disable_nagle_algorithm = True

    server: "_Server"

    def do_POST(self) -> None:
        probe = self.headers["X-Probe"] == "1"
        status = self.server.ward.receive(int(self.headers["X-Seat"]), int(self.headers["X-Life"]), probe=probe)
        # The caller of a held request has been killed.
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Says nothing: standard error is for faults."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, ward: Ward) -> None:
        self.ward = ward
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Binds without asking a name server who 127.0.0.1 is, as HTTPServer does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def handle_error(self, *_args: object) -> None:
        """A connection whose worker was killed is no fault of ours; others are shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*_args)  # type: ignore[arg-type]


def _main() -> None:
    _lifeline.tie()
    ward = Ward()
    server = _Server(ward)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    send(Listening(server.server_port))
    for line in sys.stdin:
        ward.obey(Order(**json.loads(line)))


if __name__ == "__main__":
    _main()
