"""What these tests take for granted: a host of their own, and teams of processes on it."""

from hosts import folder, forked, host, spawned, team

__all__ = ["folder", "forked", "host", "spawned", "team"]
