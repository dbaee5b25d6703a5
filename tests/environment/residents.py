"""What is run in rooms: each scene is a function, and what it returns is printed as JSON. Free of pytest."""

import contextlib
import hashlib
import io
import json
import logging
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuseboard import CircuitBreaker, CircuitOpenError, Store, StoreOpenError, StoreReadOnlyError
from fuseboard.cli import _whose, main

FUSE = "db"
LONG = 3600


class ServiceError(Exception):
    """What the guarded service raises."""


def fail() -> None:
    """A call to a service that is down."""
    raise ServiceError


def protects(store: Store) -> bool:
    """Whether a breaker on the store opens at its second failure and rejects the next call."""
    breaker = CircuitBreaker("protects", threshold=2, store=store)
    for _ in range(2):
        with contextlib.suppress(ServiceError):
            breaker.call(fail)
    try:
        breaker.call(int)
    except CircuitOpenError:
        return True
    return False


class Warnings(logging.Handler):
    """Counts what Fuseboard warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        logging.getLogger("fuseboard").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a warning."""
        self.said.append(record.getMessage())


def look(name: str) -> dict[str, Any]:
    """Opens the host's table; what came of it, and what the folder holds afterwards."""
    warnings = Warnings()
    store = Store.shared(name)
    own = [text for text in warnings.said if "a private table" in text]
    where = Path(str(store.path or (store.fault and store.fault.path)))
    folder = where.parent if where.name.startswith(f"{name}.") else where
    return {
        "shared": store.is_shared,
        "reason": store.fault and store.fault.reason,
        "detail": store.fault and store.fault.detail,
        "folder": str(folder),
        "files": sorted(file.name for file in folder.iterdir())
        if os.access(folder, os.R_OK) and folder.is_dir()
        else [],
        "warnings": len(own),
        "state": store.state(FUSE).state.value,
        "now": store.now(),
        "protects": protects(store),
    }


def fill_up(folder: str) -> None:
    """Fills a file system to its last byte."""
    with Path(folder, "ballast").open("wb", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(size))


def use_on_a_full_disk(name: str, folder: str) -> dict[str, Any]:
    """Makes a table, lets the disk run full, and then uses every byte that a fuse can have."""
    store = Store.shared(name, fuses=512, failures=256, strict=True)
    fill_up(folder)
    counts = {store.record_failure(f"fuse{number}", LONG) for number in range(500) for _ in range(256)}
    return {
        "counts": len(counts),
        "fuses": len(store.all_states()),
        "again": look(name),
        "overflowed": store.overflowed,
    }


def use_a_sparse_file(folder: str) -> str:
    """The same with a file whose bytes nobody has reserved: the control, which does not survive it."""
    fd = os.open(Path(folder, "sparse"), os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, 1 << 20)
    words = mmap.mmap(fd, 1 << 20)
    fill_up(folder)
    words[:] = b"x" * (1 << 20)
    return "alive"


def record(name: str) -> int:
    """Records a failure on the host's table, and nowhere else."""
    return Store.shared(name, strict=True).record_failure(FUSE, LONG)


def look_as(name: str, user: str) -> dict[str, Any]:
    """The same as another user."""
    become(user)
    return look(name)


def look_before_the_service(command: str, name: str, user: str) -> dict[str, Any]:
    """Looks by a command as root, where nothing is yet; then a service of another user comes."""
    return {**look_by_command(command, name), "service": in_a_child(lambda: look_as(name, user))}


def refused_behind_the_service(name: str, user: str, other: str) -> Any:
    """What another user, who is not root, is told who looks at a service's table."""
    folder = in_a_child(lambda: look_as(name, user))["folder"]

    def refused() -> str:
        become(other)
        try:
            Store.existing(name, folder=folder)
        except StoreOpenError as fault:
            return _whose.words("show", name, fault)
        return ""

    return in_a_child(refused)


def look_behind_the_service(command: str, name: str, user: str) -> dict[str, Any]:
    """The other way round: root looks at what the service left. Its table's bytes before that and behind it."""
    service = in_a_child(lambda: look_as(name, user))
    before = digest(service["folder"])
    seen = look_by_command(command, name)
    return {**seen, "service": service, "bytes": before, "bytes_after": digest(service["folder"])}


def digest(folder: str) -> list[str]:
    """What the files of a folder hold, as hashes."""
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(Path(folder).iterdir())]


def look_by_command(command: str, name: str) -> dict[str, Any]:
    """Runs a command of ``fuseboard``: its exit code, what it showed, and what it said to whoever ran it."""
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()) as shown:
        code = main([command, "--store", name])
    complaint = said.getvalue().strip().removeprefix(f"fuseboard {command}: ")
    return {"code": code, "shown": shown.getvalue(), "said": complaint}


def open_behind_the_service(name: str, user: str) -> list[str]:
    """Root opens the table of a service to read, and then to write."""
    folder = in_a_child(lambda: look_as(name, user))["folder"]
    store = Store.existing(name, folder=folder)
    seen = [f"{made.before.value} -> {made.after.value}" for made in store.journal()[:1]]
    try:
        store.set_closed(FUSE)
    except StoreReadOnlyError as error:
        seen.append(type(error).__name__)
    try:
        Store.existing(name, folder=folder, writable=True)
    except StoreOpenError as error:
        seen.append(error.reason)
    return seen


def in_a_child(work: Callable[[], Any]) -> Any:
    """What a forked child returns, which may become another user."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, json.dumps(work()).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        return json.loads(said.read())


def become(user: str) -> None:
    """Makes this process another user's, for good."""
    os.setgroups([])
    os.setresgid(int(user), int(user), int(user))
    os.setresuid(int(user), int(user), int(user))


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))  # noqa: T201 - the answer
