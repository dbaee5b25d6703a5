"""Breakers: what they are made of, and how they guard calls."""
