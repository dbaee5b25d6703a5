"""The states of a fuse."""

import enum

from fuseboard import _core


@_core.first
class State(enum.Enum):
    """What a fuse does with calls. Compare with ``is``; ``value`` is the word for logs and dashboards."""

    CLOSED = "closed"
    """Calls pass, failures are counted. Also the state of a fuse never seen (rule R01)."""
    OPEN = "open"
    """Calls are rejected until the open time is over (rules R05, R06)."""
    HALF_OPEN = "half-open"
    """Probes pass, other calls are rejected (rule R06)."""
    ISOLATED = "isolated"
    """An operator rejects every call (rule R12)."""
    DISABLED = "disabled"
    """An operator admits every call (rule R12)."""

    RAMPING = "ramping"
    """The probes have succeeded; a growing share of the calls passes, failures are counted (setting ``ramp``)."""

    @property
    def code(self) -> int:
        """The number that stands for the state in the table, 1 to 6."""
        return _CODES[self]

    @staticmethod
    def of_code(code: int) -> "State":
        """The state that a number of the table stands for.

        Raises:
            KeyError: for a number that is no state's.
        """
        return _STATES[code]


_CODES = {State.CLOSED: 1, State.OPEN: 2, State.HALF_OPEN: 3, State.ISOLATED: 4, State.DISABLED: 5, State.RAMPING: 6}
_STATES = {code: state for state, code in _CODES.items()}
_BY_TEXT = {word: state for state in State for word in (state.value, state.name, str(state), repr(state))}


def parse_state(text: object) -> State | None:
    """The state with this value, name or repr, or the one that equals the member of another import of this module.

    None if there is none.
    """
    word = text._value_ if isinstance(text, enum.Enum) else text
    return _BY_TEXT.get(str.__str__(word)) if isinstance(word, str) else None
