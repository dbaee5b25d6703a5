"""The test's side of the histories: starts the players, has them play, and reads what they have noted."""

import collections
import contextlib
import dataclasses
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any

import chance
from checker import Operation
from draws import AnyNumbers, plain_numbers
from fuse_model import IGNORED
from history import History
from player import (
    ANSWER,
    ARGUMENT,
    BEGUN,
    COUNTERS,
    ENDED,
    FUSES,
    PLAYERS,
    SIZE,
    WORD,
    WORDS,
    Log,
    Player,
    board_size,
)
from team import Team, Worker
from workers import PATIENCE, Words

READ_TRIES = 16
"""How often a snapshot looks again for failures that belong to the state it tells; see ``CellSnapshot`` in the core."""
WRITING = {"record_failure", "record_success", "set", "command", "forget", "admit", "settle"}
PARTS = {"all_states": ("listed", 2), "snapshot": ("snapshot", 3 + len(COUNTERS)), "reset_all": ("forget", 0)}
"""Operations on all fuses: none is promised to be of one instant for all of them, so each is one for every fuse."""


class Arena:
    """Players that are replaced when they are killed, and a board on which they note what they do."""

    def __init__(self, team: Team, folder: Path, player_class: type[Player] = Player) -> None:
        self.team = team
        self.folder = folder
        self.player_class = player_class
        self.board = folder / "board"
        self.words = Words(self.board, board_size())
        self.logs = [Log(self.words, seat) for seat in range(PLAYERS + 1)]
        self.players = [self._start(seat) for seat in range(PLAYERS)]
        self.deaths: dict[int, int] = {}

    def _start(self, seat: int) -> Worker:
        return self.team.start(1, chance.play, self.board, seat, self.player_class)[0]

    def play(
        self,
        seed: int,
        mixes: Sequence[str] = tuple(chance.PLAIN),
        kills: int | None = None,
        draw: Callable[[random.Random], AnyNumbers] = plain_numbers,
    ) -> History:
        """Has the players play one history, and reads it."""
        dice = random.Random(seed)  # noqa: S311 - to be repeated
        mix, numbers = dice.choice(mixes), draw(dice)
        killers = dice.sample(range(PLAYERS), dice.choice([0, 1, 1, 2]) if kills is None else kills)
        with self._own(f"history-{seed}", numbers) as own:
            self._prepare((f"history-{seed}", mix, numbers), dice, killers)
            self.words[0] = time.monotonic_ns() + 100_000
            self._wait()
            chance.close(own)
            history = self._read(seed, mix, numbers, own)
        for seat in self.deaths:
            self.players[seat] = self._start(seat)
        return history

    def play_alone(self, seed: int, mix: str, draw: Callable[[random.Random], AnyNumbers] = plain_numbers) -> History:
        """Plays one history in the test's own process, and reads it."""
        dice = random.Random(seed)  # noqa: S311 - to be repeated
        numbers = draw(dice)
        with self._own(f"alone-{seed}", numbers) as own:
            chance.Chance(seed, mix, PLAYERS, killing=False, sending=False).play(own)
            chance.close(own)
            return self._read(seed, mix, numbers, own)

    @contextlib.contextmanager
    def _own(self, host: str, numbers: AnyNumbers) -> Iterator[Player]:
        """The test's own hold of a fresh table, and fresh logs."""
        self.words[0] = 0
        self.deaths = {}
        for log in self.logs:
            log.wipe()
        own = self.player_class(self.logs[PLAYERS], host, PLAYERS, numbers)
        try:
            yield own
        finally:
            own.store.close()
            next(self.folder.glob(f"{host}.*")).unlink()

    def _prepare(self, table: tuple[str, str, AnyNumbers], dice: random.Random, killers: list[int]) -> None:
        pids = [worker.pid for worker in self.players]
        for seat, worker in enumerate(self.players):
            worker.pipe.send((*table, dice.getrandbits(32), pids, seat in killers))
        for worker in self.players:
            assert "ready" == worker.hear()

    def _wait(self) -> None:
        """Waits until each player is done or dead; lets those go on that others have stopped."""
        playing_on = dict(enumerate(self.players))
        until = time.monotonic() + PATIENCE
        while playing_on:
            assert time.monotonic() < until, "a player hangs"
            pipes = {worker.pipe: seat for seat, worker in playing_on.items()}
            for pipe in connection.wait(list(pipes), 0.005):
                seat = pipes[pipe]  # type: ignore[index]
                self._hear(seat, playing_on.pop(seat))
            for seat in playing_on:
                self.players[seat].go_on()
        for seat in range(PLAYERS):
            self._bury_if_killed(seat)
            if seat not in self.deaths:
                self.players[seat].go_on()  # it may have been stopped when it was done

    def _hear(self, seat: int, worker: Worker) -> None:
        try:
            sound, said = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._bury(seat)
        else:
            assert sound, said

    def _bury_if_killed(self, seat: int) -> None:
        """Of a player that was done when it was killed nobody hears; nor of whether a dead one's last kill was sent."""
        killed = any(
            seat == record[ARGUMENT + 1] for log in self.logs for record in log.records() if _is(record, "kill")
        )
        if killed and seat not in self.deaths:
            self.players[seat].process.kill()
            self._bury(seat)

    def _bury(self, seat: int) -> None:
        worker = self.players[seat]
        worker.process.join(PATIENCE)
        assert -signal.SIGKILL == worker.process.exitcode, f"a player ended with {worker.process.exitcode}"
        self.deaths[seat] = time.monotonic_ns()
        self.team.bury(worker)

    def _read(self, seed: int, mix: str, numbers: AnyNumbers, own_hold: Player) -> History:
        told, looked = _told(own_hold.store), time.monotonic_ns()
        records = {seat: list(log.records()) for seat, log in enumerate(self.logs)}
        fuses: dict[str, list[Operation]] = {name: [] for name in FUSES}
        for seat, own in records.items():
            for place, record in enumerate(own):
                for fuse, operation in _operations(seat, place, record):
                    fuses[fuse].append(operation)
        for name in FUSES:
            fuses[name] += [self._death(seat, records) for seat in self.deaths]
            fuses[name].append(Operation(PLAYERS, "journal", (), looked, looked + 1, ()))
            fuses[name] = [_as_promised(each, fuses[name]) for each in fuses[name]]
        everything = [record for own in records.values() for record in own]
        figures = collections.Counter(
            histories=1,
            operations=sum(WORDS[record[WORD]] not in ("kill", "stop", "go_on") for record in everything),
            kills=len(self.deaths),
            stops=sum(_is(record, "stop") for record in everything),
            pending=sum(not record[ENDED] for record in everything),
            overlapping=sum(_overlaps(each, operations) for operations in fuses.values() for each in operations),
            told=sum(map(len, told.values())),
            loosened=sum(each.word == "listed" and len(each.argument) > 0 for own in fuses.values() for each in own),
        )
        return History(seed, mix, numbers, fuses, told, figures)

    def _death(self, seat: int, records: dict[int, list[list[int]]]) -> Operation:
        """A death lies between the kill, or the last sign of life after it, and the burial."""
        killed = min(
            record[BEGUN]
            for own in records.values()
            for record in own
            if _is(record, "kill") and record[ARGUMENT + 1] == seat
        )
        last = max((max(record[BEGUN], record[ENDED]) for record in records[seat]), default=0)
        return Operation(seat, "death", (), max(killed, last), self.deaths[seat], ())


