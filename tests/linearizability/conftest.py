"""What these tests take for granted: a host of their own, and processes on it that do not outlive it."""

import pytest
from hosts import folder, forked

__all__ = ["folder", "forked"]

# pytest shows both sides of a comparison only in the files that it collects, and in those that it is told of.
pytest.register_assert_rewrite("host_machine", "policy_machine", "policy_host", "arena")
