"""Why a store cannot be shown, and where to look, or as which user, instead.

A table belongs to one user. Root can read it, by the folder that it lies in; for others the way out is to become that
user. The words say how.
"""

import os
import re
import shlex
from pathlib import Path

from fuseboard._store import registry
from fuseboard.errors import StoreOpenError

_BASES = (Path("/dev/shm"), Path("/tmp"))  # noqa: S108 - where tables lie unless FUSEBOARD_DIR says otherwise
_OF_A_USER = re.compile(r"fuseboard-(\d+)")
_MOST_SHOWN = 3


def words(command: str, store: str | None, fault: StoreOpenError) -> str:
    """What to say of a store that cannot be had.

    Args:
        command: the command that wants it, such as ``show``.
        store: the store that its options name; None for the default one.
        fault: why it cannot be had.
    """
    again = shlex.join(["fuseboard", command, *(["--store", store] if store else [])])
    if fault.reason == "owner":
        found = f"store {fault.store!r} cannot be opened: {fault.path}: {fault.detail}. "
        return found + _run_as(_owners([Path(fault.path)]), again)
    if fault.reason != "missing":
        return str(fault)
    hint = "start the service first, or use another --store NAME, FUSEBOARD_STORE or FUSEBOARD_DIR"
    found = f"there is no store {fault.store!r} of this user at {fault.path}; {hint}"
    others = {} if registry.folder() else _owners([path for base in _BASES for path in base.glob("fuseboard-*")])
    if not others:
        return found
    way = _run_as(others, again) if os.geteuid() else _look_into(others, again)
    return f"{found}. Other users have tables. {way}"


def _owners(folders: list[Path]) -> dict[tuple[int, int], Path]:
    """User and group of folders that belong to others. A folder of tables, named after another user, does not count."""
    found: dict[tuple[int, int], Path] = {}
    for folder in sorted(folders):
        try:
            stat = folder.lstat()
        except OSError:
            continue
        named = _OF_A_USER.fullmatch(folder.name)
        is_its_users = named is None or int(named[1]) == stat.st_uid
        if is_its_users and stat.st_uid != os.geteuid():
            found.setdefault((stat.st_uid, stat.st_gid), folder)
    return found


def _look_into(owners: dict[tuple[int, int], Path], command: str) -> str:
    """How to run a command as root on the tables of other users."""
    ways = [f"FUSEBOARD_DIR={shlex.quote(str(folder))} {command}" for folder in owners.values()]
    return f"To look at theirs: {' or '.join(ways[:_MOST_SHOWN])}"


def _run_as(owners: dict[tuple[int, int], Path], command: str) -> str:
    """How to run a command as one of these users. Both ways keep ``FUSEBOARD_DIR`` and ``FUSEBOARD_STORE``."""
    if not owners:
        return "Run the command as the user that the service runs as."
    if os.geteuid():
        ways = [f"sudo --preserve-env=FUSEBOARD_DIR,FUSEBOARD_STORE -u '#{user}' {command}" for user, _ in owners]
    else:
        ways = [f"setpriv --reuid {user} --regid {group} --clear-groups {command}" for user, group in owners]
    return f"To look as that user: {' or '.join(ways[:_MOST_SHOWN])}"
