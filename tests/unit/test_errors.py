"""The error tree: what can be raised, what it tells, and that it travels."""

import copy
import pickle
import re
from datetime import timedelta

import pytest

from fuseboard import State, errors
from fuseboard.errors import CircuitIsolatedError, CircuitOpenError, FuseboardError, StoreOpenError, TripError

OPEN = CircuitOpenError("payments_db", State.OPEN, 2.5)
HALF_OPEN = CircuitOpenError("payments_db", State.HALF_OPEN, 2.5, 30.0)
ISOLATED = CircuitIsolatedError("payments_db", State.ISOLATED, None)
STORE = StoreOpenError("shop", "/dev/shm/x", "folder", "has mode 0755")  # noqa: S108 - a path to tell of
TRIP = TripError("maintenance", timedelta(minutes=2))
ALL = [OPEN, HALF_OPEN, ISOLATED, STORE, TRIP]


def test_the_tree_has_one_root_and_one_leaf_per_reaction() -> None:
    """Whoever waits catches ``CircuitOpenError``; whoever asks an operator, the subclass."""
    tree = {
        FuseboardError: Exception,
        CircuitOpenError: FuseboardError,
        CircuitIsolatedError: CircuitOpenError,
        StoreOpenError: FuseboardError,
    }
    assert tree == {cls: cls.__base__ for cls in tree}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OPEN, "fuse 'payments_db' is open; retry in 2.5 s"),
        (
            HALF_OPEN,
            "fuse 'payments_db' is half-open and waits for its probes; retry in 2.5 s, or in 30 s at the latest",
        ),
        (CircuitOpenError("db", State.HALF_OPEN, None), "fuse 'db' is half-open and waits for its probes"),
        (ISOLATED, "fuse 'payments_db' is isolated by a manual override"),
        (CircuitOpenError("db", State.OPEN, 0.0), "fuse 'db' is open; retry in 0 s"),
        (CircuitOpenError("db", State.OPEN, 1 / 3), "fuse 'db' is open; retry in 0.333 s"),
    ],
)
def test_a_rejection_says_which_fuse_and_when_to_retry(error: CircuitOpenError, text: str) -> None:
    """R05: the class builds the message from its attributes."""
    assert text == str(error)


def test_a_store_that_cannot_be_had_says_what_was_found_and_what_to_do() -> None:
    """The message names the store, the path, what was found and the way out."""
    expected = (
        "store 'shop' cannot be opened: /dev/shm/x: has mode 0755. "
        "Make it a folder that belongs to this user and has mode 0700, or set FUSEBOARD_DIR to another folder."
    )
    assert expected == str(STORE)


def test_a_folder_that_is_no_absolute_path_is_told_to_become_one() -> None:
    """T11: other modes would not help; nor does the path matter where it is not what was wrong."""
    error = StoreOpenError("shop", "tables", "folder", "is a relative path")
    assert "store 'shop' cannot be opened: tables: is a relative path. Set FUSEBOARD_DIR to an absolute path." == str(
        error
    )
    variable = StoreOpenError("a b", "FUSEBOARD_STORE", "name", "must be a name")
    assert str(variable).endswith("FUSEBOARD_STORE: must be a name. Set FUSEBOARD_STORE to the name of a store.")


@pytest.mark.parametrize(
    "reason", ["name", "folder", "owner", "missing", "foreign", "version", "full", "system", "unsupported"]
)
def test_every_reason_has_a_way_out(reason: str) -> None:
    """One way out per reaction a caller can have."""
    text = str(StoreOpenError("shop", "/path", reason, "detail"))
    beginning, way_out = "store 'shop' cannot be opened: /path: detail. ", r"(Set|Make|Remove|Let|Free|Use|Start) .*\."
    assert re.fullmatch(re.escape(beginning) + way_out, text)


def test_a_reason_of_somebody_else_s_is_no_second_error() -> None:
    """A message never fails."""
    error = StoreOpenError("shop", "/path", "weather", "it rains")
    assert "store 'shop' cannot be opened: /path: it rains." == str(error)


@pytest.mark.parametrize("error", ALL, ids=repr)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_pickles(error: FuseboardError, protocol: int) -> None:
    """Errors cross process boundaries with class, attributes and message."""
    twin = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own bytes
    assert (type(error), vars(error), str(error)) == (type(twin), vars(twin), str(twin))


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", ALL, ids=repr)
def test_an_error_copies(error: FuseboardError, copier: object) -> None:
    """A copy is the same error."""
    twin = copier(error)
    assert (type(error), vars(error), str(error)) == (type(twin), vars(twin), str(twin))


def test_data_are_attributes() -> None:
    """R05: ``name``, ``state`` and ``retry_after``."""
    assert {
        "name": "payments_db",
        "state": State.OPEN,
        "retry_after": 2.5,
        "lease_remaining": None,
    } == vars(OPEN)
    expected = {
        "store": "shop",
        "path": "/dev/shm/x",  # noqa: S108 - as above
        "reason": "folder",
        "detail": "has mode 0755",
        "is_transient": False,
    }
    assert expected == vars(STORE)


