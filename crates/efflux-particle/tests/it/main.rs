//! What the particle format promises, from outside of the crate.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::big_endian_bytes,
    reason = "a test may stop at the first surprise"
)]

mod arbitrary;

mod bits;
mod chain;
mod content;
mod limits;
mod nonsense;
mod round_trip;
mod text;
mod vectors;
