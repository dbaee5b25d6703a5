"""Settings from where operators have them: keyword arguments, the environment, a TOML file."""

import os
import re
from typing import Any

from fuseboard import _plain
from fuseboard._checks import shown
from fuseboard._settings import Changes, Settings

_DEFAULTS = Settings()
_NAMES = Settings.__match_args__


def changed(settings: Settings, changes: Changes) -> Settings:
    """Settings with some of them changed.

    Raises:
        TypeError: there is no setting of a name; the message names the nearest one.
    """
    for name in changes:
        if name not in _NAMES:
            import difflib  # noqa: PLC0415 - for mistakes alone

            near = difflib.get_close_matches(name, _NAMES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; the settings are {', '.join(_NAMES)}"
            raise TypeError(f"CircuitBreaker() got an unexpected keyword argument {name!r}{hint}")
    return _replaced(settings, dict(changes))


def variable(fuse: str, setting: str) -> str:
    """The environment variable that tunes a setting of a fuse: in capitals, with underscores for odd characters."""
    return f"FUSEBOARD_{re.sub(r'[^0-9A-Za-z]', '_', fuse)}_{setting}".upper()


def from_environment(fuse: str, settings: Settings) -> Settings:
    """Settings with those changed that the environment has: values as in TOML, or bare words.

    Raises:
        TypeError: a variable holds a value of the wrong type; the message names the variables.
        ValueError: a variable holds a value out of range, or one that does not go with the others.
    """
    # A variable that is empty says nothing, as where a template left it out.
    found = {name: variable(fuse, name) for name in _NAMES if os.environ.get(variable(fuse, name), "").strip()}
    if not found:
        return settings
    texts = {name: os.environ[source] for name, source in found.items()}
    try:
        # All at once: two of them may make sense together only.
        return _replaced(settings, _plain.from_words({name: _parsed(text) for name, text in texts.items()}))
    except (TypeError, ValueError) as error:
        sources = ", ".join(f"{source}={shown(texts[name])}" for name, source in found.items())
        variables = "variable" if len(found) == 1 else "variables"
        raise type(error)(f"environment {variables} {sources}: {error}") from None


def _replaced(settings: Settings, values: dict[str, Any]) -> Settings:
    if values.get("policy") is not None:
        # Instead of the count that there may be, and not beside it.
        values = {"threshold": _DEFAULTS.threshold, "window": _DEFAULTS.window} | values
    return settings.__replace__(**values)


def _parsed(text: str) -> object:
    import tomllib  # noqa: PLC0415 - for variables alone, where there are any

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