def test_the_module_documents_every_class_in_its_tree() -> None:
    """The tree at the top of the module is the tree there is."""
    for cls in (FuseboardError, CircuitOpenError, CircuitIsolatedError, StoreOpenError):
        assert cls.__name__ in (errors.__doc__ or "")


def test_an_error_keeps_what_it_was_made_with() -> None:
    """``args`` hold it all, for whoever rebuilds or compares exceptions."""
    rejection = CircuitOpenError("db", State.OPEN, 2.5)
    assert ("db", "open", 2.5) == rejection.args
    assert rejection.args == (rejection.name, rejection.state.value, rejection.retry_after)
    assert ("payments_db", "half-open", 2.5, 30.0) == HALF_OPEN.args
    error = StoreOpenError("shop", "here", "folder", "has mode 0755")
    assert ("shop", "here", "folder", "has mode 0755", False) == error.args
    assert error.args == (error.store, error.path, error.reason, error.detail, error.is_transient)


def test_a_long_wait_is_told_in_whole_seconds() -> None:
    """Three digits are enough below a hundred seconds; above them none is left out."""
    waits = {0.1234: "0.123", 99.94: "99.9", 100: "100", 1234: "1,234", 604_800: "604,800"}
    for seconds, text in waits.items():
        assert str(CircuitOpenError("db", State.OPEN, seconds)).endswith(f"retry in {text} s")


class LibraryError(OSError):
    """An error of an HTTP library: with arguments, a text and a way to pickle of its own."""

    def __init__(self, *, response: object) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        return f"the library's, of {self.response}"

    def __reduce__(self) -> tuple[object, ...]:
        return LibraryError._made, (self.response,)

    @classmethod
    def _made(cls, response: object) -> "LibraryError":
        return cls(response=response)


class RejectedByLibraryError(CircuitOpenError, LibraryError):
    """A rejection that code written for the library catches too."""


class IsolatedForLibraryError(CircuitIsolatedError, RejectedByLibraryError):
    """The same for an operator's."""


@pytest.mark.parametrize("cls", [RejectedByLibraryError, IsolatedForLibraryError])
def test_a_rejection_may_have_a_librarys_base_too(cls: type[CircuitOpenError]) -> None:
    """Arguments, message and pickling stay ours, and existing ``except`` clauses catch it."""
    error = cls("db", State.OPEN, 2.5)
    assert isinstance(error, LibraryError)
    twins = [copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))]  # noqa: S301 - our own bytes
    for twin in (error, *twins):
        assert (cls, ("db", "open", 2.5)) == (type(twin), twin.args)
        assert "fuse 'db' is open; retry in 2.5 s" == str(twin)
        assert ("db", State.OPEN, 2.5) == (twin.name, twin.state, twin.retry_after)


def test_what_was_said_of_an_error_travels_with_it() -> None:
    """Notes and attributes that a service added."""
    error = CircuitOpenError("db", State.OPEN, 2.5)
    error.add_note("while charging a card")
    error.request = "r1"  # type: ignore[attr-defined]
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (["while charging a card"], "r1") == (twin.__notes__, twin.request)


@pytest.mark.parametrize("retry_after", [120, 120.0, timedelta(minutes=2)])
def test_a_demand_tells_its_time_in_seconds(retry_after: float | timedelta) -> None:
    """However it was given, so that it is a number everywhere."""
    error = TripError("maintenance", retry_after)
    assert (120, ("maintenance", 120)) == (error.retry_after, error.args)


def test_a_demand_without_a_word_is_an_empty_message() -> None:
    """Also where a subclass has arguments of its own and told us nothing."""

    class QuotaError(TripError):
        def __init__(self) -> None:
            Exception.__init__(self)

    assert ("", "") == (str(TripError()), str(QuotaError()))


def test_a_shortage_is_not_mended_by_another_folder() -> None:
    """T12: what is wanting there is the process's; where the folder has no room, that is another reason."""
    error = StoreOpenError("shop", "/path", "system", "Too many open files", is_transient=True)
    assert str(error).endswith("Too many open files. Give the process more file descriptors or memory.")
    assert "Free some space there" in str(StoreOpenError("shop", "/path", "full", "no room", is_transient=True))


def test_a_hidden_proc_is_not_mended_by_a_folder_on_a_disk() -> None:
    """T09: what cannot be read there is whose table it is; a folder in memory needs less of it."""
    error = StoreOpenError("shop", "/proc/sys/kernel/random/boot_id", "system", "no such file")
    way_out = "Let this process read that path. If /proc is mounted, a FUSEBOARD_DIR in memory (tmpfs) works too."
    assert str(error).endswith(f"no such file. {way_out}")
