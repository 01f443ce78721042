//! efflux-flow
pub use efflux_pipeline::{self as pipeline, particle, storage};
