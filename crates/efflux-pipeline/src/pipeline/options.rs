//! How a pipeline runs.

use std::time::Duration;

use efflux_storage::Start;

use crate::connector::IntakeMax;
use crate::limits::{BATCH_MESSAGES_MAX, IN_FLIGHT_MAX};
use crate::policy::Policy;

/// In which order messages are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Messages of one message group in order; different groups beside each other.
    #[default]
    ByGroup,
    /// All messages in the order of their source, one batch at a time. Of a topic, one process reads
    /// at a time, and whole groups come together.
    Strict,
    /// In any order.
    None,
}

/// How a pipeline runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineOptions {
    /// How much one intake holds.
    pub batch: IntakeMax,
    /// How many intakes are under way at once; 1 to 64.
    pub in_flight: usize,
    /// In which order messages are delivered.
    pub order: Order,
    /// What follows when a stage fails.
    pub policy: Policy,
    /// How many messages a second are delivered at most; none for as many as go.
    pub rate_max: Option<u32>,
    /// How long a message of a topic is leased to this process.
    pub lease: Duration,
    /// Where a pipeline begins that reads its topic for the first time.
    pub start: Start,
    /// How long what is under way may take when the pipeline is stopped.
    pub drain: Duration,
    /// After how long without a message the pipeline ends; none for never.
    pub ends_when_idle: Option<Duration>,
    /// What the waits before retries are shortened by follows from this number.
    pub seed: u64,
}

impl Default for PipelineOptions {
    /// Batches of 500 messages or 4 MiB, 4 of them under way, in order by group; a lease of 90 s; 30 s
    /// to end.
    fn default() -> Self {
        Self {
            batch: IntakeMax {
                messages: 500,
                bytes: 4 * 1024 * 1024,
            },
            in_flight: 4,
            order: Order::ByGroup,
            policy: Policy::default(),
            rate_max: None,
            lease: Duration::from_secs(90),
            start: Start::Root,
            drain: Duration::from_secs(30),
            ends_when_idle: None,
            seed: 1,
        }
    }
}

impl PipelineOptions {
    /// Tells what is out of bounds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let IntakeMax { messages, bytes } = self.batch;
        if !(1..=BATCH_MESSAGES_MAX).contains(&messages) {
            return Err(format!(
                "a batch of {messages} messages: 1 to {BATCH_MESSAGES_MAX} are allowed"
            ));
        }
        if bytes == 0 {
            return Err("a batch of 0 bytes: at least 1 is needed".to_owned());
        }
        if !(1..=IN_FLIGHT_MAX).contains(&self.in_flight) {
            let count = self.in_flight;
            return Err(format!(
                "{count} batches in flight: 1 to {IN_FLIGHT_MAX} are allowed"
            ));
        }
        if self.policy.retry.attempts == 0 {
            return Err("0 attempts: at least 1 is needed".to_owned());
        }
        if self.rate_max == Some(0) {
            return Err("0 messages a second: at least 1 is needed".to_owned());
        }
        let waits = [
            ("step", self.policy.step_timeout),
            ("delivery", self.policy.delivery_timeout),
            ("lease", self.lease),
        ];
        match waits.iter().find(|(_, time)| time.is_zero()) {
            Some((what, _)) => Err(format!("the time for a {what} is 0")),
            None => Ok(()),
        }
    }
}
