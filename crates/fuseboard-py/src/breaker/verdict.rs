//! What the end of a call means, as the package says it, and what need not be asked again.

use fuseboard_shm::handle::Outcome;
use pyo3::Borrowed;
use pyo3::exceptions::PyBaseException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::interpreter::link::Link;

const IGNORED: u8 = 0;
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;

/// `fuseboard._breaker.classify.Verdict`.
pub(crate) struct Verdict<'py> {
    code: u8,
    pub(crate) by_class: bool,
    demands: bool,
    asked_us: u64,
    pub(crate) error: Option<Bound<'py, PyBaseException>>,
    /// What the journal shows where there is no exception.
    pub(crate) label: Option<String>,
}

impl<'py> FromPyObject<'_, 'py> for Verdict<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let (code, by_class, demands, asked_us, error, label) = object.extract()?;
        Ok(Self { code, by_class, demands, asked_us, error, label })
    }
}

impl Verdict<'_> {
    /// For a call of which nobody can say what its end means.
    pub(crate) const fn failed() -> Self {
        Self { code: FAILURE, by_class: false, demands: false, asked_us: 0, error: None, label: None }
    }

    pub(crate) const fn outcome(&self) -> Outcome {
        match (self.code, self.demands, self.asked_us) {
            (IGNORED, ..) => Outcome::Ignored,
            (SUCCESS, ..) => Outcome::Success,
            (_, false, 0) => Outcome::Failure,
            (_, demands, asked_us) => Outcome::FailureWithDemand { demands, asked_us },
        }
    }
}

/// For each outcome, the class of the last exception that had this outcome by its class alone. One class each is enough:
/// where many calls raise, most of them raise the same few classes.
#[derive(Default)]
pub(crate) struct Meanings {
    failed: Link<PyType>,
    succeeded: Link<PyType>,
    ignored: Link<PyType>,
}

impl Meanings {
    /// What an exception of this class means, if that is remembered.
    pub(crate) fn of(&self, class: &Bound<'_, PyType>) -> Option<Outcome> {
        let is_of = |link: &Link<PyType>| link.get(class.py()).is_some_and(|known| known.is(class));
        if is_of(&self.failed) {
            Some(Outcome::Failure)
        } else if is_of(&self.succeeded) {
            Some(Outcome::Success)
        } else {
            is_of(&self.ignored).then_some(Outcome::Ignored)
        }
    }

    pub(crate) fn remember(&self, outcome: Outcome, class: Bound<'_, PyType>) {
        let link = match outcome {
            Outcome::Failure | Outcome::FailureWithDemand { .. } => &self.failed,
            Outcome::Success => &self.succeeded,
            Outcome::Ignored => &self.ignored,
        };
        link.set(class.py(), Some(class));
    }

    /// Shows the garbage collector what is remembered.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.failed, &self.succeeded, &self.ignored].into_iter().try_for_each(|link| link.traverse(visit))
    }
}
