//! Backups: taken beside writers, cut off anywhere, damaged, and restored.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod crashing;
mod damaging;
mod place;
mod restoring;
mod taking;
