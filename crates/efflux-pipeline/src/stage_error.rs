//! Why a stage failed, told so that whoever runs the pipeline can decide what follows.

use std::error::Error;

use thiserror::Error;

/// Why a stage failed.
///
/// A stage never retries, never logs and goes on, and never drops anything: it says what went
/// wrong, and the pipeline's error policy decides (retry with backoff and an end, dead-letter,
/// skip, stop).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StageError {
    /// The same input may work later: a connection was lost, the target is busy.
    #[error("{0}; it may work later")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// This input will never work: it is malformed, or the target refuses it.
    #[error("{0}")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
    /// No input will work: the settings are wrong, credentials are refused.
    #[error("{0}; the pipeline cannot go on")]
    Fatal(#[source] Box<dyn Error + Send + Sync>),
}

impl StageError {
    /// Whether the same input may work when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
