"""What these tests take for granted: a host of their own, and processes on it that do not outlive it."""

from hosts import folder, forked

__all__ = ["folder", "forked"]
