//! Reading a topic live.

use std::sync::Arc;

use efflux_particle::{Particle, Sequence};

use crate::error::Result;
use crate::log::{ReadLimit, TopicLog};

/// Reads a topic upwards and goes on with what is appended later.
///
/// It only ever shows what is durable within the topic's sync policy, each particle once, in order.
#[derive(Debug)]
pub struct Follower {
    log: Arc<dyn TopicLog>,
    next: Sequence,
    limit: ReadLimit,
}

impl Follower {
    pub(crate) fn new(log: Arc<dyn TopicLog>, from: Sequence) -> Self {
        Self {
            log,
            next: from,
            limit: ReadLimit::default(),
        }
    }

    /// Sets how much one batch holds at most.
    #[must_use]
    pub const fn with_limit(mut self, limit: ReadLimit) -> Self {
        self.limit = limit;
        self
    }

    /// The sequence that comes next.
    #[must_use]
    pub const fn next_sequence(&self) -> Sequence {
        self.next
    }

    /// The next particles, one at least; waits for them. Cancel-safe.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes do not check, `Unavailable` when reading fails, `Closed` when the
    /// topic is closed meanwhile.
    pub async fn next_batch(&mut self) -> Result<Vec<Particle>> {
        if let Some(before) = self.next.previous() {
            self.log.wait_past(before).await?;
        }
        let batch = self.log.read(self.next, self.limit).await?;
        if let Some(last) = batch.last() {
            self.next = last.sequence().next();
        }
        Ok(batch)
    }
}
