"""Leaders in one process: what they are asked and told, and what they export. Several processes: ``processes``."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard import CircuitBreaker, Counts, FuseCounts, Leader, SlowRate, Store, StoreReadOnlyError
from fuseboard.testing import Clock
from helpers import fail, trip

NOTHING = FuseCounts()


@pytest.fixture
def store(folder: Path, clock: Clock) -> Store:
    """A store on the host's table, whose clock the test moves."""
    assert folder.is_dir()
    return Store.shared("shop", fuses=16, failures=32, strict=True, clock=clock)


@pytest.fixture
def private_store(clock: Clock) -> Store:
    """A store of this process's own."""
    return Store.private(fuses=16, failures=64, clock=clock)


@pytest.fixture
def leader(store: Store) -> Leader:
    """One that leads."""
    leader = store.leader("metrics")
    assert leader.lead()
    return leader


def exported(leader: Leader) -> dict[str, FuseCounts]:
    """What a leader exports, with success."""
    counts = leader.counts()
    assert counts is not None
    counts.done()
    return dict(counts)


def in_child(work: Callable[[], bool]) -> bool:
    """What a forked child says, which has ended then."""
    pid = os.fork()
    if pid == 0:
        os._exit(work())
    return bool(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def test_nobody_leads_before_somebody_asks(store: Store) -> None:
    """To look takes no lead."""
    leader = store.leader("metrics")
    assert (False, None, None) == (leader.is_leader, leader.term, leader.pid)
    assert leader.lead()
    assert (True, 1, os.getpid()) == (leader.is_leader, leader.term, leader.pid)


def test_a_lease_runs_out(leader: Leader, clock: Clock) -> None:
    """A leader that is late may lead on, in its term, if nobody took over."""
    clock.advance(0.5)
    assert leader.lead()
    clock.advance(0.7)
    assert leader.is_leader
    clock.advance(0.1)
    assert (False, None, None) == (leader.is_leader, leader.term, leader.pid)
    assert (True, 1) == (leader.lead(), leader.term)


def test_leaders_of_one_process_are_one(leader: Leader, store: Store, clock: Clock) -> None:
    """By whatever object, and by another store on the same table."""
    with Store.shared("shop", clock=clock) as again:
        others = [store.leader("metrics", lease=9), again.leader("metrics")]
        assert [(True, True, 1)] * 2 == [(other.is_leader, other.lead(), other.term) for other in others]
        others[1].resign()
    assert (False, False) == (leader.is_leader, others[0].is_leader)
    assert (True, 2) == (leader.lead(), leader.term)


def test_another_purpose_has_another_leader(leader: Leader, store: Store) -> None:
    """The lead of one is not that of the other."""
    other = store.leader("agent")
    assert not other.is_leader
    assert other.lead()
    other.resign()
    assert leader.is_leader
    assert ("metrics", "agent") == (leader.purpose, other.purpose)


def test_a_block_ends_the_lead(store: Store) -> None:
    """However it ends."""
    leader = store.leader("metrics")
    for error in (None, KeyError("x")):
        with contextlib.suppress(KeyError), leader as itself:
            assert itself is leader
            assert leader.lead()
            if error:
                raise error
        assert not leader.is_leader


def test_to_resign_without_the_lead_does_nothing(leader: Leader) -> None:
    """Twice, and in a child of the leader."""
    assert not in_child(lambda: bool(leader.resign()))
    assert leader.is_leader
    leader.resign()
    leader.resign()
    assert not leader.is_leader


def test_a_child_does_not_lead(leader: Leader) -> None:
    """Neither by what it inherits nor when it asks, while its parent lives; and its parent leads on."""
    assert not in_child(lambda: leader.is_leader or leader.lead() or leader.counts() is not None)
    assert leader.is_leader
    assert leader.lead()


def test_a_private_store_is_led_by_its_process(private_store: Store) -> None:
    """There is nobody else; a child has a copy, which it leads."""
    leader = private_store.leader("metrics")
    assert (True, 1) == (leader.lead(), leader.term)
    assert in_child(leader.lead)


def test_a_store_that_has_fallen_back_is_led_by_its_process(folder: Path) -> None:
    """Its table is the process's own, and so are the counts in it."""
    folder.chmod(0o755)
    store = Store.shared("shop")
    leader = store.leader("metrics")
    CircuitBreaker("db", store=store).call(int)
    assert leader.lead()
    assert {"db": FuseCounts(successes=1)} == exported(leader)


def test_a_store_that_goes_on_to_another_table_leads_there(leader: Leader, store: Store, clock: Clock) -> None:
    """The lead of the old table is worth nothing in the new one, where it is to be had."""
    CircuitBreaker("db", store=store).call(int)
    Path(str(store.path)).unlink()
    clock.advance(2)
    assert store.is_shared
    assert not leader.is_leader
    assert (True, 1) == (leader.lead(), leader.term)
    assert {} == exported(leader)


def test_a_store_that_only_reads_leads_nothing(store: Store) -> None:
    """To lead is to write."""
    with Store.existing(str(store.name)) as reader, pytest.raises(StoreReadOnlyError):
        reader.leader("metrics")


def test_a_store_knows_eight_purposes(store: Store) -> None:
    """Those that somebody has led for. The ninth is told so; the others go on."""
    leaders = [store.leader(f"purpose-{number}") for number in range(9)][:8]
    assert all(leader.lead() for leader in leaders)
    with pytest.raises(
        ValueError, match=r'^purpose must be one that the store knows, got "ninth"; a store knows at most 8 purposes'
    ):
        store.leader("ninth")
    assert all(leader.lead() for leader in leaders)


@pytest.mark.parametrize("purpose", ["", "a/b", "..", "x" * 65, "é", "a b"])
def test_a_purpose_is_a_part_of_a_files_name(private_store: Store, purpose: str) -> None:
    """What is none is refused, with its name and what is allowed."""
    with pytest.raises(ValueError, match="purpose must be 1 to 64 letters, digits"):
        private_store.leader(purpose)


def test_arguments_are_checked(private_store: Store) -> None:
    """Each with its name, its range and what was given."""
    with pytest.raises(TypeError, match="purpose must be a str, got int: 7"):
        private_store.leader(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="lease must be seconds or a timedelta"):
        private_store.leader("metrics", lease="1")  # type: ignore[arg-type]
    for lease in (0, 0.09, 3601, float("nan")):
        with pytest.raises(ValueError, match=r"lease must be from 0\.1 to"):
            private_store.leader("metrics", lease=lease)
    assert private_store.leader("metrics", lease=3600).lead()


def test_a_lock_that_cannot_be_had_is_told_once(leader: Leader, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Then the lease alone decides; again when it is told anew."""
    leader.resign()
    (lock,) = folder.glob("*.lock")
    lock.unlink()
    lock.mkdir()
    assert [True] * 3 == [leader.lead() for _ in range(3)]
    (record,) = caplog.records
    assert (
        "purpose 'metrics': the lock file beside the table of the store cannot be used: Is a directory"
        in record.getMessage()
    )
    lock.rmdir()
    assert leader.lead()
    leader.resign()
    lock.unlink()
    lock.mkdir()
    assert leader.lead()
    assert 2 == len(caplog.records)


def test_it_says_what_it_is(leader: Leader) -> None:
    """Its purpose, and of which store."""
    assert repr(leader).startswith("<Leader 'metrics' of <Store 'shop' at ")


def test_counts_are_what_was_counted_since(leader: Leader, store: Store) -> None:
    """Of each fuse with something new; the next ones begin where these end."""
    db, mail = (CircuitBreaker(name, threshold=2, store=store) for name in ("db", "mail"))
    db.call(int)
    trip(mail)
    with pytest.raises(Exception, match="mail"):
        mail.call(int)
    counts = leader.counts()
    assert isinstance(counts, Counts)
    assert {"db": FuseCounts(successes=1), "mail": FuseCounts(failures=2, rejections=1, trips=1)} == dict(counts)
    counts.done()
    assert {} == exported(leader)
    db.call(int)
    assert {"db": FuseCounts(successes=1)} == exported(leader)


def test_counts_that_were_not_exported_come_again(leader: Leader, store: Store) -> None:
    """Whoever leads then, and with what was counted meanwhile."""
    db = CircuitBreaker("db", store=store)
    db.call(int)
    assert {"db": FuseCounts(successes=1)} == dict(leader.counts() or {})
    leader.resign()
    db.call(int)
    assert {"db": FuseCounts(successes=2)} == exported(leader)


def test_an_export_that_is_done_late_or_twice_takes_nothing_back(leader: Leader, store: Store) -> None:
    """What was exported since stays exported."""
    db = CircuitBreaker("db", store=store)
    db.call(int)
    late = leader.counts()
    assert late is not None
    db.call(int)
    assert {"db": FuseCounts(successes=2)} == exported(leader)
    late.done()
    late.done()
    assert {} == exported(leader)


def test_slow_calls_are_counted(private_store: Store, clock: Clock) -> None:
    """Beside what they are else."""
    breaker = CircuitBreaker("db", policy=SlowRate(1.0, slow_after=1, window=60, min_calls=50), store=private_store)
    breaker.call(lambda: clock.advance(2))
    breaker.call(int)
    assert {"db": FuseCounts(successes=2, slow=1)} == exported(private_store.leader("metrics"))


def test_a_reset_begins_the_counts_anew(leader: Leader, store: Store) -> None:
    """What was exported before is not taken from what is counted after; a late word of before changes nothing."""
    db = CircuitBreaker("db", store=store)
    fail(db)
    assert {"db": FuseCounts(failures=1)} == exported(leader)
    fail(db, 2)
    late = leader.counts()
    assert late is not None
    assert {"db": FuseCounts(failures=2)} == dict(late)
    store.reset_all()
    fail(db, 4)
    late.done()
    assert {"db": FuseCounts(failures=4)} == exported(leader)


def test_the_next_tenant_of_a_place_begins_anew(clock: Clock) -> None:
    """A fuse that was removed takes its marks with it, and a late word of it is no word of the next one."""
    store = Store.private(fuses=1, clock=clock)
    leader = store.leader("metrics", lease=3600)
    fail(CircuitBreaker("old", store=store), 3)
    late = leader.counts()
    assert late is not None
    assert {"old": FuseCounts(failures=3)} == exported(leader)
    clock.advance(3600)
    assert store.remove("old")
    clock.advance(120)
    new = CircuitBreaker("new", store=store)
    fail(new, 3)
    late.done()
    fail(new)
    assert 0 == store.overflowed
    assert {"new": FuseCounts(failures=4)} == exported(leader)


def test_fuses_of_this_process_alone_are_not_exported(leader: Leader, store: Store) -> None:
    """Other processes have such fuses as well, which nobody could export."""
    for number in range(40):
        CircuitBreaker(f"fuse{number}", store=store).call(int)
    assert store.overflowed > 0
    assert 40 - store.overflowed == len(exported(leader))


def test_counts_are_for_one_purpose(store: Store) -> None:
    """Two would take counts from each other."""
    with pytest.raises(ValueError, match="purpose must be 'metrics' to export counts, got 'agent'"):
        store.leader("agent").counts()


def test_counts_are_a_mapping_of_tuples(leader: Leader, store: Store) -> None:
    """By name; with a repr that shows them."""
    CircuitBreaker("db", store=store).call(int)
    counts = leader.counts()
    assert counts is not None
    assert (1, ["db"], True, None) == (len(counts), list(counts), "db" in counts, counts.get("mail"))
    assert (1, NOTHING.failures) == (counts["db"].successes, counts["db"].failures)
    assert f"<Counts {dict(counts)!r}>" == repr(counts)
