"""Transitions: what they are, and how they reach the log, listeners and streams."""
