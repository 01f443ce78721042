//! The bounds of what is asked by HTTP, each with its unit and reason.

use std::time::Duration;

/// The shortest time between two requests: 100 ms. What changes more often has a better way to tell.
pub(super) const EVERY_MIN: Duration = Duration::from_millis(100);

/// Bytes of an answer: 64 MiB. It is held in memory, with the elements that it becomes.
pub(super) const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Elements of one answer: 100,000. They are held in memory until they are delivered.
pub(super) const ELEMENTS_MAX: usize = 100_000;

/// Names in the path of the elements: 32.
pub(super) const PATH_NAMES_MAX: usize = 32;
