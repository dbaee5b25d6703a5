//! States: their codes in the table, and the members of `fuseboard.State`.

use fuseboard_core::state::State;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::errors::wrong_type;
use crate::convert::package::state_members;

/// The member for a state. A fuse never seen is closed.
pub(crate) fn state_member(py: Python<'_>, state: State) -> PyResult<Bound<'_, PyAny>> {
    state_members(py)?.get_item((state.visible() as usize).max(1) - 1)
}

/// The state that a member stands for.
pub(crate) fn state_of_member(member: &Bound<'_, PyAny>) -> PyResult<State> {
    for state in [State::Closed, State::Open, State::HalfOpen, State::Isolated, State::Disabled, State::Ramping] {
        if state_member(member.py(), state)?.is(member) {
            return Ok(state);
        }
    }
    Err(wrong_type("state must be a State", member))
}

/// The state of a member's code.
pub(crate) fn state_of_code(code: u8) -> PyResult<State> {
    let state = State::from_code(code);
    if state as u8 == code && state.is_seen() {
        return Ok(state);
    }
    Err(PyValueError::new_err(format!("code must be that of a State, got {code}")))
}
