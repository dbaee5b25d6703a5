"""What chance has the processes of a history do. Free of pytest."""

import os
import random
import time
from pathlib import Path

from fuse_model import FAILURE
from player import FUSES, PLAYERS, Log, Player, board_size
from workers import Post, Words

MIXES: dict[str, dict[str, int]] = {
    "all": {"record_failure": 4, "record_success": 2, "set": 2, "command": 1, "look": 3, "all_states": 1, "snapshot": 1,
            "reset_all": 1, "admit": 6, "settle": 8, "drop": 1},
    "counts": {"record_failure": 8, "record_success": 2, "look": 1, "snapshot": 2, "reset_all": 1},
    "calls": {"admit": 8, "settle": 9, "drop": 1, "look": 1},
    "probes": {"admit": 8, "settle": 6, "drop": 2, "set": 1},
    "policies": {"admit": 8, "settle": 10, "drop": 1, "set": 1, "look": 1},
    "changes": {"set": 4, "command": 2, "look": 3, "all_states": 1, "reset_all": 1, "record_failure": 1},
}  # fmt: skip
PLAIN = [mix for mix in MIXES if mix != "policies"]


class Chance:
    """Chooses a player's operations."""

    def __init__(self, seed: int, mix: str, seat: int, *, killing: bool, sending: bool = True) -> None:
        self.random = random.Random(seed)  # noqa: S311 - to be repeated
        weights = MIXES[mix] | ({"stop": 1, "go_on": 1} if sending else {})
        self.words, self.weights = list(weights), list(weights.values())
        self.length = self.random.randint(8, 32)
        self.others = [other for other in range(PLAYERS) if other != seat]
        self.kill_at = self.random.randrange(self.length) if killing else -1

    def play(self, player: Player) -> None:
        """Does so many operations."""
        for turn in range(self.length):
            if turn == self.kill_at:
                self._send(player, "kill")
            self._act(player, self.random.choices(self.words, self.weights)[0])
            if self.random.random() < 0.2:
                os.sched_yield()  # to the players on the same core

    def _act(self, player: Player, word: str) -> None:
        choose = self.random
        fuse = int(choose.random() < 0.4)
        if word in ("all_states", "snapshot", "reset_all"):
            getattr(player, word)()
        elif word in ("record_failure", "record_success"):
            getattr(player, word)(fuse)
        elif word == "set":
            player.set(fuse, choose.randint(1, 3))
        elif word == "command":
            player.command(fuse, choose.choice([1, 1, 4, 5]), choose.random() < 0.5)
        elif word == "look":
            player.look(fuse, choose.random() < 0.5)
        elif word == "admit":
            player.admit(choose.choice(["hasty", "hasty", "hasty", "patient"]))
        elif word == "stop":
            self._send(player, word)
        elif word == "go_on":
            player.send(word, choose.choice(self.others))
        elif player.calls:
            self._end_call(player, word)

    def _send(self, player: Player, word: str) -> None:
        """Kills or stops somebody, in the middle of an operation if there is one who is in it, or a little later."""
        others = self.random.sample(self.others, len(self.others))
        seat = player.log.wait_for_one_inside(others)
        for _ in range(self.random.randrange(30)):
            pass
        player.send(word, others[0] if seat is None else seat)

    def _end_call(self, player: Player, word: str) -> None:
        index = self.random.randrange(len(player.calls))
        if word == "drop" and player.calls[index][2].is_probe:
            player.drop(index)
        else:
            player.settle(index, self.random.choice(player.outcomes))


def close(player: Player) -> None:
    """What is seen when all is over: it pins down how the history must have ended."""
    player.all_states()
    player.snapshot()
    for kind in ("patient", "hasty", "hasty"):
        player.admit(kind)
    player.look(0, by_handle=True)
    while player.calls:
        player.settle(0, FAILURE)
    for fuse in range(len(FUSES)):
        player.record_failure(fuse)
    player.snapshot()


def play(post: Post, board: Path, seat: int, player_class: type[Player] = Player) -> None:
    """A process that plays one history after the other, until it is killed."""
    words = Words(board, board_size())
    while True:
        host, mix, numbers, seed, pids, killing = post.hear()
        log = Log(words, seat)
        player = player_class(log, host, seat, numbers)
        chance = Chance(seed, mix, seat, killing=killing)
        player.pidfds = [os.pidfd_open(pid) for pid in pids]
        post.say("ready")
        while not 0 < words[0] < time.monotonic_ns():
            os.sched_yield()
        chance.play(player)
        for pidfd in player.pidfds:
            os.close(pidfd)
        post.say("done")
