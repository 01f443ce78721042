//! How a pipeline runs.

use std::time::Duration;

use efflux_storage::Start;
use efflux_storage::consumer_limits::{LEASE_MAX, LEASE_MIN};

use crate::connector::IntakeMax;
use crate::limits::{BATCH_MESSAGES_MAX, IN_FLIGHT_MAX};
use crate::policy::{Policy, Retry};

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
    /// Tells what is out of bounds: the way to the setting, and how it is.
    pub(crate) fn faults(&self) -> Vec<(&'static [&'static str], String)> {
        let IntakeMax { messages, bytes } = self.batch;
        let in_flight = self.in_flight;
        let lease = self.lease;
        let own = [
            (
                (1..=BATCH_MESSAGES_MAX).contains(&messages),
                &["batch", "messages"][..],
                format!("a batch of {messages} messages: 1 to {BATCH_MESSAGES_MAX} are allowed"),
            ),
            (
                bytes > 0,
                &["batch", "bytes"],
                "a batch of 0 bytes: at least 1 is needed".to_owned(),
            ),
            (
                (1..=IN_FLIGHT_MAX).contains(&in_flight),
                &["in_flight"],
                format!("{in_flight} batches in flight: 1 to {IN_FLIGHT_MAX} are allowed"),
            ),
            (
                self.rate_max != Some(0),
                &["rate_max"],
                "0 messages a second: at least 1 is needed".to_owned(),
            ),
            (
                (LEASE_MIN..=LEASE_MAX).contains(&lease),
                &["lease"],
                format!("a lease of {lease:?}: {LEASE_MIN:?} to {LEASE_MAX:?} are allowed"),
            ),
        ];
        let all = own.into_iter().chain(faults_of_policy(&self.policy));
        let wrong = all.filter(|(is_right, ..)| !is_right);
        wrong.map(|(_, path, what)| (path, what)).collect()
    }
}

/// Of each bound of a policy, whether it is kept.
fn faults_of_policy(policy: &Policy) -> [(bool, &'static [&'static str], String); 4] {
    let Retry {
        attempts,
        initial,
        max,
        ..
    } = policy.retry;
    let nothing = || "a time-out of 0: nothing could be done in it".to_owned();
    // Told at the one that was changed.
    let of_waits: &[&str] = match initial == Retry::default().initial {
        true => &["on_error", "max"],
        false => &["on_error", "initial"],
    };
    [
        (
            attempts > 0,
            &["on_error", "attempts"],
            "0 attempts: at least 1 is needed".to_owned(),
        ),
        (
            !initial.is_zero() && initial <= max,
            of_waits,
            format!(
                "waits from {initial:?} to {max:?}: they begin above 0 and with the shorter one"
            ),
        ),
        (
            !policy.step_timeout.is_zero(),
            &["on_error", "step_timeout"],
            nothing(),
        ),
        (
            !policy.delivery_timeout.is_zero(),
            &["on_error", "delivery_timeout"],
            nothing(),
        ),
    ]
}
