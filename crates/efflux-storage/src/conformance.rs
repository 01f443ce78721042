//! What every backend must do, as checks that each backend's tests run.

pub use crate::disk::sim::{Guard, Random, SimDisk, Without};
