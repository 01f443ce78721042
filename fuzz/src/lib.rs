//! What each fuzz target does with its input. `crates/efflux-storage/tests/hostile.rs` runs the same
//! functions on inputs that a seed makes, so that CI does not need libFuzzer.

pub mod allocations;

pub mod backwards;
pub mod content;
pub mod frame;
pub mod metadata;
pub mod query;
pub mod wire;

mod edits;
mod small_store;

pub mod head;
pub mod journal;
pub mod offsets;
pub mod segment;

pub mod pipeline_file;
pub mod template;
pub mod transforms;

pub use efflux_pipeline as pipeline;
pub use efflux_storage::{self as storage, particle};
