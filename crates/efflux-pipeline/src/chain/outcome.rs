//! What became of a message, or of many, in the steps of a pipeline.

use std::time::Duration;

use crate::parcel::Parcel;
use crate::stage::Stage;
use crate::stage_error::StageError;

/// What became of messages.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What goes on.
    pub(crate) parcels: Vec<Parcel>,
    /// What failed.
    pub(crate) failures: Vec<Failure>,
    /// How many were filtered out.
    pub(crate) filtered: usize,
    /// What was not taken on, because the messages before it became so much: each goes on where it
    /// stands.
    pub(crate) rest: Vec<Parcel>,
}

/// A message that failed, as it came to the stage that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) parcel: Parcel,
    pub(crate) stage: Stage,
    pub(crate) error: StageError,
    pub(crate) attempts: u32,
}

impl Failure {
    pub(crate) const fn new(parcel: Parcel, stage: Stage, error: StageError) -> Self {
        Self {
            parcel,
            stage,
            error,
            attempts: 1,
        }
    }
}

impl Outcome {
    pub(crate) fn made(parcels: Vec<Parcel>) -> Self {
        Self {
            parcels,
            ..Self::default()
        }
    }

    pub(crate) fn failed(failure: Failure) -> Self {
        Self {
            failures: vec![failure],
            ..Self::default()
        }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        self.parcels.iter().map(Parcel::weight).sum()
    }

    /// Whether one of the failures may be none when it is tried again.
    pub(crate) fn may_work_later(&self) -> bool {
        let mut failures = self.failures.iter();
        failures.any(|failure| failure.error.is_retryable())
    }

    /// How long a target asked to be left alone.
    pub(crate) fn asked(&self) -> Option<Duration> {
        let asked = self
            .failures
            .iter()
            .filter_map(|failure| match &failure.error {
                StageError::Unavailable { after, .. } => *after,
                _ => None,
            });
        asked.max()
    }

    /// The error after which nothing can go on, if there is one.
    pub(crate) fn take_fatal(&mut self) -> Option<(Stage, StageError)> {
        let is_fatal = |failure: &Failure| matches!(failure.error, StageError::Fatal(_));
        let at = self.failures.iter().position(is_fatal)?;
        let failure = self.failures.swap_remove(at);
        Some((failure.stage, failure.error))
    }
}
