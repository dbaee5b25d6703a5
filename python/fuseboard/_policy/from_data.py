"""Settings and policies from data such as a TOML table, which has no None and no classes."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fuseboard._policy.policies import AnyOf, FailureRate, Failures, Policy, SlowRate
from fuseboard._validation import shown


def policy_of(data: object) -> Policy:
    """A policy from data: a mapping of a policy's attributes, or a list of such mappings.

    Raises:
        TypeError: it is something else, or has an attribute that the policy has not.
        ValueError: an attribute is out of range.
    """
    if isinstance(data, Policy):
        return data
    if isinstance(data, list) and data:
        policies = tuple(policy_of(member) for member in data)
        return policies[0] if len(policies) == 1 else AnyOf(policies)
    if isinstance(data, Mapping):
        values = _without_words(data)
        for make in (FailureRate, SlowRate, Failures):
            known = [field.name for field in fields(make)]
            if known[0] in values:
                unknown = next((name for name in values if name not in known), None)
                if unknown is not None:
                    raise TypeError(f"{make.__name__} has no attribute {shown(unknown)}; it has {', '.join(known)}")
                return make(**values)
    raise TypeError(
        "policy must be a table with threshold, failure_rate or slow_rate, or a list of such tables, "
        f"got {type(data).__name__}: {shown(data)}"
    )


def values_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with None instead of the word for it, and a policy instead of its table.

    Raises:
        TypeError: as :func:`policy_of` does; or a value is a word that only looks like one of TOML's.
        ValueError: as :func:`policy_of` does.
    """
    values = _without_words(data)
    if values.get("policy") is not None:
        values["policy"] = policy_of(values["policy"])
    return values


def _without_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data, which has no None, with None for the word."""
    for name, value in data.items():
        meant = _MEANT.get(value.lower()) if isinstance(value, str) else None
        if meant is not None and meant != value:
            raise TypeError(f"{name} must not be the text {shown(value)}; write {meant}")
    return {name: None if value == "none" else value for name, value in data.items()}


_MEANT = {
    "none": "none",
    "null": "none",
    "nil": "none",
    "true": "true, without quotes",
    "false": "false, without quotes",
}
"""How to write words that TOML does not have: with a capital, in quotes, or from another language."""
