//! What follows when a stage fails.

use std::time::Duration;

/// How often, and how long, something that failed is tried again.
///
/// The waits grow from `initial` to `max`, doubling; each is shortened at random by up to a half, so
/// that many who wait for the same server do not come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a message that fails by itself is tried in all; at least 1.
    pub attempts: u32,
    /// The first wait.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
    /// How long the target as a whole may be away before the pipeline stops; none for as long as it
    /// takes. What is not delivered then stays in the source.
    pub outage: Option<Duration>,
}

impl Default for Retry {
    /// 10 attempts, waits from 200 ms to 1 minute, and no end for a target that is away.
    fn default() -> Self {
        Self {
            attempts: 10,
            initial: Duration::from_millis(200),
            max: Duration::from_secs(60),
            outage: None,
        }
    }
}

/// What becomes of a message that is rejected, or that failed too often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// It goes to the dead-letter topic, durably, before the source is answered.
    #[default]
    DeadLetter,
    /// It is left out, logged and counted.
    Skip,
    /// The pipeline stops. The message stays in the source, and comes again.
    Stop,
}

/// What follows when a stage fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How what may work later is tried again.
    pub retry: Retry,
    /// What becomes of what will not work.
    pub then: Then,
    /// How long a step may take for one message. One that takes longer is rejected.
    pub step_timeout: Duration,
    /// How long a delivery may take. One that takes longer is tried again.
    pub delivery_timeout: Duration,
}

impl Default for Policy {
    /// Retries as [`Retry::default`] has it, then the dead-letter topic; 30 s for a step, 60 s for a
    /// delivery.
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            then: Then::DeadLetter,
            step_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(60),
        }
    }
}
