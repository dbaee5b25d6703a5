"""An application whose pages wait for a service that may never answer, and have no time limit. Free of pytest."""

import os
import socket
from collections.abc import Callable
from typing import Any

from fuseboard import CircuitBreaker, CircuitOpenError

api = CircuitBreaker("api", threshold=2, window=None, reset_timeout=3600)


@api
def fetch() -> bytes:
    """Asks the service."""
    with socket.socket(socket.AF_UNIX) as service:
        service.connect(os.environ["SERVICE"])
        return service.recv(16)


def app(_environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
    """What the service says, or the state that rejects the call."""
    try:
        body = fetch()
    except CircuitOpenError as rejection:
        body = rejection.state.value.encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