def _told(store: Any) -> dict[str, dict[int, tuple[int, int]]]:
    """What the journal tells of each fuse. In the order of its records, which is that of their generations."""
    told: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in FUSES}
    assert store.journal_dropped == 0, "a history is too short to lap the ring"
    for fuse, before, after, generation, *_ in store._journal():
        assert generation > max(told[fuse], default=0)
        told[fuse][generation] = (before, after)
    return told


def _is(record: list[int], word: str) -> bool:
    return WORDS[record[WORD]] == word


def _operations(seat: int, place: int, record: list[int]) -> Iterator[tuple[str, Operation]]:
    """What a record says of each fuse."""
    word, ended = WORDS[record[WORD]], record[ENDED] or None
    answer = tuple(record[ANSWER : ANSWER + record[SIZE]]) if ended else None
    arguments = record[ARGUMENT:SIZE]
    if word in PARTS:
        part, size = PARTS[word]
        for index, fuse in enumerate(FUSES):
            own = answer[index * size : (index + 1) * size] if answer is not None else None
            counters = own[3:] if own and word == "snapshot" else ()
            told = own[:3] if own and word == "snapshot" else own
            yield fuse, Operation(seat, part, counters, record[BEGUN], ended, told, (seat, place))
    elif word not in ("kill", "stop", "go_on"):
        argument: tuple[Any, ...] = {
            "set": (arguments[1],),
            "command": (arguments[1],),
            "admit": ("hasty" if arguments[1] else "patient",),
            "settle": ((seat, arguments[1]), arguments[2]),
            "drop": ((seat, arguments[1]), IGNORED, "dropped"),
        }.get(word, ())
        part = "settle" if word == "drop" else word
        yield FUSES[arguments[0]], Operation(seat, part, argument, record[BEGUN], ended, answer, (seat, place))


def _as_promised(operation: Operation, others: list[Operation]) -> Operation:
    """A snapshot's failures are of the instant of its state, unless the fuse changed at each of its looks."""
    if operation.word == "snapshot" and operation.answer is not None:
        changes = sum(each.word in WRITING and _at_once(operation, each) for each in others)
        if changes >= READ_TRIES:
            return dataclasses.replace(operation, word="listed", answer=operation.answer[:2])
    return operation


def _at_once(one: Operation, other: Operation) -> bool:
    return (one.ended is None or other.begun < one.ended) and (other.ended is None or one.begun < other.ended)


def _overlaps(operation: Operation, others: list[Operation]) -> bool:
    return any(each.process != operation.process and _at_once(operation, each) for each in others)
