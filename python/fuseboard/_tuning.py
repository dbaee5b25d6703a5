"""Settings from where operators have them: keyword arguments, the environment, a TOML file."""

import dataclasses
import difflib
import os
import re
import tomllib
from typing import Any

from fuseboard._checks import shown
from fuseboard._settings import Changes, Settings

_NAMES = [field.name for field in dataclasses.fields(Settings)]


def changed(settings: Settings, changes: Changes) -> Settings:
    """Settings with some of them changed.

    Raises:
        TypeError: there is no setting of a name; the message names the nearest one.
    """
    for name in changes:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; the settings are {', '.join(_NAMES)}"
            raise TypeError(f"CircuitBreaker() got an unexpected keyword argument {name!r}{hint}")
    return dataclasses.replace(settings, **changes) if changes else settings


def variable(fuse: str, setting: str) -> str:
    """The environment variable that tunes a setting of a fuse: in capitals, with underscores for odd characters."""
    return f"FUSEBOARD_{re.sub(r'[^0-9A-Za-z]', '_', fuse)}_{setting}".upper()


def from_environment(fuse: str, settings: Settings) -> Settings:
    """Settings with those changed that the environment has: values as in TOML, or bare words.

    Raises:
        TypeError: a variable holds a value of the wrong type; the message names the variable.
        ValueError: a variable holds a value out of range.
    """
    found = {name: variable(fuse, name) for name in _NAMES if variable(fuse, name) in os.environ}
    for name, source in found.items():
        text = os.environ[source]
        try:
            settings = dataclasses.replace(settings, **_value(name, text))
        except (TypeError, ValueError) as error:
            raise type(error)(f"environment variable {source}={shown(text)}: {error}") from None
    return settings


def _value(name: str, text: str) -> dict[str, Any]:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    parsed = Settings.from_mapping({name: value})
    values = {name: getattr(parsed, name)}
    if name == "policy":
        # Instead of the count that the code may have given.
        values |= {"threshold": parsed.threshold, "window": parsed.window}
    return values
