"""Stores: tables of fuses, the host's or a process's own, and what this process has open."""
