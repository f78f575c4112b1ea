//! Pages in files, by which breakers show themselves to other processes: where a page is, and how its breaker stands.

pub(crate) mod place;
pub(crate) mod in_force;
pub(crate) mod reading;
pub(crate) mod note;
pub(crate) mod standing;
pub(crate) mod words;
pub(crate) mod folder;
pub(crate) mod row;
pub(crate) mod json;
