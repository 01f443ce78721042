//! A node as its clients see it: over real connections on the loopback address.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "in tests"
)]

mod appending;
mod certificates;
mod client;
mod console;
mod consuming;
mod described;
mod encryption;
mod events;
#[cfg(feature = "otlp")]
mod exporting;
mod hostile;
mod large;
mod limits;
mod pages;
mod pipelining;
mod program;
mod reading;
mod remote;
mod restoring;
mod secure_client;
mod security;
mod topics;
