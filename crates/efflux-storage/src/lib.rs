//! efflux-storage
pub use efflux_particle::{self as particle};
