//! A target that is away, and how long it is waited for.

use efflux_storage::particle::ConsumerName;
use tokio::time::{Instant, sleep};

use super::options::PipelineOptions;
use crate::backoff::Backoff;
use crate::counters::{Count, Counters};
use crate::policy::Retry;
use crate::stage_error::StageError;

/// Waits while a target is away, up to the time that the policy gives it.
#[derive(Debug)]
pub(super) struct Outage<'a> {
    pipeline: &'a ConsumerName,
    retry: Retry,
    backoff: Backoff,
    since: Option<Instant>,
}

impl<'a> Outage<'a> {
    pub(super) const fn new(pipeline: &'a ConsumerName, options: &PipelineOptions) -> Self {
        Self {
            pipeline,
            retry: options.policy.retry,
            backoff: Backoff::new(options.policy.retry, options.seed),
            since: None,
        }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The error itself when the target has been away for too long.
    pub(super) async fn wait(
        &mut self,
        error: StageError,
        counters: &Counters,
    ) -> Result<(), StageError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let asked = match &error {
            StageError::Unavailable { after, .. } => *after,
            _ => None,
        };
        if self
            .retry
            .outage
            .is_some_and(|most| since.elapsed() >= most)
        {
            return Err(error);
        }
        tracing::warn!(
            pipeline = %self.pipeline,
            error = %error,
            failures = self.backoff.failures() + 1,
            "trying again"
        );
        counters.add(Count::Retries, 1);
        counters.tell(error.to_string());
        sleep(self.backoff.next(asked)).await;
        Ok(())
    }

    pub(super) const fn over(&mut self) {
        self.since = None;
        self.backoff.reset();
    }
}
