//! efflux-pipeline
pub use efflux_storage::{self as storage, particle};
