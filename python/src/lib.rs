//! The native half of the Python package `trip99`. What Python users see is told in `_trip99.pyi` and in docs/python.md.

// In the order that data flows: a file uses only files above it. (Calls and breakers know each other.)
mod errors;
mod settings;
mod values;
mod owned;
mod rows;
mod replay;
mod tune;
mod events;
mod pages;
mod observer;
mod call;
mod breaker;

#[pyo3::pymodule]
mod _trip99 {
    #[pymodule_export]
    use crate::breaker::Breaker;
    #[pymodule_export]
    use crate::call::{Call, InFlight};
    #[pymodule_export]
    use crate::errors::{ConfigError, LogError, OwnerError, SharedError};
    #[pymodule_export]
    use crate::events::Events;
    #[pymodule_export]
    use crate::observer::Observer;
    #[pymodule_export]
    use crate::owned::note_fork;
    #[pymodule_export]
    use crate::pages::{halt, pages, resume};
    #[pymodule_export]
    use crate::replay::replay;
    #[pymodule_export]
    use crate::settings::text;
    #[pymodule_export]
    use crate::tune::{show_ns, tune_columns};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
