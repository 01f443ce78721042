//! What of a consumer outlives its workers, as a backup keeps it.

use efflux_particle::{Sequence, Timestamp};

use super::entry::Entry;
use super::ledger::Ledger;
use super::limits::{OPEN_MAX, PARKED_MAX};
use super::options::ConsumerOptions;
use super::summary::Summary;
use crate::error::{Error, Result};

/// Epochs that are passed over when a consumer is restored: 65,536. The store that was backed up may
/// have gone on for some before it was lost, and no ticket that it gave may be good in the new one.
const EPOCHS_PASSED: u32 = 1 << 16;

/// Most ranges that are settled above the position: each lies behind a particle that is not.
const SETTLED_MAX: usize = OPEN_MAX + PARKED_MAX;

/// What of a consumer outlives its workers: settings, position, and what is settled beyond it.
///
/// Leases and delays do not: who restores a consumer has its unsettled particles delivered anew.
///
/// - `settled` ascends, and its ranges touch neither each other nor the position
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerState {
    /// The first particle that is not settled; the next one to be appended when all are.
    pub position: Sequence,
    /// What is settled above the position: the first place of each range and the place behind it.
    pub settled: Vec<(Sequence, Sequence)>,
    /// How often the consumer was opened; a part of its tickets.
    pub epoch: u32,
    /// How many deliveries there were that were not a particle's first.
    pub redelivered: u64,
    /// How many particles went to the dead-letter topic.
    pub dead_lettered: u64,
    /// Its settings.
    pub options: ConsumerOptions,
}

impl ConsumerState {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let summary = ledger.summary();
        Self {
            position: summary.floor,
            settled: summary.settled,
            epoch: summary.epoch,
            redelivered: summary.redelivered,
            dead_lettered: summary.dead_lettered,
            options: summary.options,
        }
    }

    /// Forgets what lies past a topic's last particle, as a power cut can leave it.
    pub fn cut(&mut self, head: Sequence) {
        let next = head.next();
        self.position = self.position.min(next);
        self.settled.retain(|(first, _)| *first < next);
        for (_, end) in &mut self.settled {
            *end = next.min(*end);
        }
    }

    /// Tells whether this can be the state of a consumer of a topic with this last particle.
    ///
    /// # Errors
    /// `Invalid` with what it is that cannot be.
    pub fn check(&self, head: Sequence) -> Result<()> {
        self.options.check()?;
        let next = head.next();
        if self.position > next || self.position < Sequence::FIRST {
            return Err(Error::invalid(format!(
                "position {} is not possible: the topic's places go from {} to {next}",
                self.position,
                Sequence::FIRST
            )));
        }
        let mut before = self.position;
        for (first, end) in &self.settled {
            if *first <= before || end <= first || *end > next {
                return Err(Error::invalid(format!(
                    "the places {first} to {end} cannot be settled behind {before}, with {next} \
                     to come next"
                )));
            }
            before = *end;
        }
        if self.settled.len() > SETTLED_MAX || self.epoch > u32::MAX - EPOCHS_PASSED - 1 {
            return Err(Error::invalid(format!(
                "{} settled ranges in epoch {} are more than a consumer can have",
                self.settled.len(),
                self.epoch
            )));
        }
        Ok(())
    }

    /// The record of a journal that begins with this state, in an epoch of its own.
    pub(crate) fn record(&self) -> Vec<u8> {
        let summary = Summary {
            now: Timestamp::MIN,
            epoch: self.epoch.saturating_add(EPOCHS_PASSED),
            floor: self.position,
            settled: self.settled.clone(),
            flights: Vec::new(),
            committed: Vec::new(),
            redelivered: self.redelivered,
            dead_lettered: self.dead_lettered,
            options: self.options.clone(),
        };
        let mut record = Vec::new();
        Entry::Summary(Box::new(summary)).encode(0, &mut record);
        record
    }
}
