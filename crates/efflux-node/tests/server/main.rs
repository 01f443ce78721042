//! A node as its clients see it: over real connections on the loopback address.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "in tests"
)]

mod appending;
mod client;
mod consuming;
mod events;
mod hostile;
mod large;
mod limits;
mod program;
mod reading;
mod remote;
mod security;
mod topics;
