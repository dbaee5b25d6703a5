"""The application that the tests serve with gunicorn: made at import, as applications are. Free of pytest."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuseboard import CircuitBreaker, CircuitOpenError, Store, Transition

WORKERS = 4
PATIENCE = 30
NOTES = Path(os.environ["SHOP_NOTES"])
LOADED_BY = os.getpid()


class CardError(Exception):
    """What the service of cards raises."""


def note(event: Transition) -> None:
    """Notes each event of this process, in one write, so that several processes may."""
    with (NOTES / "events").open("a") as notes:
        notes.write(f"{event.after.value}\n")


cards = CircuitBreaker("cards", threshold=WORKERS, window=3600, reset_timeout=3600, on_transition=note)
if os.environ["SHOP_OPENS"] == "before the fork":
    Store.default().record_success("warm")


@cards
def charge() -> None:
    """Charges a card, which fails."""
    raise CardError


def meet(meeting: str) -> None:
    """Waits until each worker has a request of this meeting."""
    folder = NOTES / meeting
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + PATIENCE
    while (came := len(list(folder.iterdir()))) < WORKERS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {came} of {WORKERS} workers came")
        time.sleep(0.001)


def word() -> str:
    """In a word, what comes of a charge."""
    try:
        charge()
    except CardError:
        return "failed"
    except CircuitOpenError as rejection:
        return rejection.state.value
    return "done"


def app(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
    """Charges a card when all workers do; what came of it, in which process, and which process loaded this module."""
    meet(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{word()} {os.getpid()} {LOADED_BY}".encode()]
