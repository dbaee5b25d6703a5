//! A breaker's settings, which Python hands over and gets back as a dictionary of numbers. Python has checked them.

use fuseboard_core::policy::Policy;
use fuseboard_core::rate::RATE_WINDOWS;
use fuseboard_core::rate::Rate;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use siphasher::sip::SipHasher13;

/// Takes the items of a dictionary by the names of the fields. PyO3's own way interns the names when they are first needed
/// (see `at_import.rs`).
macro_rules! from_items {
    ($(#[$about:meta])* struct $name:ident { $($field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        pub(crate) struct $name {
            $($field: $kind,)*
        }

        impl FromPyObject<'_, '_> for $name {
            type Error = PyErr;

            fn extract(items: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
                Ok(Self { $($field: items.get_item(stringify!($field))?.extract()?,)* })
            }
        }
    };
}

from_items! {
    /// The items of the dictionary; `rates` has an item for each measure: span, bad ones of a million, least number of
    /// calls and the time of a slow one.
    struct Numbers {
        threshold: u32,
        window_us: u64,
        reset_us: u64,
        multiplier_permille: u32,
        longest_us: u64,
        jitter_ppm: u32,
        probes: u32,
        success_threshold: u32,
        probe_failures: u32,
        probe_us: u64,
        half_open_us: u64,
        ramp_us: u64,
        ramp_from_ppm: u32,
        clear_on_success: bool,
        rates: [Option<(u64, u32, u32, u64)>; RATE_WINDOWS],
    }
}

impl Numbers {
    pub(crate) fn policy(self) -> Policy {
        let rates = self
            .rates
            .map(|rate| rate.map(|(span, bad_ppm, min_calls, slow_us)| Rate { span, bad_ppm, min_calls, slow_us }));
        Policy {
            threshold: self.threshold,
            window_us: self.window_us,
            reset_us: self.reset_us,
            multiplier_permille: self.multiplier_permille,
            longest_us: self.longest_us,
            jitter_ppm: self.jitter_ppm,
            probes: self.probes,
            success_threshold: self.success_threshold,
            probe_failures: self.probe_failures,
            probe_us: self.probe_us,
            half_open_us: self.half_open_us,
            ramp_us: self.ramp_us,
            ramp_from_ppm: self.ramp_from_ppm,
            clear_on_success: self.clear_on_success,
            rates,
        }
    }
}

/// A policy as such a dictionary.
pub(crate) fn items<'py>(py: Python<'py>, policy: &Policy) -> PyResult<Bound<'py, PyDict>> {
    let items = PyDict::new(py);
    items.set_item("threshold", policy.threshold)?;
    items.set_item("window_us", policy.window_us)?;
    items.set_item("reset_us", policy.reset_us)?;
    items.set_item("multiplier_permille", policy.multiplier_permille)?;
    items.set_item("longest_us", policy.longest_us)?;
    items.set_item("jitter_ppm", policy.jitter_ppm)?;
    items.set_item("probes", policy.probes)?;
    items.set_item("success_threshold", policy.success_threshold)?;
    items.set_item("probe_failures", policy.probe_failures)?;
    items.set_item("probe_us", policy.probe_us)?;
    items.set_item("half_open_us", policy.half_open_us)?;
    items.set_item("ramp_us", policy.ramp_us)?;
    items.set_item("ramp_from_ppm", policy.ramp_from_ppm)?;
    items.set_item("clear_on_success", policy.clear_on_success)?;
    let rate = |rate: Rate| (rate.span, rate.bad_ppm, rate.min_calls, rate.slow_us);
    items.set_item("rates", policy.rates.map(|found| found.map(rate)))?;
    Ok(items)
}

/// A number from 1 to 2^64 - 1 that stands for settings, and is the same in every process.
///
/// Other settings have another one, except by chance.
#[pyfunction]
pub(crate) fn settings_hash(settings: &str) -> u64 {
    // It stands in the table, so it is of an algorithm that is written down: SipHash-1-3, with a key of zeroes.
    SipHasher13::new().hash(settings.as_bytes()).max(1)
}
