"""What the environment says: ``FUSEBOARD_<FUSE>_<SETTING>`` for a fuse, ``FUSEBOARD_SHADOW`` for the process."""

import os
import re

from fuseboard._events.log import logger
from fuseboard._once import Once
from fuseboard._policy import from_data, suggestions
from fuseboard._policy.settings import NAMES, Settings, changed
from fuseboard._validation import shown

SHADOW = "FUSEBOARD_SHADOW"
"""The variable that makes each breaker of a process a shadow."""
_ON, _OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_once = Once()


def prefix_of(fuse: str) -> str:
    """How the environment variables of a fuse begin: its name in capitals, with underscores for other characters."""
    return f"FUSEBOARD_{re.sub(r'[^0-9A-Za-z]', '_', fuse)}_".upper()


def tuned(fuse: str, settings: Settings) -> Settings:
    """Settings with the environment's changes. Values are written as in TOML, or as bare words.

    Raises:
        TypeError: a variable holds a value of the wrong type; the message names the variables.
        ValueError: a variable holds a value out of range, or one that does not go with the others.
    """
    prefix = prefix_of(fuse)
    suggestions.log_mistyped(fuse, prefix, NAMES)
    sources = {name: prefix + name.upper() for name in NAMES}
    # An empty variable says nothing: a template may have left it empty.
    texts = {name: text for name, source in sources.items() if (text := os.environ.get(source, "")).strip()}
    if not texts:
        return settings
    try:
        # All at once: two of them may be valid only together.
        return changed(settings, from_data.values_of({name: _parsed(text) for name, text in texts.items()}))
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{sources[name]}={shown(text)}" for name, text in texts.items())
        variables = "variable" if len(texts) == 1 else "variables"
        raise type(error)(f"environment {variables} {given}: {error}") from None


def is_shadowed() -> bool:
    """Whether the environment makes the breakers of this process shadows. Logged the first time.

    Raises:
        ValueError: the variable means neither yes nor no.
    """
    text = os.environ.get(SHADOW, "")
    word = text.strip().lower()
    if word in _OFF:
        return False
    if word not in _ON:
        raise ValueError(
            f"environment variable {SHADOW}={shown(text)} must be 1 or 0, true or false, yes or no, on or off"
        )
    if _once.is_first(SHADOW):
        logger.warning(
            "%s=%s: the breakers of this process reject no calls. They still decide, count and write the journal.",
            SHADOW,
            text,
        )
    return True


def _parsed(text: str) -> object:
    import tomllib  # noqa: PLC0415 - for variables alone, where there are any

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
